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

// waiter is one who waits. Its lines of progress are written by itself, so that a writer that blocks holds up nobody else;
// lines that find no room are lost.
type waiter struct{ lines chan string }

// waiterLines is the room for lines that were not written yet.
const waiterLines = 1024

// do waits for the work of this key, beginning it if it is not going on. It returns ctx's error when ctx ends first, and
// writes to progress no more after it has returned.
func (f *flights) do(ctx context.Context, key flightKey, progress io.Writer, work func(context.Context, func(line string)) error) error {
	me := &waiter{lines: make(chan string, waiterLines)}
	going := f.join(ctx, key, me, work)
	defer f.leave(key, going, me)
	for {
		select {
		case line := <-me.lines:
			write(progress, line)
		case <-going.done:
			for len(me.lines) > 0 {
				write(progress, <-me.lines)
			}
			return going.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// write writes a line of progress, which is a courtesy: a failure changes nothing.
func write(progress io.Writer, line string) {
	if progress != nil {
		_, _ = io.WriteString(progress, line+"\n")
	}
}

// join adds one who waits to the work of a key, and begins the work if it is not going on.
func (f *flights) join(ctx context.Context, key flightKey, w *waiter, work func(context.Context, func(line string)) error) *flight {
	f.mu.Lock()
	defer f.mu.Unlock()
	if g, ok := f.going[key]; ok {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.waiting[w] = true
		return g
	}
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	g := &flight{cancel: cancel, done: make(chan struct{}), waiting: map[*waiter]bool{w: true}}
	if f.going == nil {
		f.going = map[flightKey]*flight{}
	}
	f.going[key] = g
	go func() {
		defer cancel()
		g.err = work(background, g.tell)
		f.end(key, g)
		close(g.done)
	}()
	return g
}

// tell passes a line of progress to all who wait.
func (g *flight) tell(line string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for w := range g.waiting {
		select {
		case w.lines <- line:
		default:
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
