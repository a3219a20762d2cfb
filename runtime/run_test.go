package runtime

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	stdruntime "runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"skillet/policy"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
)

func TestAProgramsOutputAndExitCodeAreTheResult(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	result := mustRun(t, r, shell("echo out; echo err >&2; exit 7"))
	if result.ExitCode != 7 || string(result.Stdout.Data) != "out\n" || string(result.Stderr.Data) != "err\n" {
		t.Errorf("%s", brief(result))
	}
	if result.Signal != "" || result.OOMKilled || result.Incomplete || result.Duration <= 0 {
		t.Errorf("%s", brief(result))
	}
}

func TestArgumentsReachTheProgramUnchanged(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	c := shell("")
	c.Entrypoint = []string{"printf", "[%s]"}
	c.Command = []string{"a b", "$HOME; `id` | cat", "", "--flag", "ü\n'\""}
	if got, want := string(mustRun(t, r, c).Stdout.Data), "["+strings.Join(c.Command, "][")+"]"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestInputIsPassedThroughByteForByte(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	c := shell("cat")
	c.Stdin = make([]byte, 3<<20)
	c.MaxOutput = int64(len(c.Stdin))
	_, _ = rand.Read(c.Stdin)
	if result := mustRun(t, r, c); !bytes.Equal(result.Stdout.Data, c.Stdin) || result.Stdout.Dropped != 0 {
		t.Errorf("%d bytes came back, %d dropped", len(result.Stdout.Data), result.Stdout.Dropped)
	}
}

func TestInputEndsForTheProgram(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	for where, stdin := range map[string][]byte{"/dev/null": nil, "pipe:": {}} {
		c := shell("cat; readlink /proc/self/fd/0")
		c.Stdin = stdin
		if got := output(t, r, c); !strings.HasPrefix(got, where) {
			t.Errorf("%q, want %s", got, where)
		}
	}
}

func TestAProgramNeedNotReadItsInput(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	c := shell("exit 3")
	c.Stdin = make([]byte, 4<<20)
	if result := mustRun(t, r, c); result.ExitCode != 3 {
		t.Errorf("exit code %d", result.ExitCode)
	}
}

func TestOutputIsNeverLostHoweverEarlyItComes(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	var calls sync.WaitGroup
	for i := range 2 {
		calls.Go(func() {
			for j := range 12 {
				c := shell("")
				c.Entrypoint, c.Command = []string{"/bin/echo"}, []string{fmt.Sprint(i, j)}
				result, err := r.run(t.Context(), c, IO{})
				if err != nil || string(result.Stdout.Data) != fmt.Sprintln(i, j) || result.ExitCode != 0 {
					t.Errorf("call %d %d: %s, %v", i, j, brief(result), err)
				}
			}
		})
	}
	calls.Wait()
}

// countingWriter is a live copy that keeps nothing.
type countingWriter struct{ n int64 }

func (w *countingWriter) Write(p []byte) (int, error) { w.n += int64(len(p)); return len(p), nil }

// Not parallel: it looks at the heap of the whole process.
func TestTwoHundredMegabytesOfOutputTakeNoMemory(t *testing.T) {
	const total, kept, allowed = 200_000_000, 1 << 20, 8 << 20
	r := newEngineRuntime(t)
	mustRun(t, r, shell("true"))
	stdruntime.GC()
	var before stdruntime.MemStats
	stdruntime.ReadMemStats(&before)
	done := make(chan struct{})
	peaks := make(chan uint64)
	go func() {
		var peak uint64
		for {
			var now stdruntime.MemStats
			stdruntime.ReadMemStats(&now)
			peak = max(peak, now.HeapInuse)
			select {
			case <-done:
				peaks <- peak
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	var live countingWriter
	c := shell(fmt.Sprintf("head -c %d /dev/zero", total))
	result, err := r.run(t.Context(), c, IO{Stdout: &live})
	close(done)
	if err != nil || result.ExitCode != 0 {
		t.Fatal(err, result.ExitCode)
	}
	if len(result.Stdout.Data)+len(result.Stdout.Tail) != kept || result.Stdout.Dropped != total-kept || live.n != total {
		t.Errorf("%d kept, %d dropped, %d live", len(result.Stdout.Data), result.Stdout.Dropped, live.n)
	}
	if peak := <-peaks; peak > before.HeapInuse+allowed {
		t.Errorf("the heap grew from %d to %d bytes", before.HeapInuse, peak)
	}
}

// Not parallel: it counts the goroutines of the whole process.
func TestCallsLeaveNoGoroutineBehind(t *testing.T) {
	r := newEngineRuntime(t)
	before := stdruntime.NumGoroutine()
	late, notFound := shell("sleep 60"), shell("")
	late.Timeout, notFound.Entrypoint = 300*time.Millisecond, []string{"nosuch"}
	for range 3 {
		for _, c := range []policy.Container{shell("true"), shell("exit 1"), late, notFound} {
			_, _ = r.run(t.Context(), c, IO{})
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		_, _ = r.run(ctx, shell("true"), IO{})
		cancel()
	}
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
	for begun := time.Now(); stdruntime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > 5*time.Second {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", stdruntime.NumGoroutine(), before, stacks[:stdruntime.Stack(stacks, true)])
		}
	}
}

func TestLiveCopiesComeWhileTheProgramRuns(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	reader, writer := io.Pipe()
	c := shell("echo begun; sleep 0.5; echo done >&2")
	first := make(chan time.Time, 1)
	go func() {
		_, _ = reader.Read(make([]byte, 10))
		first <- time.Now()
	}()
	var stderr bytes.Buffer
	if _, err := r.run(t.Context(), c, IO{Stdout: writer, Stderr: &stderr}); err != nil {
		t.Fatal(err)
	}
	if early := time.Since(<-first); early < 400*time.Millisecond {
		t.Errorf("the first line came only %s before the end", early)
	}
	if stderr.String() != "done\n" {
		t.Errorf("%q", stderr.String())
	}
}

func TestASignalIsNamed(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	for _, init := range []bool{false, true} {
		c := shell("kill -KILL $$")
		c.Init = init
		if result := mustRun(t, r, c); result.ExitCode != 137 || result.Signal != "SIGKILL" || result.OOMKilled {
			t.Errorf("%s", brief(result))
		}
	}
	if result := mustRun(t, r, shell("exit 137")); result.ExitCode != 137 || result.Signal != "" {
		t.Errorf("an exit code that looks like a signal: %s", brief(result))
	}
}

func TestOutOfMemoryIsSaidSo(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	greedy := func(c policy.Container) Result {
		c.Memory, c.MemorySwap = 32<<20, 32<<20
		return mustRun(t, r, c)
	}
	child := greedy(shell(`perl -e "\$x = 'x' x 200_000_000"; exit 9`))
	if !child.OOMKilled || child.ExitCode != 9 {
		t.Errorf("a child: %s", brief(child))
	}
	for range 5 {
		if first := greedy(shell(`exec perl -e "\$x = 'x' x 200_000_000"`)); first.Signal != "SIGKILL" || !first.OOMKilled {
			t.Errorf("the program: %s", brief(first))
		}
	}
}

// isRunning asks the engine from the side.
func isRunning(t *testing.T, name string) bool {
	t.Helper()
	state, err := newSDKClient(t).ContainerInspect(t.Context(), name)
	if cerrdefs.IsNotFound(err) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	return state.State.Running
}

func TestATimeoutKillsTheProgramAndGivesWhatItWrote(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	c := shell("echo begun; sleep 60; echo not reached")
	c.Timeout = 1500 * time.Millisecond
	begun := time.Now()
	result, err := r.run(t.Context(), c, IO{})
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
	if isRunning(t, result.Container) {
		t.Error("Run has returned and the container runs")
	}
	var timeout *TimeoutError
	if !errors.As(err, &timeout) || timeout.After != c.Timeout || string(result.Stdout.Data) != "begun\n" || result.ExitCode != 137 {
		t.Errorf("%s, %v", brief(result), err)
	}
}

func TestACancelKillsTheProgramAndGivesWhatItWrote(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("the client went away")
	reader, writer := io.Pipe()
	go func() {
		_, _ = reader.Read(make([]byte, 10))
		cancel(cause)
	}()
	result, err := r.run(ctx, shell("echo begun; sleep 60"), IO{Stdout: writer})
	if isRunning(t, result.Container) {
		t.Error("Run has returned and the container runs")
	}
	if !errors.As(err, new(*CancelledError)) || !errors.Is(err, cause) || string(result.Stdout.Data) != "begun\n" {
		t.Errorf("%s, %v", brief(result), err)
	}
}

func TestACancelAtAnyMomentLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	for i := range 14 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*12*time.Millisecond)
		result, err := r.run(ctx, shell("sleep 60"), IO{})
		cancel()
		if !errors.As(err, new(*CancelledError)) || isRunning(t, result.Container) {
			t.Errorf("cancelled after %d ms: %s, %v", i*12, brief(result), err)
		}
	}
}

func TestAStopTimeoutLetsAProgramEndByItself(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	c := shell(`trap 'echo bye; exit 3' TERM; echo begun; while :; do sleep 0.1; done`)
	c.Timeout, c.StopTimeout = 1500*time.Millisecond, 20*time.Second
	result, err := r.run(t.Context(), c, IO{})
	if !errors.As(err, new(*TimeoutError)) || result.ExitCode != 3 || string(result.Stdout.Data) != "begun\nbye\n" {
		t.Errorf("%s, %v", brief(result), err)
	}
}

func TestAContainerThatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	for name, c := range map[string]struct {
		change func(*policy.Container)
		reason StartReason
		code   int
	}{
		"program not found": {func(c *policy.Container) { c.Entrypoint = []string{"nosuch"} }, ProgramNotFound, 127},
		"path not found":    {func(c *policy.Container) { c.Entrypoint = []string{"/nosuch"} }, ProgramNotFound, 127},
		"not executable":    {func(c *policy.Container) { c.Entrypoint = []string{"/etc/passwd"} }, ProgramNotExecutable, 126},
		"working directory": {func(c *policy.Container) { c.WorkingDir = "/etc/passwd" }, BadWorkingDir, 125},
		"user":              {func(c *policy.Container) { c.User = "nosuch" }, BadUser, 125},
		"group":             {func(c *policy.Container) { c.GroupAdd = []string{"nosuch"} }, BadUser, 125},
		"missing source":    {func(c *policy.Container) { c.Mounts = []policy.Mount{missingBind} }, BadMount, 125},
		"network":           {func(c *policy.Container) { c.Network = "skillet-nosuch" }, BadNetwork, 125},
		"device": {func(c *policy.Container) {
			c.Devices = []policy.Device{{Host: "/dev/nosuch", Container: "/dev/x", Permissions: "r"}}
		}, BadDevice, 125},
		"memory below the least": {func(c *policy.Container) { c.Memory, c.MemorySwap = 1<<20, 1<<20 }, OtherReason, 125},
	} {
		t.Run(name, func(t *testing.T) {
			spec := shell("true")
			spec.Env = []string{"TOKEN=s3cret"}
			c.change(&spec)
			result, err := r.run(t.Context(), spec, IO{})
			var start *StartError
			if !errors.As(err, &start) || start.Reason != c.reason || start.ExitCode != c.code || result.ExitCode != -1 {
				t.Errorf("%s, %v", brief(result), err)
			}
			t.Log(err)
		})
	}
}

var missingBind = policy.Mount{Type: policy.MountBind, Source: "/skillet-nosuch-source", Target: "/x"}

func TestAKeptContainerStaysBehindStopped(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	c := shell("echo kept")
	c.Keep = true
	c.Labels = map[string]string{"team": "a", labelSkill: "forged"}
	result := mustRun(t, r, c)
	api := newSDKClient(t)
	state, err := api.ContainerInspect(t.Context(), result.Container)
	if err != nil {
		t.Fatal(err)
	}
	if err := api.ContainerRemove(t.Context(), result.Container, container.RemoveOptions{Force: true}); err != nil {
		t.Error(err)
	}
	if state.State.Running || state.Config.Labels["team"] != "a" || state.Config.Labels[labelSkill] != c.Skill {
		t.Errorf("%+v, labels %v", state.State, state.Config.Labels)
	}
}
