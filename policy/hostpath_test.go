package policy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skillet/policy"
	"skillet/skills"
)

func TestASecondNameOfABlockedFileIsRefused(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	blocked, second := filepath.Join(elsewhere, "secret"), filepath.Join(dir, "innocent")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(blocked, second); err != nil {
		t.Fatal(err)
	}
	wantRule(t, vetIn(t, dir, fmt.Sprintf("blocked_mount_paths = [%q]", blocked), mount(second)), "blocked_mount_paths")
}

func TestEachCallLooksAtTheHostAnew(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	data := filepath.Join(dir, "data")
	set, err := skills.Parse("x.toml", []byte("[skills.x.docker]\nimage = \"a\"\n"+mount("./data")), skills.Environment{Workdir: dir})
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse("", []byte(fmt.Sprintf("blocked_mount_paths = [%q]", filepath.Join(elsewhere, "blocked"))), policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	approve := func() error { _, err := p.Approve(set.Skills[0].Prototype()); return err }
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	wantRule(t, approve(), "volumes")
	do(os.Mkdir(data, 0o755))
	do(approve())
	do(p.VetAll(set.Skills)[0].Err)
	do(os.Symlink(data, filepath.Join(elsewhere, "blocked"))) // what is blocked has moved
	wantRule(t, approve(), "blocked_mount_paths")
	wantRule(t, p.VetAll(set.Skills)[0].Err, "blocked_mount_paths")
	do(os.Remove(filepath.Join(elsewhere, "blocked")))
	do(approve())
	do(os.Remove(data))
	do(os.Symlink("/root", data)) // what is mounted has
	wantRule(t, approve(), "allowed_mount_roots")
}

func TestVettingManySkillsSaysOfEachWhatVettingItAloneDoes(t *testing.T) {
	dir := t.TempDir()
	var text strings.Builder
	sources := []string{dir, "/root", "/tmp", "/does/not/exist", "/home/somebody/.ssh", "/", "/tmp", "/var/run/x", dir + "/none"}
	for i, source := range sources {
		fmt.Fprintf(&text, "[skills.s%d.docker]\nimage = \"a\"\n%s\n", i, mount(source))
	}
	set, err := skills.Parse("x.toml", []byte(text.String()), skills.Environment{Workdir: dir})
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.New(policy.Options{Homes: []string{"/home/somebody"}})
	if err != nil {
		t.Fatal(err)
	}
	approved := 0
	for i, verdict := range p.VetAll(set.Skills) {
		if alone := p.Vet(set.Skills[i]); fmt.Sprint(verdict.Err) != fmt.Sprint(alone) {
			t.Errorf("%s: together\n%v\nalone\n%v", sources[i], verdict.Err, alone)
		}
		if verdict.Plan.Approved() != (verdict.Err == nil) {
			t.Errorf("%s: the plan and the error disagree: %v", sources[i], verdict.Err)
		}
		if verdict.Plan.Approved() {
			approved++
		}
	}
	if approved != 3 {
		t.Errorf("%d of the skills were approved, expected 3", approved)
	}
}
