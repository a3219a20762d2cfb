package runtime

import (
	"context"
	"errors"
	"testing"
	"time"

	"skillet/runtime/supervisor/wire"

	cerrdefs "github.com/containerd/errdefs"
)

// The ends that a session can come to.

func TestACallThatIsCutShortEndsItsSession(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	api := newSDKClient(t)
	for name, stopTimeout := range map[string]time.Duration{"killed": 0, "asked first": 2 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := kept(`sleep 300 & echo begun; sleep 300`)
			c.StopTimeout = stopTimeout
			s := openSession(t, r, c)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			result, err := s.run(ctx, c, IO{Stdout: writerFunc(func([]byte) { cancel() })})
			if !errors.As(err, new(*CancelledError)) || string(result.Stdout.Data) != "begun\n" {
				t.Errorf("%v, %s", err, brief(result))
			}
			s.wasGone(t, time.Second, "cancelled")
			waitUntil(t, "the container's end", func() bool {
				_, err := api.ContainerInspect(t.Context(), result.Container)
				return cerrdefs.IsNotFound(err)
			})
		})
	}
	c := kept(`trap '' TERM; sleep 300 & sleep 300`)
	c.Timeout = time.Second
	s := openSession(t, r, c)
	quick := c
	quick.Command = []string{"echo on"}
	if got := s.says(t, quick); got != "on" {
		t.Fatal(got)
	}
	time.Sleep(1200 * time.Millisecond) // the time between calls is not theirs
	if got := s.says(t, quick); got != "on" {
		t.Fatal(got)
	}
	if _, err := s.run(t.Context(), c, IO{}); !errors.As(err, new(*TimeoutError)) {
		t.Errorf("%v", err)
	}
	s.wasGone(t, time.Second, "time limit")
}

func TestASessionThatNobodyUsesEnds(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	c := kept(`sleep 300 & echo on`)
	c.SessionIdle = time.Second
	s := openSession(t, r, c)
	for range 3 { // each call begins the time anew
		if got := s.says(t, c); got != "on" {
			t.Fatal(got)
		}
		time.Sleep(600 * time.Millisecond)
	}
	s.wasGone(t, 5*time.Second, "it had no call for 1s")
}

func TestASessionEndsWhenItIsOld(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	r.limits.session = 2 * time.Second
	s := openSession(t, r, kept(""))
	begun := time.Now()
	for time.Since(begun) < 1500*time.Millisecond {
		if got := s.says(t, kept("echo on")); got != "on" {
			t.Fatal(got)
		}
	}
	s.wasGone(t, 3*time.Second, "it was open for 2s")
}

// A skillet that is frozen does nothing: its containers obey by themselves.
func TestAContainerObeysItsSessionsIdleTimeByItself(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	api := newSDKClient(t)
	c := kept(`sleep 300 & echo on`)
	h, err := r.newVessel(c, request{}).harness(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	one, err := r.launch(t.Context(), c, *h)
	if err != nil {
		t.Fatal(err)
	}
	defer one.leave()
	order, err := newOrder(c, h.image)
	if err != nil {
		t.Fatal(err)
	}
	order.Stay = time.Second
	one.order(order, &task{newCapture(1<<10, nil), newCapture(1<<10, nil)}, true)
	<-one.finished
	<-one.next.ready
	if one.exit.How != wire.Exited {
		t.Errorf("%+v", one.exit)
	}
	begun := time.Now()
	waitUntil(t, "the container's end", func() bool {
		_, err := api.ContainerInspect(t.Context(), one.id)
		return cerrdefs.IsNotFound(err)
	})
	if took := time.Since(begun); took < 700*time.Millisecond || took > 5*time.Second {
		t.Errorf("it ended after %s", took)
	}
}

func TestASessionsContainerEndsWithItsConnection(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	api := newSDKClient(t)
	s := openSession(t, r, kept(""))
	result, err := s.run(t.Context(), kept("sleep 300 & trap '' TERM; yes >/dev/null & echo on"), IO{})
	if err != nil {
		t.Fatal(err)
	}
	s.current.conn.Close() // as when skillet is killed
	waitUntil(t, "the container's end", func() bool {
		_, err := api.ContainerInspect(t.Context(), result.Container)
		return cerrdefs.IsNotFound(err)
	})
	s.wasGone(t, time.Second, "its container was stopped, killed or removed")
}

func TestASessionWhoseContainerIsKilledSaysSo(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	api := newSDKClient(t)
	for _, signal := range []string{"SIGKILL", "SIGTERM"} {
		s := openSession(t, r, kept(""))
		result, err := s.run(t.Context(), kept("sleep 300 & echo on"), IO{})
		if err != nil {
			t.Fatal(err)
		}
		if err := api.ContainerKill(t.Context(), result.Container, signal); err != nil {
			t.Fatal(err)
		}
		s.wasGone(t, 5*time.Second, "killed or removed by others")
	}
}
