package runtime

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"skillet/policy"
	"skillet/runtime/supervisor"

	"github.com/docker/docker/api/types/mount"
)

var someHarness = harness{
	image: imageFacts{
		id: "sha256:0123", entrypoint: []string{"/entry", "-x"}, cmd: []string{"default"},
		env: []string{"PATH=/usr/bin", "GOMEMLIMIT=1GiB", "LANG=C"},
	},
	binary: supervisor.Binary{Digest: "fedcba9876543210"},
	volume: "skillet-supervisor-fedcba9876543210",
}

func TestASupervisedRequestIsThatOfItsGoldenFile(t *testing.T) {
	for _, name := range []string{"program", "limits", "devices"} {
		got, err := json.MarshalIndent(newRequest(goldens()[name], "skillet-tool-name", someOwner).supervised(someHarness), "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, '\n')
		path := filepath.Join("testdata", "supervised", name+".json")
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v: the request differs from %s (-update rewrites it):\n%s", err, path, got)
		}
	}
}

// Whatever a plan says of rights, limits and surroundings is the same with a supervisor: only these fields are its own.
func TestASupervisorChangesNothingElseOfARequest(t *testing.T) {
	for name, c := range goldens() {
		plain := newRequest(c, "name", someOwner)
		before, _ := json.Marshal(plain)
		q := plain.supervised(someHarness)
		if after, _ := json.Marshal(plain); !bytes.Equal(before, after) {
			t.Errorf("%s: the plain request was changed", name)
		}
		last := q.Host.Mounts[len(q.Host.Mounts)-1]
		if last.Source != someHarness.volume || last.Target != policy.ReservedTarget || !last.ReadOnly || last.Type != mount.TypeVolume {
			t.Errorf("%s: the supervisor's mount is %+v", name, last)
		}
		q.Config.Image, q.Config.Entrypoint, q.Config.Cmd, q.Config.Env = c.Image, plain.Config.Entrypoint, plain.Config.Cmd, plain.Config.Env
		q.Config.AttachStdin, q.Config.OpenStdin, q.Config.StdinOnce = plain.Config.AttachStdin, plain.Config.OpenStdin, plain.Config.StdinOnce
		q.Host.Init, q.Host.AutoRemove = plain.Host.Init, false
		q.Host.Mounts = q.Host.Mounts[:len(q.Host.Mounts)-1]
		*q.Host.PidsLimit -= supervisorShare
		delete(q.Config.Labels, labelSupervised)
		if len(q.Host.Mounts) == 0 {
			q.Host.Mounts = nil
		}
		if after, _ := json.Marshal(q); !bytes.Equal(before, after) {
			t.Errorf("%s: the supervised request has more changes:\n%s\n%s", name, before, after)
		}
	}
}

// As the engine merges them: daemon/commit.go, "merge", of the engine's repository, and `docker run --entrypoint ""`.
func TestImageAndPlanMakeTheArgumentsTogether(t *testing.T) {
	image := someHarness.image
	for _, test := range []struct{ entrypoint, command, want []string }{
		{nil, nil, []string{"/entry", "-x", "default"}},
		{nil, []string{"a"}, []string{"/entry", "-x", "a"}},
		{[]string{"own"}, nil, []string{"own"}},
		{[]string{"own"}, []string{"a"}, []string{"own", "a"}},
		{[]string{""}, []string{"a"}, []string{"a"}},
		{[]string{""}, nil, nil},
	} {
		if got := image.argv(policy.Container{Entrypoint: test.entrypoint, Command: test.command}); !slices.Equal(got, test.want) {
			t.Errorf("entrypoint %q, command %q: %q, want %q", test.entrypoint, test.command, got, test.want)
		}
	}
}

func TestAnImagesVariablesForGoReachItsProgramAndNotTheSupervisor(t *testing.T) {
	if got, want := someHarness.image.quiet(), []string{"GOMEMLIMIT="}; !slices.Equal(got, want) {
		t.Errorf("hidden: %q, want %q", got, want)
	}
	got := someHarness.image.environment(policy.Container{Env: []string{"A=1"}})
	if want := []string{"GOMEMLIMIT=1GiB", "A=1"}; !slices.Equal(got, want) {
		t.Errorf("for the program: %q, want %q", got, want)
	}
}
