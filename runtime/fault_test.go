package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"skillet/policy"

	cerrdefs "github.com/containerd/errdefs"
)

// fakePlan is a container for a fake engine, whose programs run until they are killed.
var fakePlan = policy.Container{Skill: "tool", Image: "image", MaxOutput: 1 << 10}

// closeAndCheck closes the runtime and fails the test when the engine still has a container.
func closeAndCheck(t *testing.T, r *Runtime, fake *fakeEngine) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := r.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
	if names := fake.names(); len(names) > 0 {
		t.Errorf("containers left behind: %v", names)
	}
}

// within fails the test when work takes longer.
func within(t *testing.T, limit time.Duration, work func()) {
	t.Helper()
	begun := time.Now()
	work()
	if took := time.Since(begun); took > limit {
		t.Errorf("took %s, want less than %s", took, limit)
	}
}

func TestACallMakesNoRequestThatItDoesNotNeed(t *testing.T) {
	fake := newFakeEngine()
	fake.exits = true
	r := newFakeRuntime(t, fake)
	result, err := r.run(t.Context(), fakePlan, IO{})
	if err != nil || result.ExitCode != 0 || string(result.Stdout.Data) != "out" {
		t.Fatalf("%s, %v", brief(result), err)
	}
	closeAndCheck(t, r, fake)
	if want := []string{"version", "create", "attach", "wait", "start", "remove"}; !slices.Equal(fake.calls, want) {
		t.Errorf("requests %v, want %v", fake.calls, want)
	}
}

func TestAFailedProgramIsAskedAboutBeforeItIsRemoved(t *testing.T) {
	fake := newFakeEngine()
	fake.exits, fake.code = true, 137
	r := newFakeRuntime(t, fake)
	result, err := r.run(t.Context(), fakePlan, IO{})
	if err != nil || result.ExitCode != 137 || result.Signal != "SIGKILL" || !result.OOMKilled {
		t.Fatalf("%s, %v", brief(result), err)
	}
	closeAndCheck(t, r, fake)
	if last := fake.calls[len(fake.calls)-2:]; !slices.Equal(last, []string{"inspect", "remove"}) {
		t.Errorf("requests %v", fake.calls)
	}
}

func TestACancelDuringTheCreationReturnsAtOnceAndLeavesNoContainer(t *testing.T) {
	fake := newFakeEngine()
	r := newFakeRuntime(t, fake)
	r.limits.create = time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	fake.before["create"] = func(uncut context.Context) error {
		cancel()
		time.Sleep(time.Second)
		return uncut.Err() // nil: the caller's cancel does not reach the engine
	}
	within(t, 500*time.Millisecond, func() {
		_, err := r.run(ctx, fakePlan, IO{})
		var cancelled *CancelledError
		if !errors.As(err, &cancelled) || !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	closeAndCheck(t, r, fake)
	if fake.called("create") != 1 || fake.called("remove") == 0 || fake.called("start") != 0 {
		t.Errorf("requests %v", fake.calls)
	}
}

// Each request in turn breaks, then is refused, then hangs.
func TestARequestThatFailsEndsTheCallAndLeavesNoContainer(t *testing.T) {
	for _, method := range []string{"create", "attach", "wait", "start"} {
		for name, fault := range map[string]func(context.Context) error{
			"breaks":  func(context.Context) error { return errBroken },
			"refused": func(context.Context) error { return fmt.Errorf("no: %w", cerrdefs.ErrInvalidArgument) },
			"hangs":   hang,
		} {
			t.Run(method+" "+name, func(t *testing.T) {
				fake := newFakeEngine()
				fake.before[method] = fault
				r := newFakeRuntime(t, fake)
				var result Result
				var err error
				within(t, time.Second, func() { result, err = r.run(t.Context(), fakePlan, IO{}) })
				var engine *EngineError
				var start *StartError
				switch {
				case name == "refused" && !errors.As(err, &start):
					t.Errorf("error %v", err)
				case name != "refused" && (!errors.As(err, &engine) || engine.Started != (method == "start")):
					t.Errorf("error %#v", err)
				}
				if result.ExitCode != -1 {
					t.Errorf("exit code %d", result.ExitCode)
				}
				closeAndCheck(t, r, fake)
			})
		}
	}
}

// The SDK's attach does not look at its context once it is connected.
func TestAnAttachThatIgnoresItsContextDoesNotHoldTheCall(t *testing.T) {
	fake := newFakeEngine()
	release := make(chan struct{})
	fake.before["attach"] = func(context.Context) error { <-release; return nil }
	r := newFakeRuntime(t, fake)
	within(t, time.Second, func() {
		if _, err := r.run(t.Context(), fakePlan, IO{}); !errors.As(err, new(*EngineError)) {
			t.Errorf("error %v", err)
		}
	})
	close(release)
	closeAndCheck(t, r, fake)
}

func TestALostConnectionWhileTheProgramRunsSaysThatItMayHaveRun(t *testing.T) {
	fake := newFakeEngine()
	r := newFakeRuntime(t, fake)
	go func() {
		for fake.called("start") == 0 {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(20 * time.Millisecond)
		fake.mu.Lock()
		defer fake.mu.Unlock()
		for _, c := range fake.containers {
			c.broken <- errBroken
		}
	}()
	result, err := r.run(t.Context(), fakePlan, IO{})
	var engine *EngineError
	if !errors.As(err, &engine) || !engine.Started {
		t.Fatalf("error %v", err)
	}
	if result.ExitCode != -1 || string(result.Stdout.Data) != "out" {
		t.Errorf("%s", brief(result))
	}
	closeAndCheck(t, r, fake)
}

func TestATimeoutKillsAtOnceWithoutAStopTimeout(t *testing.T) {
	fake := newFakeEngine()
	r := newFakeRuntime(t, fake)
	c := fakePlan
	c.Timeout = 30 * time.Millisecond
	result, err := r.run(t.Context(), c, IO{})
	var timeout *TimeoutError
	if !errors.As(err, &timeout) || timeout.After != c.Timeout {
		t.Errorf("error %v", err)
	}
	if result.ExitCode != 137 || string(result.Stdout.Data) != "out" {
		t.Errorf("%s", brief(result))
	}
	closeAndCheck(t, r, fake)
	if fake.called("kill SIGTERM") != 0 || fake.called("kill SIGKILL") != 1 {
		t.Errorf("requests %v", fake.calls)
	}
}

func TestAStopTimeoutIsTheTimeBetweenSIGTERMAndSIGKILL(t *testing.T) {
	for _, deaf := range []bool{false, true} {
		fake := newFakeEngine()
		wantCode, wantKills := 143, 0
		if deaf {
			fake.deaf = []string{"SIGTERM"}
			wantCode, wantKills = 137, 1
		}
		r := newFakeRuntime(t, fake)
		c := fakePlan
		c.Timeout, c.StopTimeout = 30*time.Millisecond, 50*time.Millisecond
		result, err := r.run(t.Context(), c, IO{})
		if !errors.As(err, new(*TimeoutError)) || result.ExitCode != wantCode {
			t.Errorf("deaf %v: %s, %v", deaf, brief(result), err)
		}
		if deaf && result.Duration < c.Timeout+c.StopTimeout {
			t.Errorf("killed after %s", result.Duration)
		}
		closeAndCheck(t, r, fake)
		if fake.called("kill SIGTERM") != 1 || fake.called("kill SIGKILL") != wantKills {
			t.Errorf("deaf %v: requests %v", deaf, fake.calls)
		}
	}
}

func TestAContainerThatNoKillEndsIsRemovedByForce(t *testing.T) {
	fake := newFakeEngine()
	fake.deaf = []string{"SIGKILL"}
	r := newFakeRuntime(t, fake)
	c := fakePlan
	c.Timeout = 30 * time.Millisecond
	result, err := r.run(t.Context(), c, IO{})
	if !errors.As(err, new(*TimeoutError)) || errors.As(err, new(*UnkilledError)) {
		t.Errorf("error %v", err)
	}
	if names := fake.names(); len(names) != 0 {
		t.Errorf("Run has returned and %v runs (%s)", names, brief(result))
	}
	closeAndCheck(t, r, fake)
}

func TestAnEngineThatHangsDuringAKillIsSaidToMaybeHaveLeftTheContainerRunning(t *testing.T) {
	fake := newFakeEngine()
	r := newFakeRuntime(t, fake)
	c := fakePlan
	c.Timeout, c.StopTimeout = 30*time.Millisecond, 20*time.Millisecond
	fake.before["kill SIGTERM"], fake.before["kill SIGKILL"] = hang, hang
	fake.before["remove"] = hang
	within(t, time.Second, func() {
		result, err := r.run(t.Context(), c, IO{})
		var unkilled *UnkilledError
		if !errors.As(err, &unkilled) || unkilled.Container != result.Container {
			t.Errorf("error %v", err)
		}
		if !errors.As(err, new(*TimeoutError)) {
			t.Errorf("the reason for the end is lost: %v", err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	var left *LeftoverError
	if err := r.Close(ctx); !errors.As(err, &left) || len(left.Containers) != 1 {
		t.Errorf("Close: %v", err)
	}
}

func TestACancelDuringTheStartKillsWhatHasStarted(t *testing.T) {
	fake := newFakeEngine()
	r := newFakeRuntime(t, fake)
	ctx, cancel := context.WithCancel(t.Context())
	fake.before["start"] = func(uncut context.Context) error {
		cancel()
		time.Sleep(50 * time.Millisecond)
		return uncut.Err()
	}
	result, err := r.run(ctx, fakePlan, IO{})
	if !errors.As(err, new(*CancelledError)) || result.ExitCode != 137 {
		t.Errorf("%s, %v", brief(result), err)
	}
	closeAndCheck(t, r, fake)
}

func TestAnEngineThatWasReplacedByAnotherVersionIsNegotiatedWithAnew(t *testing.T) {
	fake := newFakeEngine()
	fake.exits = true
	r := newFakeRuntime(t, fake)
	connected := 0
	r.engine.connect = func(context.Context) (dockerAPI, error) { connected++; return fake, nil }
	fake.before["create"] = func(context.Context) error {
		if connected > 1 {
			return nil
		}
		return fmt.Errorf("client version 1.41 is too old. Minimum supported API version is 1.44: %w", cerrdefs.ErrInvalidArgument)
	}
	if _, err := r.run(t.Context(), fakePlan, IO{}); err != nil || connected != 2 {
		t.Errorf("connected %d times: %v", connected, err)
	}
	closeAndCheck(t, r, fake)
}

func TestAPlanThatNoPolicyMadeIsRefused(t *testing.T) {
	fake := newFakeEngine()
	r := newFakeRuntime(t, fake)
	if _, err := r.Run(t.Context(), policy.Plan{}, IO{}); !errors.Is(err, ErrNotApproved) {
		t.Errorf("Run: %v", err)
	}
	if err := r.EnsureImage(t.Context(), policy.Plan{}, ImageOptions{}); !errors.Is(err, ErrNotApproved) {
		t.Errorf("EnsureImage: %v", err)
	}
	if len(fake.calls) != 0 {
		t.Errorf("requests %v", fake.calls)
	}
}

func TestALiveWriterThatBlocksHoldsACallNoLongerThanItsContext(t *testing.T) {
	fake := newFakeEngine()
	fake.exits = true
	r := newFakeRuntime(t, fake)
	live := blockingWriter{make(chan struct{})}
	defer close(live.release)
	c := fakePlan
	c.Timeout = 100 * time.Millisecond
	within(t, time.Second, func() {
		result, err := r.run(t.Context(), c, IO{Stdout: live})
		if err != nil || string(result.Stdout.Data) != "out" || !result.Incomplete {
			t.Errorf("%s, %v", brief(result), err)
		}
	})
	closeAndCheck(t, r, fake)
}
