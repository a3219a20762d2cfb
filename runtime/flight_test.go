package runtime

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestWorkThatManyWaitForIsDoneOnceAndTellsAllOfThem(t *testing.T) {
	var f flights
	var works atomic.Int32
	var joined sync.WaitGroup
	joined.Add(5)
	failed := errors.New("failed")
	work := func(_ context.Context, line func(string)) error {
		works.Add(1)
		joined.Wait()
		time.Sleep(50 * time.Millisecond) // the last may have said so and not have joined
		line("step")
		return failed
	}
	var waiters sync.WaitGroup
	for range 5 {
		waiters.Go(func() {
			var progress bytes.Buffer
			joined.Done()
			err := f.do(context.Background(), flightKey{image: "a"}, &progress, work)
			if !errors.Is(err, failed) || progress.String() != "step\n" {
				t.Errorf("%v, progress %q", err, progress.String())
			}
		})
	}
	waiters.Wait()
	if works.Load() != 1 || len(f.going) != 0 {
		t.Errorf("worked %d times, %d still going", works.Load(), len(f.going))
	}
}

func TestWorkGoesOnWhileSomebodyWaitsAndEndsWhenNobodyDoes(t *testing.T) {
	var f flights
	begun, ended := make(chan struct{}), make(chan struct{})
	work := func(ctx context.Context, _ func(string)) error {
		close(begun)
		<-ctx.Done()
		close(ended)
		return ctx.Err()
	}
	var waiters sync.WaitGroup
	first, cancelFirst := context.WithCancel(t.Context())
	second, cancelSecond := context.WithCancel(t.Context())
	for _, ctx := range []context.Context{first, second} {
		waiters.Go(func() {
			if err := f.do(ctx, flightKey{image: "a"}, nil, work); !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
		})
		<-begun // the second joins what the first has begun
	}
	time.Sleep(20 * time.Millisecond)
	cancelFirst()
	select {
	case <-ended:
		t.Error("the work has ended while somebody waited")
	case <-time.After(50 * time.Millisecond):
	}
	cancelSecond()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("the work goes on for nobody")
	}
	waiters.Wait()
}

func TestWhoComesAfterAnAbandonedWorkBeginsItAnew(t *testing.T) {
	var f flights
	stuck := make(chan struct{})
	defer close(stuck)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_ = f.do(ctx, flightKey{image: "a"}, nil, func(context.Context, func(string)) error { <-stuck; return nil })
	done := false
	if err := f.do(t.Context(), flightKey{image: "a"}, nil, func(context.Context, func(string)) error { done = true; return nil }); err != nil || !done {
		t.Errorf("done %v, %v", done, err)
	}
}

func TestDifferentImagesAreDifferentWork(t *testing.T) {
	var f flights
	for _, key := range []flightKey{{image: "b"}, {image: "a", platform: "linux/arm64"}, {image: "a", build: "/dir"}, {image: "a", force: true}} {
		err := f.do(t.Context(), flightKey{image: "a"}, nil, func(context.Context, func(string)) error {
			return f.do(t.Context(), key, nil, func(context.Context, func(string)) error { return nil })
		})
		if err != nil {
			t.Errorf("%+v: %v", key, err)
		}
	}
}

func TestAProgressWriterThatBlocksHoldsUpNobodyElse(t *testing.T) {
	var f flights
	live := blockingWriter{make(chan struct{})}
	defer close(live.release)
	both, blocked := make(chan struct{}), make(chan struct{})
	work := func(_ context.Context, line func(string)) error {
		<-both
		for range 2 * waiterLines {
			line("step")
		}
		return nil
	}
	go func() {
		_ = f.do(context.Background(), flightKey{image: "a"}, live, work)
		close(blocked)
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	time.AfterFunc(20*time.Millisecond, func() { close(both) })
	if err := f.do(ctx, flightKey{image: "a"}, nil, work); err != nil {
		t.Error(err)
	}
	select {
	case <-blocked:
		t.Error("the writer did not block")
	default:
	}
}
