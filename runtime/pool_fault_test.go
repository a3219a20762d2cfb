package runtime

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"skillet/policy"
	"skillet/runtime/supervisor/wire"
)

// The tests of this file let containers fail while they wait.

// warmFake fills the pool of a fake engine with containers for the fake plan.
func warmFake(t *testing.T, r *Runtime, n int) policy.Container {
	t.Helper()
	c := orderPlan
	c.Warm = n
	r.pool.limits = IdleLimits{Containers: n, Memory: int64(n) * IdleMemory}
	r.pool.keep([]policy.Container{c})
	waitUntil(t, "idle containers", func() bool { return r.pool.idle() == n })
	return c
}

// A container can be frozen while it waits, by `docker pause` or by a machine that has no time for it. It is not known to be so
// until it does not answer.
func TestACallWaitsForOneIdleContainerThatDoesNotAnswerAndNotForMore(t *testing.T) {
	var frozen atomic.Bool
	frozen.Store(true)
	r, fake := newSupervisedEngine(t, func(s *supervisorSide) int64 {
		if frozen.Load() {
			s.say(wire.Ready, nil)
			select {}
		}
		return honest(s)
	})
	r.limits.kill = 10 * time.Second
	c := warmFake(t, r, 4)
	frozen.Store(false)
	within(t, 500*time.Millisecond, func() {
		result, err := r.run(t.Context(), c, IO{})
		if err != nil || result.Warm || string(result.Stdout.Data) != "out" {
			t.Errorf("warm %t, %s, %v", result.Warm, brief(result), err)
		}
	})
	closeAndCheck(t, r, fake)
}

func TestAnIdleContainerThatEndsWithoutAcceptingHandsTheOrderOn(t *testing.T) {
	var made, ran atomic.Int64
	r, fake := newSupervisedEngine(t, func(s *supervisorSide) int64 {
		if made.Add(1) <= 2 {
			s.say(wire.Ready, nil)
			s.hear()
			return 0
		}
		ran.Add(1)
		return honest(s)
	})
	c := warmFake(t, r, 2)
	if result, err := r.run(t.Context(), c, IO{}); err != nil || string(result.Stdout.Data) != "out" {
		t.Errorf("%s, %v", brief(result), err)
	}
	closeAndCheck(t, r, fake)
}

func TestAnIdleContainerThatSpeaksOutOfTurnIsDropped(t *testing.T) {
	var made atomic.Int64
	r, fake := newSupervisedEngine(t, func(s *supervisorSide) int64 {
		if made.Add(1) == 1 {
			s.say(wire.Ready, nil)
			s.say(wire.Output, []byte("forged"))
			select {}
		}
		return honest(s)
	})
	c := orderPlan
	c.Warm = 1
	r.pool.limits = IdleLimits{Containers: 1, Memory: IdleMemory}
	r.pool.keep([]policy.Container{c})
	waitUntil(t, "another container", func() bool { return made.Load() > 1 && r.pool.idle() == 1 })
	if result, err := r.run(t.Context(), c, IO{}); err != nil || string(result.Stdout.Data) != "out" {
		t.Errorf("%s, %v", brief(result), err)
	}
	closeAndCheck(t, r, fake)
}

// An engine that hangs while idle containers are made must not keep a server from ending.
func TestCloseReturnsWithItsContextWhateverThePoolIsAt(t *testing.T) {
	for _, method := range []string{"version", "image inspect", "create", "attach", "start", "events"} {
		t.Run(method, func(t *testing.T) {
			release := make(chan struct{})
			defer close(release)
			r, fake := newSupervisedEngine(t, honest)
			fake.before[method] = func(context.Context) error { <-release; return errBroken }
			c := orderPlan
			c.Warm = 1
			r.pool.limits = IdleLimits{Containers: 1, Memory: IdleMemory}
			r.pool.keep([]policy.Container{c})
			waitUntil(t, "the request", func() bool { return fake.called(method) > 0 })
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			within(t, time.Second, func() { _ = r.Close(ctx) })
		})
	}
}

// A container that waits may be handed to a call at the end of its wait, and has its whole time then: a skillet of another host,
// which knows of it only what its labels say, must not take it for one that was left behind.
func TestTheTimeThatAContainerWaitsIsNoPartOfItsCalls(t *testing.T) {
	r, fake := newSupervisedEngine(t, honest)
	c := warmFake(t, r, 1)
	fake.mu.Lock()
	var labels map[string]string
	for _, one := range fake.containers {
		labels = one.config.Labels
	}
	fake.mu.Unlock()
	other := owner{instance: "other", host: "another host"}
	if got := other.judge(labels); got != unknown {
		t.Fatalf("judged %d", got)
	}
	if expired(labels, maxIdleAge+c.Timeout+closing/2) {
		t.Error("it is reaped in the midst of a call")
	}
	if !expired(labels, maxIdleAge+c.Timeout+2*closing) {
		t.Error("it is never reaped")
	}
	closeAndCheck(t, r, fake)
}
