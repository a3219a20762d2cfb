package runtime

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skillet/policy"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/volume"
)

// The tests of this file look at a container from inside: what the request says is worth what the engine makes of it.

func TestAProgramHasNoPrivileges(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	status := output(t, r, shell("cat /proc/self/status"))
	for _, want := range []string{"CapBnd:\t0000000000000000", "CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"} {
		if !strings.Contains(status, want) {
			t.Errorf("no %q in\n%s", want, status)
		}
	}
	c := shell("grep CapEff /proc/self/status")
	c.CapAdd = []string{"CAP_NET_RAW"}
	if got := output(t, r, c); got != "CapEff:\t0000000000002000" {
		t.Errorf("with CAP_NET_RAW: %q", got)
	}
}

func TestAProgramHasNamespacesOfItsOwn(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	for _, namespace := range strings.Fields(output(t, r, shell("for n in cgroup ipc mnt net pid uts; do readlink /proc/self/ns/$n; done"))) {
		kind, _, _ := strings.Cut(namespace, ":")
		// An engine on another machine has other numbers, and proves nothing.
		if host, err := os.Readlink("/proc/self/ns/" + kind); err == nil && host == namespace {
			t.Errorf("%s is the host's", namespace)
		}
	}
}

// What a program without a network finds, as the package documentation promises it.
func TestWithoutANetworkThereIsALoopbackAndNoName(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	c := shell(`
		echo interfaces: $(tail -n +3 /proc/net/dev | cut -d: -f1)
		perl -MIO::Socket::INET -e '
			my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1:4711") or die "listen: $!";
			my $c = IO::Socket::INET->new(PeerAddr => "127.0.0.1:4711", Timeout => 2) or die "connect: $!";
			print "127.0.0.1 works\n"'
		grep -q 00000000000000000000000000000001 /proc/net/if_inet6 && echo ::1 is there
		echo hosts: $(cat /etc/hosts)
		getent ahosts localhost >/dev/null && echo localhost is found || echo localhost is not found`)
	want := "interfaces: lo\n127.0.0.1 works\n::1 is there\nhosts:\nlocalhost is not found"
	if got := output(t, r, c); got != want {
		t.Errorf("%q", got)
	}
	c = shell("tail -n +3 /proc/net/dev | cut -d: -f1; getent ahosts localhost | head -n 1; getent hosts db")
	c.ExtraHosts = []string{"localhost:127.0.0.1", "db:192.0.2.7"}
	if got := strings.Fields(output(t, r, c)); strings.Join(got, " ") != "lo 127.0.0.1 STREAM localhost 192.0.2.7 db" &&
		strings.Join(got, " ") != "lo ::1 STREAM localhost 192.0.2.7 db" {
		t.Errorf("with extra hosts: %q", got)
	}
}

func TestANetworkIsThereWhenAskedFor(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	c := shell("tail -n +3 /proc/net/dev | cut -d: -f1; grep nameserver /etc/resolv.conf")
	c.Network, c.DNS = "bridge", []string{"192.0.2.1"}
	if got := output(t, r, c); !strings.Contains(got, "eth0") || !strings.Contains(got, "nameserver 192.0.2.1") {
		t.Errorf("%q", got)
	}
}

func TestTheProgramsSurroundingsAreThePlans(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	c := shell(`echo "$A|$(pwd)|$(id -u):$(id -g)|$(id -G)|$(hostname)"; touch /x 2>&1; ulimit -n; cat /proc/1/comm`)
	c.Env, c.WorkingDir, c.User, c.GroupAdd, c.Hostname = []string{"A=a b"}, "/var/tmp", "1234:5678", []string{"4321"}, "box"
	c.ReadOnlyRootfs, c.Init = true, true
	c.Ulimits = []policy.Ulimit{{Name: "nofile", Soft: 77, Hard: 99}}
	got := output(t, r, c)
	for _, want := range []string{"a b|/var/tmp|1234:5678|5678 4321|box", "Read-only file system", "\n77\n", "supervisor"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
}

func TestTheNumberOfProcessesIsLimited(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	c := shell("for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; wait")
	c.PidsLimit = 8
	if result := mustRun(t, r, c); !strings.Contains(strings.ToLower(string(result.Stderr.Data)), "fork") {
		t.Errorf("%s", brief(result))
	}
}

func TestATmpfsIsWhatThePlanSays(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	c := shell(`
		for d in /plain /exec; do printf '#!/bin/sh\necho ran in %s\n' $d >$d/p; chmod +x $d/p; $d/p 2>/dev/null || echo no exec in $d; done
		stat -c '%a %n' /plain /exec
		head -c 3000000 /dev/zero >/exec/big 2>/dev/null || echo full
		touch /ro/x 2>/dev/null || echo read-only
		grep -c 'nosuid,nodev' /proc/mounts >/dev/null && echo nosuid`)
	c.ReadOnlyRootfs = true
	c.Mounts = []policy.Mount{
		{Type: policy.MountTmpfs, Target: "/plain"},
		{Type: policy.MountTmpfs, Target: "/exec", Exec: true, SizeBytes: 1 << 20, Mode: 0o750},
		{Type: policy.MountTmpfs, Target: "/ro", ReadOnly: true},
	}
	if got, want := output(t, r, c), "no exec in /plain\nran in /exec\n1777 /plain\n750 /exec\nfull\nread-only\nnosuid"; got != want {
		t.Errorf("%q", got)
	}
}

func TestBindsAndVolumesAreMounted(t *testing.T) {
	t.Parallel()
	api := newSDKClient(t)
	dir := writeTree(t, map[string]string{"in/file": "content", "out/.keep": ""})
	if err := os.Chmod(filepath.Join(dir, "out"), 0o777); err != nil {
		t.Fatal(err)
	}
	name := "skillet-runtime-test-" + randomName()
	t.Cleanup(func() { _ = api.VolumeRemove(context.Background(), name, true) })
	r := newEngineRuntime(t) // closed before the volume is removed
	c := shell("cat /in/file; touch /in/x 2>/dev/null || echo read-only; echo made >/out/file; echo kept >/volume/file; ls -d /anonymous; ls /volume-nocopy")
	c.Mounts = []policy.Mount{
		{Type: policy.MountBind, Source: filepath.Join(dir, "in"), Target: "/in", ReadOnly: true},
		{Type: policy.MountBind, Source: filepath.Join(dir, "out"), Target: "/out"},
		{Type: policy.MountVolume, Source: name, Target: "/volume"},
		{Type: policy.MountVolume, Target: "/anonymous"},
		{Type: policy.MountVolume, Target: "/volume-nocopy", NoCopy: true},
	}
	if got := output(t, r, c); got != "contentread-only\n/anonymous" {
		t.Errorf("%q", got)
	}
	if made, err := os.ReadFile(filepath.Join(dir, "out/file")); string(made) != "made\n" {
		t.Errorf("%q, %v", made, err)
	}
	c = shell("cat /volume/file")
	c.Mounts = []policy.Mount{{Type: policy.MountVolume, Source: name, Target: "/volume", ReadOnly: true}}
	if got := output(t, r, c); got != "kept" {
		t.Errorf("%q", got)
	}
}

// An anonymous volume outlives its container unless its removal is asked for, and fills the disk call by call.
func TestAnonymousVolumesGoWithTheContainer(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	api := newSDKClient(t)
	c := shell("true")
	c.Keep = true
	c.Mounts = []policy.Mount{{Type: policy.MountVolume, Target: "/anonymous"}}
	result := mustRun(t, r, c)
	state, err := api.ContainerInspect(t.Context(), result.Container)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.removals.attempt(t.Context(), result.Container); err != nil {
		t.Fatal(err)
	}
	volumes, err := api.VolumeList(t.Context(), volume.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range volumes.Volumes {
		if v.Name == state.Mounts[0].Name {
			t.Errorf("%s is left", v.Name)
		}
	}
}

func TestAMissingSourceOfABindIsNotCreated(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	dir := t.TempDir()
	c := shell("true")
	c.Mounts = []policy.Mount{{Type: policy.MountBind, Source: filepath.Join(dir, "nosuch"), Target: "/x"}}
	if _, err := r.run(t.Context(), c, IO{}); err == nil {
		t.Error("no error")
	}
	if _, err := os.Stat(filepath.Join(dir, "nosuch")); err == nil {
		t.Error("the engine has made the source")
	}
}

func TestOutputIsNotLogged(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	c := shell("echo s3cret")
	c.Keep = true
	result := mustRun(t, r, c)
	api := newSDKClient(t)
	state, err := api.ContainerInspect(t.Context(), result.Container)
	if err != nil || state.HostConfig.LogConfig.Type != "none" || state.LogPath != "" {
		t.Errorf("%+v, %v", state.HostConfig.LogConfig, err)
	}
	if err := api.ContainerRemove(t.Context(), result.Container, container.RemoveOptions{Force: true}); err != nil {
		t.Error(err)
	}
}
