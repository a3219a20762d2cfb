package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	cerrdefs "github.com/containerd/errdefs"
)

func TestARemovalIsRetried(t *testing.T) {
	fake := newFakeEngine()
	fake.exits = true
	var failures atomic.Int32
	fake.before["remove"] = func(context.Context) error {
		if failures.Add(1) <= 3 {
			return fmt.Errorf("busy: %w", cerrdefs.ErrConflict)
		}
		return nil
	}
	r := newFakeRuntime(t, fake)
	if _, err := r.run(t.Context(), fakePlan, IO{}); err != nil {
		t.Fatal(err)
	}
	for len(fake.names()) > 0 {
		time.Sleep(time.Millisecond)
	}
	closeAndCheck(t, r, fake)
}

func TestARemovalThatWasGivenUpIsTriedAgainAtTheEndAndThenReported(t *testing.T) {
	fake := newFakeEngine()
	fake.exits = true
	fake.before["remove"] = func(context.Context) error { return errors.New("device or resource busy") }
	r := newFakeRuntime(t, fake)
	r.limits.retry = time.Microsecond
	r.removals.limits.retry = time.Microsecond
	result, err := r.run(t.Context(), fakePlan, IO{})
	if err != nil {
		t.Fatal(err)
	}
	for fake.called("remove") < removeAttempts {
		time.Sleep(time.Millisecond)
	}
	var left *LeftoverError
	if err := r.Close(t.Context()); !errors.As(err, &left) || !slices.Equal(left.Containers, []string{result.Container}) {
		t.Fatalf("Close: %v", err)
	}
	if text := left.Error(); !strings.Contains(text, "docker rm -f -v "+result.Container) || !strings.Contains(text, "busy") {
		t.Errorf("error %q", text)
	}
	fake.mu.Lock()
	delete(fake.before, "remove")
	fake.mu.Unlock()
	closeAndCheck(t, r, fake)
}

func TestAKeptContainerIsNotRemoved(t *testing.T) {
	fake := newFakeEngine()
	fake.exits = true
	r := newFakeRuntime(t, fake)
	c := fakePlan
	c.Keep = true
	result, err := r.run(t.Context(), c, IO{})
	if err != nil || r.Close(t.Context()) != nil || !slices.Equal(fake.names(), []string{result.Container}) {
		t.Errorf("%s, %v, %v", brief(result), err, fake.names())
	}
}

func TestACallAfterCloseIsRefused(t *testing.T) {
	fake := newFakeEngine()
	r := newFakeRuntime(t, fake)
	closeAndCheck(t, r, fake)
	if _, err := r.run(t.Context(), fakePlan, IO{}); !errors.Is(err, ErrClosed) {
		t.Errorf("error %v", err)
	}
	if len(fake.calls) != 0 {
		t.Errorf("requests %v", fake.calls)
	}
}

func TestCloseWaitsForTheCallsThatRun(t *testing.T) {
	fake := newFakeEngine()
	r := newFakeRuntime(t, fake)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { _, _ = r.run(ctx, fakePlan, IO{}) }()
	for fake.called("start") == 0 {
		time.Sleep(time.Millisecond)
	}
	time.AfterFunc(50*time.Millisecond, cancel)
	closeAndCheck(t, r, fake)
	if fake.called("remove") == 0 {
		t.Errorf("requests %v", fake.calls)
	}
}

func TestALostAnswerToACreationLeavesNoContainer(t *testing.T) {
	fake := newFakeEngine()
	fake.after["create"] = errBroken
	r := newFakeRuntime(t, fake)
	_, err := r.run(t.Context(), fakePlan, IO{})
	var engine *EngineError
	if !errors.As(err, &engine) || engine.Started {
		t.Errorf("error %v", err)
	}
	closeAndCheck(t, r, fake)
}

func TestAContainerThatTheEngineMakesAfterItsAnswerWasLostIsRemoved(t *testing.T) {
	fake := newFakeEngine()
	r := newFakeRuntime(t, fake)
	var removals atomic.Int32
	fake.before["create"] = func(context.Context) error { return errBroken }
	fake.before["remove"] = func(context.Context) error { removals.Add(1); return nil }
	result, err := r.run(t.Context(), fakePlan, IO{})
	if err == nil {
		t.Fatal("no error")
	}
	for removals.Load() == 0 { // an early removal finds nothing
		time.Sleep(time.Millisecond)
	}
	fake.mu.Lock()
	delete(fake.before, "create")
	fake.mu.Unlock()
	if _, err := fake.ContainerCreate(t.Context(), nil, nil, nil, nil, result.Container); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond) // the retries, of 10, 20, 40 and 80 ms
	closeAndCheck(t, r, fake)
}
