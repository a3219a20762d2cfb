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

// BenchmarkVetOfTwoHundredSkills is what the policy has to do before a server with as many skills can list them.
func BenchmarkVetOfTwoHundredSkills(b *testing.B) {
	p, set := mounting(b, 200)
	b.ReportAllocs()
	for b.Loop() {
		for _, verdict := range p.VetAll(set.Skills) {
			if verdict.Err != nil {
				b.Fatal(verdict.Err)
			}
		}
	}
}

// BenchmarkApprove is what each call waits for.
func BenchmarkApprove(b *testing.B) {
	p, set := mounting(b, 1)
	inv := set.Skills[0].Prototype()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Approve(inv); err != nil {
			b.Fatal(err)
		}
	}
}

// mounting makes skills that mount the working directory, and the default policy for a user whose home has secrets.
func mounting(b *testing.B, count int) (*policy.Policy, *skills.Set) {
	b.Helper()
	home, workdir := b.TempDir(), b.TempDir()
	for _, secret := range []string{".ssh", ".docker", ".config/gh"} {
		if err := os.MkdirAll(filepath.Join(home, secret), 0o700); err != nil {
			b.Fatal(err)
		}
	}
	var text strings.Builder
	for i := range count {
		fmt.Fprintf(&text, "[skills.tool%d.docker]\nimage = \"debian\"\nvolumes = [\"${SKILL_WORKDIR}:/workdir\"]\n", i)
	}
	set, err := skills.Parse("skills.toml", []byte(text.String()), skills.Environment{Workdir: workdir, User: "1000:1000"})
	if err != nil {
		b.Fatal(err)
	}
	p, err := policy.New(policy.Options{Homes: []string{home}})
	if err != nil {
		b.Fatal(err)
	}
	return p, set
}
