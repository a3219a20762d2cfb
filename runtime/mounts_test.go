package runtime

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"skillet/policy"
	"skillet/skills"
)

// Between the policy's look and the engine's, a program that can write above a mounted directory may put something else in its
// place. Here it is given all the time that it needs for that.
func TestWhatWasPutInThePlaceOfAMountIsNotUsed(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	p, err := policy.New(policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.Mkdir(secret, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, swap := range map[string]func(dir string) error{
		"nothing":                    func(string) error { return nil },
		"a symlink":                  func(dir string) error { return os.Symlink(secret, dir) },
		"another directory":          func(dir string) error { return os.Mkdir(dir, 0o755) },
		"a symlink to a file's name": func(dir string) error { return os.Symlink("/etc", dir) },
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			dir := filepath.Join(parent, "data")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			plan, err := p.Approve(skills.Invocation{
				Skill: "runtime-test", Image: baseImage, Entrypoint: "sh", Command: []string{"-c", "echo ran; touch /work/ran"},
				Volumes: []string{dir + ":/work"}, Workdir: parent, Network: "none", PidsLimit: 64, Timeout: time.Minute, MaxOutput: 1 << 20,
			})
			if err != nil {
				t.Fatal(err)
			}
			if name != "nothing" {
				if err := errors.Join(os.Rename(dir, dir+"-old"), swap(dir)); err != nil {
					t.Fatal(err)
				}
			}
			result, err := r.Run(t.Context(), plan, IO{})
			if name == "nothing" {
				if err != nil || string(result.Stdout.Data) != "ran\n" {
					t.Errorf("%s, %v", brief(result), err)
				}
				return
			}
			var start *StartError
			if !errors.As(err, &start) || start.Reason != BadMount || !strings.Contains(err.Error(), "/work") || len(result.Stdout.Data) > 0 {
				t.Errorf("%s, %v", brief(result), err)
			}
			for _, place := range []string{dir, secret, dir + "-old"} {
				if _, err := os.Stat(filepath.Join(place, "ran")); err == nil {
					t.Errorf("it wrote to %s", place)
				}
			}
		})
	}
}
