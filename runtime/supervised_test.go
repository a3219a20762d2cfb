package runtime

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"skillet/policy"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
)

// attacks are what a program may try against the supervisor, as its own user. Each one that works says so.
const attacks = `
try() { what=$1; shift; if "$@" >/tmp/got 2>/dev/null && [ -s /tmp/got ]; then echo "it could $what"; fi; }
for f in environ maps mem stack syscall auxv fdinfo/0 io; do try "read $f" head -c 1 /proc/1/$f; done
for l in exe cwd root fd/0 fd/1 fd/2 ns/mnt; do try "follow $l" readlink /proc/1/$l; done
if (: >/proc/1/fd/1) 2>/dev/null; then echo "it could open the channel"; fi
if (: >/proc/1/mem) 2>/dev/null; then echo "it could open the memory"; fi
perl -e '
	require "syscall.ph" if 0;
	for (16, 16902) { my $r = syscall(101, $_, 1, 0, 0); print "it could trace: $_\n" if $r == 0 }   # ptrace: ATTACH, SEIZE
	my $b = "x" x 8; my $l = pack("PQ", $b, 8);
	print "it could read memory\n" if syscall(310, 1, $l, 1, $l, 1, 0) > 0;                          # process_vm_readv
	my $fd = syscall(434, 1, 0);                                                                       # pidfd_open
	if ($fd > 0) { print "it could take a descriptor\n" if syscall(438, $fd, 1, 0) > 0 }               # pidfd_getfd
'
for s in HUP INT QUIT ILL TRAP ABRT BUS FPE USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS 34 35 40 63 64; do
	trap : $s 2>/dev/null; kill -$s 1 2>/dev/null
done
for i in 1 2 3; do for s in KILL STOP; do kill -$s 1 2>/dev/null; done; done
sleep 0.2
echo "end of the attack"; exit 7
`

// The order's environment and arguments, the channel and the exit are the supervisor's own. TERM and its like from inside make
// the call one that was stopped, which is the program's own affair; so that part of the attack is looked at by itself.
func TestAProgramGetsNothingOfTheSupervisor(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	for name, change := range map[string]func(*policy.Container){
		"as root":          func(*policy.Container) {},
		"as somebody":      func(c *policy.Container) { c.User = "1234:1234" },
		"with a read root": func(c *policy.Container) { c.ReadOnlyRootfs = true },
	} {
		t.Run(name, func(t *testing.T) {
			c := shell(strings.ReplaceAll(strings.ReplaceAll(attacks, "HUP INT QUIT ILL", "ILL"), " TERM ", " "))
			c.Mounts = []policy.Mount{{Type: policy.MountTmpfs, Target: "/tmp"}}
			change(&c)
			result := mustRun(t, r, c)
			if got := string(result.Stdout.Data); got != "end of the attack\n" || result.ExitCode != 7 {
				t.Errorf("%s", brief(result))
			}
		})
	}
}

func TestASupervisorOutlivesWhateverItsProgramSendsIt(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	_, err := r.run(t.Context(), shell(attacks), IO{})
	var lost *LostError
	if !errors.As(err, &lost) || !lost.Stopped || lost.ExitCode != 7 {
		t.Errorf("a program that tells its container to stop: %v", err)
	}
	// Who has its user may set its limits (prlimit(2)). It needs nothing any more that they would keep from it.
	limits := `perl -e 'for my $r (0..15) { my $p = pack("QQ", $r == 0, $r == 0); syscall(302, 1, $r, $p, 0) }'; head -c 1000000 /dev/zero; exit 4`
	if result := mustRun(t, r, shell(limits)); result.ExitCode != 4 || len(result.Stdout.Data) != 1_000_000 {
		t.Errorf("without any limits left: %s", brief(result))
	}
	for range 3 {
		result := mustRun(t, r, shell(`i=0; while [ $i -lt 3000 ]; do kill -USR1 1; kill -URG 1; kill -CHLD 1; i=$((i+1)); done; trap '' USR1; exit 4`))
		if result.ExitCode != 4 && result.Signal != "SIGUSR1" {
			t.Errorf("after a flood of signals: %s", brief(result))
		}
	}
}

func TestAProgramCannotRunAsItsOwnSupervisor(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	// It can be run, like every program of the container; it speaks to who runs it and to nobody else.
	got := output(t, r, shell(`/.skillet/supervisor </dev/null | od -c | head -n 1; touch /.skillet/x 2>&1; (: >/.skillet/supervisor) 2>&1; ls -l /.skillet | tail -n +2 | cut -c1-10`))
	for _, want := range []string{"R  \\0", "Read-only file system", "-r-xr-xr-x"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
}

// A process that fills the container's memory or its processes leaves the supervisor able to do its work.
func TestASupervisorWorksWhereNothingIsLeft(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	c := shell(`i=0; while [ $i -lt 200 ]; do sleep 60 & i=$((i+1)); done; exec echo full`)
	c.PidsLimit = 20
	for range 3 {
		if result := mustRun(t, r, c); !strings.Contains(string(result.Stderr.Data)+string(result.Stdout.Data), "ork") {
			t.Errorf("%s", brief(result))
		}
	}
	c = shell(`perl -e 'fork while 1'`)
	c.PidsLimit, c.Timeout = 30, 2*time.Second
	if _, err := r.run(t.Context(), c, IO{}); !errors.As(err, new(*TimeoutError)) {
		t.Error(err)
	}
	c = shell(`head -c 100m /dev/zero >/dev/shm/x; exit 3`)
	c.Memory, c.MemorySwap, c.ShmSize = 8<<20, 8<<20, 200<<20
	// What is in a memory file system is nobody's to free, so that at the end it may be the supervisor that has to go.
	result, err := r.run(t.Context(), c, IO{})
	lost := errors.As(err, new(*LostError)) && strings.Contains(err.Error(), "ran out of memory")
	if !lost && (err != nil || !result.OOMKilled) {
		t.Errorf("%s, %v", brief(result), err)
	}
}

// mustLaunch starts a container whose supervisor waits for an order.
func mustLaunch(t *testing.T, r *Runtime, c policy.Container) (*standby, harness) {
	t.Helper()
	v := r.newVessel(c, request{})
	h, err := v.harness(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.install(t.Context(), v.api, *h); err != nil {
		t.Fatal(err)
	}
	s, err := r.launch(t.Context(), c, *h)
	if err != nil {
		t.Fatal(err)
	}
	return s, *h
}

func TestAContainerEndsWithItsConnection(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	api := newSDKClient(t)
	for name, script := range map[string]string{
		"a program that ignores its input": `trap '' TERM; echo begun; sleep 600`,
		"a program that writes":            `echo begun; yes`,
	} {
		t.Run(name, func(t *testing.T) {
			c := shell(script)
			c.Stdin = make([]byte, 4<<20)
			s, h := mustLaunch(t, r, c)
			order, err := newOrder(c, h.image)
			if err != nil {
				t.Fatal(err)
			}
			stdout := newCapture(1<<10, nil)
			s.order(order, &task{stdout, newCapture(1<<10, nil)}, true)
			s.feed(c.Stdin)
			waitUntil(t, "the program", func() bool { return stdout.seen.Load() > 5 })
			begun := time.Now()
			s.conn.Close() // as when skillet is killed: nobody asks for anything
			waitUntil(t, "the container's end", func() bool {
				_, err := api.ContainerInspect(t.Context(), s.id)
				return err != nil
			})
			if took := time.Since(begun); took > 2*time.Second {
				t.Errorf("took %s", took)
			}
			s.leave()
		})
	}
}

func TestAContainerObeysItsDeadlineByItself(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	c := shell(`trap '' TERM; echo begun; sleep 600`)
	s, h := mustLaunch(t, r, c)
	defer s.leave()
	order, err := newOrder(c, h.image)
	if err != nil {
		t.Fatal(err)
	}
	order.Limit = 500 * time.Millisecond
	s.order(order, &task{newCapture(1<<10, nil), newCapture(1<<10, nil)}, true)
	select {
	case <-s.finished:
		if s.exit.How != 't' {
			t.Errorf("%+v", s.exit)
		}
	case <-time.After(20 * time.Second):
		t.Error("it runs on")
	}
}

// Images need to have nothing: no shell, no C library, no file at all but the program.
func TestAnImageWithoutAnythingCanBeUsed(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	name := "skillet-runtime-test-" + randomName()
	dir := writeTree(t, map[string]string{"Dockerfile": `FROM scratch
COPY program /program
ENV GREETING="hello world" GOMEMLIMIT=1GiB
WORKDIR /made
USER 1234:5678
ENTRYPOINT ["/program", "entry"]
CMD ["default"]
VOLUME /kept
`})
	buildStatic(t, dir+"/program")
	t.Cleanup(func() {
		_, _ = newSDKClient(t).ImageRemove(context.Background(), name, image.RemoveOptions{Force: true})
	})
	c := policy.Container{Skill: "runtime-test", Image: name, Build: dir, Network: "none", PidsLimit: 64, Timeout: time.Minute, MaxOutput: 1 << 20}
	want := "[/program entry default] hello world 1GiB /made 1234 5678"
	if got := output(t, r, c); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := strings.TrimSpace(string(runPlain(t, r, c).Stdout.Data)); got != want {
		t.Errorf("without a supervisor: %q, want %q", got, want)
	}
	c.Command = []string{"own", "two"}
	if got := output(t, r, c); !strings.HasPrefix(got, "[/program entry own two]") {
		t.Errorf("%q", got)
	}
	c.Entrypoint, c.Command = []string{"program"}, nil
	c.Env = []string{"PATH=/nowhere:/", "GREETING=", "GOMEMLIMIT=2MiB"}
	if got := output(t, r, c); got != "[program]  2MiB /made 1234 5678" {
		t.Errorf("%q", got)
	}
}

// The engine makes an empty volume of a name that it does not know, and a copy that was cut short leaves a part: both are mended
// by the first call.
func TestAVolumeWithoutASupervisorIsFilledAndADamagedOneMended(t *testing.T) {
	r := newEngineRuntime(t)
	api := newSDKClient(t)
	v := r.newVessel(shell(""), request{})
	h, err := v.harness(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// A volume of its own: others use the real one at the same time.
	h.volume += "-test-" + randomName()
	t.Cleanup(func() { _ = api.VolumeRemove(context.Background(), h.volume, true) })
	call := func() (Result, error) {
		c := shell("echo works")
		x := &execution{
			vessel: r.newVessel(c, newRequest(c, containerName(c.Skill), r.owner)),
			stdout: newCapture(1<<20, nil), stderr: newCapture(1<<20, nil),
		}
		x.api = v.api
		err := x.supervised(t.Context(), *h)
		x.result.Stdout = x.stdout.seal()
		return x.result, err
	}
	if result, err := call(); err != nil || string(result.Stdout.Data) != "works\n" {
		t.Fatalf("empty: %s, %v", brief(result), err)
	}
	for name, bytes := range map[string][]byte{
		"cut to nothing": {}, "cut short": h.binary.Bytes[:100_000], "another program": []byte("#!/bin/false\n"),
	} {
		id, err := r.openVolume(t.Context(), v.api, *h)
		if err != nil {
			t.Fatal(err)
		}
		if err := api.CopyToContainer(t.Context(), id, policy.ReservedTarget, archive(bytes), container.CopyToContainerOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := api.ContainerRemove(t.Context(), id, container.RemoveOptions{Force: true}); err != nil {
			t.Fatal(err)
		}
		if result, err := call(); err != nil || string(result.Stdout.Data) != "works\n" {
			t.Errorf("%s: %s, %v", name, brief(result), err)
		}
	}
}

func TestManySkilletsPutTheSupervisorOnAnEngineAtOnce(t *testing.T) {
	api := newSDKClient(t)
	volume := ""
	var calls sync.WaitGroup
	for range 4 {
		r := newEngineRuntime(t)
		v := r.newVessel(shell(""), request{})
		h, err := v.harness(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if volume == "" {
			volume = h.volume + "-test-" + randomName()
		}
		h.volume = volume
		calls.Go(func() {
			if _, err := r.install(t.Context(), v.api, *h); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	if err := api.VolumeRemove(t.Context(), volume, true); err != nil {
		t.Error(err)
	}
}

func TestStandardInputIsFedAsTheProgramTakesIt(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	c := shell(`sleep 0.3; head -c 1000000 | wc -c; sleep 0.3; wc -c`)
	c.Stdin = make([]byte, 3<<20)
	if got := strings.Fields(output(t, r, c)); len(got) != 2 || got[0] != "1000000" {
		t.Errorf("%q", got)
	}
}

// buildStatic builds a program that says what it was given.
func buildStatic(t *testing.T, to string) {
	t.Helper()
	source := writeTree(t, map[string]string{"go.mod": "module program\n", "main.go": `package main
import ("fmt"; "os")
func main() {
	dir, _ := os.Getwd()
	fmt.Println(os.Args, os.Getenv("GREETING"), os.Getenv("GOMEMLIMIT"), dir, os.Getuid(), os.Getgid())
}
`})
	build := exec.Command("go", "build", "-o", to, ".")
	build.Dir, build.Env = source, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
