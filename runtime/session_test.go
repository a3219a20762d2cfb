package runtime

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"skillet/policy"

	cerrdefs "github.com/containerd/errdefs"
)

// kept is a container of which there are sessions.
func kept(script string) policy.Container {
	c := shell(script)
	c.SessionIdle = time.Minute
	return c
}

func openSession(t *testing.T, r *Runtime, c policy.Container) *Session {
	t.Helper()
	s, err := r.open(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// says is what a call of a session writes; it has to succeed.
func (s *Session) says(t *testing.T, c policy.Container) string {
	t.Helper()
	result, err := s.run(t.Context(), c, IO{})
	if err != nil || result.ExitCode != 0 {
		t.Fatalf("%v, %s", err, brief(result))
	}
	return strings.TrimSpace(string(result.Stdout.Data))
}

// wasGone wants the session to be over, for a reason, and its next call to say so.
func (s *Session) wasGone(t *testing.T, within time.Duration, why string) {
	t.Helper()
	select {
	case <-s.Ended():
	case <-time.After(within):
		t.Fatal("the session goes on")
	}
	_, err := s.run(t.Context(), s.spec, IO{})
	var gone *SessionGoneError
	if !errors.As(err, &gone) || !strings.Contains(err.Error(), why) {
		t.Errorf("got %v, want %q", err, why)
	}
}

func TestASessionKeepsFilesAndProcessesAndItsContainer(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	s := openSession(t, r, kept(""))
	first, err := s.run(t.Context(), kept(`echo state >/tmp/file; sleep 300 & echo $! >/tmp/pid; echo one`), IO{})
	if err != nil || string(first.Stdout.Data) != "one\n" {
		t.Fatalf("%v, %s", err, brief(first))
	}
	if first.Duration > 20*time.Second {
		t.Errorf("a process that was left running has delayed the exit: %s", first.Duration)
	}
	second, err := s.run(t.Context(), kept(`cat /tmp/file; kill -0 $(cat /tmp/pid) && echo it runs`), IO{})
	if err != nil || string(second.Stdout.Data) != "state\nit runs\n" {
		t.Fatalf("%v, %s", err, brief(second))
	}
	if second.Container != first.Container || !second.Warm {
		t.Errorf("%s, then %s", first.Container, second.Container)
	}
	if got := output(t, r, kept("ls /tmp")); got != "" {
		t.Errorf("a call beside the session sees %q", got)
	}
	other := openSession(t, r, kept(""))
	if got := other.says(t, kept(`ls /tmp; ps 2>/dev/null; ls -d /proc/[0-9]* | wc -l`)); strings.Contains(got, "file") {
		t.Errorf("another session sees %q", got)
	}
	s.End(t.Context(), "it was ended")
	s.wasGone(t, time.Second, "it was ended")
	if got := other.says(t, kept("echo on")); got != "on" {
		t.Errorf("after the end of another session: %q", got)
	}
	if _, err := newSDKClient(t).ContainerInspect(t.Context(), first.Container); !cerrdefs.IsNotFound(err) {
		t.Errorf("after the end, its container: %v", err)
	}
}

// A server in the background, and clients that speak to it: what sessions are for.
func TestAnInterpreterRunsBehindTheCallsOfASession(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	s := openSession(t, r, kept(""))
	const server = `
		mkfifo /tmp/in /tmp/out
		perl -e '
			$| = 1; our %state;
			while (1) {
				open my $in, "<", "/tmp/in"; my $code = join "", <$in>; close $in;
				my $value = eval $code; $value = $@ if $@;
				print "a line on the inherited output\n";
				open my $out, ">", "/tmp/out"; print $out "$value\n"; close $out;
			}' &
		echo started`
	if got := s.says(t, kept(server)); got != "started" {
		t.Fatal(got)
	}
	ask := func(code string) string {
		c := kept(`cat >/tmp/in; cat /tmp/out`)
		c.Stdin = []byte(code)
		return s.says(t, c)
	}
	if got := ask(`$state{x} = 40; "set"`); got != "set" {
		t.Errorf("%q", got)
	}
	for i := range 50 { // its output goes nowhere, and neither blocks nor kills it
		if got := ask(`print "x" x 10000; $state{x}++; "up"`); got != "up" {
			t.Fatalf("%d: %q", i, got)
		}
	}
	if got := ask(`$state{x}`); got != "90" {
		t.Errorf("%q", got)
	}
	if got := ask(`die "broken\n"`); got != "broken" {
		t.Errorf("%q", got)
	}
}

func TestAllThatAProgramWroteArrivesAlthoughOthersHoldItsOutput(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	s := openSession(t, r, kept(""))
	c := kept(`sleep 300 & head -c 3000000 /dev/zero | tr '\0' x; head -c 60000 /dev/zero | tr '\0' y >&2; exit 5`)
	c.MaxOutput = 4 << 20
	s.key = shelfKey(c)
	for range 5 {
		result, err := s.run(t.Context(), c, IO{})
		if err != nil || result.ExitCode != 5 || len(result.Stdout.Data) != 3000000 || len(result.Stderr.Data) != 60000 || result.Incomplete {
			t.Fatalf("%v, %s", err, brief(result))
		}
	}
	// One that never stops to write: only what was there at the end counts, and the next call is not disturbed.
	c.Command = []string{`yes & echo begun`}
	if result, err := s.run(t.Context(), c, IO{}); err != nil || result.ExitCode != 0 || result.Duration > 10*time.Second {
		t.Fatalf("%v, %s", err, brief(result))
	}
	c.Command = []string{`pidof yes >/dev/null || ls /proc/*/comm | xargs grep -l yes >/dev/null && echo on`}
	if got := s.says(t, c); got != "on" {
		t.Errorf("%q", got)
	}
}

func TestExitsOfASessionsProgramsAreTold(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	s := openSession(t, r, kept(""))
	for script, want := range map[string]string{"exit 3": "", "kill -SEGV $$": "SIGSEGV", "kill -KILL $$": "SIGKILL"} {
		result, err := s.run(t.Context(), kept(script), IO{})
		if err != nil || result.ExitCode == 0 || result.Signal != want || result.OOMKilled {
			t.Errorf("%s: %v, %s", script, err, brief(result))
		}
	}
	hungry := kept(`sleep 300 & perl -e 'my $x = "x" x 500_000_000; print length $x'`)
	result, err := s.run(t.Context(), hungry, IO{})
	if err != nil || !result.OOMKilled {
		t.Errorf("%v, %s", err, brief(result))
	}
	if result, err = s.run(t.Context(), kept("exit 9"), IO{}); err != nil || result.OOMKilled || result.ExitCode != 9 {
		t.Errorf("after a call that was out of memory: %v, %s", err, brief(result))
	}
	missing := kept("")
	missing.Entrypoint, missing.Stdin = []string{"/no/such/program"}, make([]byte, 1<<20)
	var start *StartError
	if _, err = s.run(t.Context(), missing, IO{}); !errors.As(err, &start) || start.Reason != ProgramNotFound {
		t.Errorf("%v", err)
	}
	unread := kept("exit 0")
	unread.Stdin = make([]byte, 2<<20)
	for range 20 { // what was sent and not taken is not the next program's
		if got := s.says(t, unread); got != "" {
			t.Errorf("%q", got)
		}
		c := kept("cat")
		c.Stdin = []byte("own")
		if got := s.says(t, c); got != "own" {
			t.Fatalf("%.100q", got)
		}
	}
}

func TestASessionHasOneCallAtATime(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	s := openSession(t, r, kept(""))
	begun := make(chan struct{})
	var once sync.Once
	var calls sync.WaitGroup
	calls.Go(func() {
		live := IO{Stdout: writerFunc(func([]byte) { once.Do(func() { close(begun) }) })}
		if result, err := s.run(t.Context(), kept("echo begun; sleep 1"), live); err != nil || result.ExitCode != 0 {
			t.Errorf("%v, %s", err, brief(result))
		}
	})
	<-begun
	_, err := s.run(t.Context(), kept("echo second"), IO{})
	var refused *SessionError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "busy") {
		t.Errorf("%v", err)
	}
	s.End(t.Context(), "it was ended") // after the call, which succeeds
	calls.Wait()
	s.wasGone(t, time.Second, "it was ended")
}

func TestASessionIsForOneContainer(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	dir := filepath.Join(t.TempDir(), "mounted")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	c := kept("echo on")
	c.Mounts = []policy.Mount{{Type: policy.MountBind, Source: dir, Target: "/mounted"}}
	s := openSession(t, r, c)
	if got := s.says(t, c); got != "on" {
		t.Fatal(got)
	}
	other := c
	other.Memory *= 2
	if _, err := s.run(t.Context(), other, IO{}); !errors.As(err, new(*SessionError)) {
		t.Errorf("with more memory: %v", err)
	}
	if got := s.says(t, c); got != "on" {
		t.Fatal(got)
	}
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := s.run(t.Context(), c, IO{}); !errors.As(err, new(*SessionGoneError)) {
		t.Errorf("with another directory of the name: %v", err)
	}
	s.wasGone(t, 5*time.Second, "was replaced by another one")
}

func TestThereAreNoSessionsWhereTheyCannotBeKept(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	for name, change := range map[string]func(*policy.Container){
		"not offered":     func(c *policy.Container) { c.SessionIdle = 0 },
		"kept":            func(c *policy.Container) { c.Keep = true },
		"a PID namespace": func(c *policy.Container) { c.PidMode = "host" },
	} {
		c := kept("")
		change(&c)
		if _, err := r.open(c); !errors.As(err, new(*SessionError)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := r.Open(policy.Plan{}); !errors.Is(err, ErrNotApproved) {
		t.Error(err)
	}
}

func TestASessionCanBeginInAContainerThatHasWaited(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	c := kept("echo $0 >>/tmp/calls; sleep 300 & cat /tmp/calls")
	c.Warm = 1
	warm(t, r, c)
	s := openSession(t, r, c)
	result, err := s.run(t.Context(), c, IO{})
	if err != nil || !result.Warm {
		t.Errorf("%v, %s", err, brief(result))
	}
	if got := len(strings.Fields(s.says(t, c))); got != 2 {
		t.Errorf("%d calls are known", got)
	}
}

// Many calls take neither memory, nor descriptors, nor processes of the container.
func TestASessionDoesNotGrowWithItsCalls(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	c := kept(`sleep 300 & echo $! >>/tmp/pids; [ $(wc -l </tmp/pids) -gt 20 ] && { kill $(cat /tmp/pids); rm /tmp/pids; }; echo on`)
	c.Memory, c.MemorySwap, c.PidsLimit = 24<<20, 24<<20, 40
	c.Stdin = make([]byte, 1000)
	s := openSession(t, r, c)
	begun := time.Now()
	for i := range 300 {
		if result, err := s.run(t.Context(), c, IO{}); err != nil || string(result.Stdout.Data) != "on\n" {
			t.Fatalf("call %d: %v, %s", i, err, brief(result))
		}
	}
	t.Logf("%s a call", time.Since(begun)/300)
}
