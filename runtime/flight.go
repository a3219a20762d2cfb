package runtime

import (
	"context"
	"io"
	"sync"
)

// flights make sure that work which many calls wait for is done once at a time, as golang.org/x/sync/singleflight does.
// Different from there, work goes on as long as somebody waits for it, whoever began it, and ends when nobody does; and
// its progress goes to all who wait.
type flights struct {
	mu    sync.Mutex
	going map[flightKey]*flight
}

// flightKey tells works apart.
type flightKey struct {
	image, platform, build string
	force                  bool
}

type flight struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error // to be read after done

	mu      sync.Mutex
	waiting map[*waiter]bool
}

// waiter is one who waits, and where it wants the progress to go, nil for nowhere.
type waiter struct{ progress io.Writer }

// do waits for the work of this key, beginning it if it is not going on. It returns ctx's error when ctx ends first, and
// writes to progress no more after it has returned.
func (f *flights) do(ctx context.Context, key flightKey, progress io.Writer, work func(context.Context, func(line string)) error) error {
	me := &waiter{progress: progress}
	f.mu.Lock()
	going, ok := f.going[key]
	if !ok {
		background, cancel := context.WithCancel(context.WithoutCancel(ctx))
		going = &flight{cancel: cancel, done: make(chan struct{}), waiting: map[*waiter]bool{}}
		if f.going == nil {
			f.going = map[flightKey]*flight{}
		}
		f.going[key] = going
		go func() {
			defer cancel()
			going.err = work(background, going.tell)
			f.end(key, going)
			close(going.done)
		}()
	}
	going.join(me)
	f.mu.Unlock()
	defer f.leave(key, going, me)
	select {
	case <-going.done:
		return going.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *flight) join(w *waiter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting[w] = true
}

// tell passes a line of progress on. It keeps the lock while it writes, so that nobody is written to who has left.
func (g *flight) tell(line string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for w := range g.waiting {
		if w.progress != nil {
			_, _ = io.WriteString(w.progress, line+"\n") // progress is a courtesy
		}
	}
}

// leave ends the work when the last one leaves, and lets later callers begin it anew rather than join what is dying.
func (f *flights) leave(key flightKey, g *flight, w *waiter) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.waiting, w)
	if len(g.waiting) == 0 {
		g.cancel()
		f.forget(key, g)
	}
}

func (f *flights) end(key flightKey, g *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forget(key, g)
}

// forget is called with f.mu held.
func (f *flights) forget(key flightKey, g *flight) {
	if f.going[key] == g {
		delete(f.going, key)
	}
}
