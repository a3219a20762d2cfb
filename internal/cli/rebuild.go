package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"

	"skillet/mcpserver"
	"skillet/policy"
	"skillet/runtime"
)

// imageRunner is what a [runtime.Runtime] does for rebuilds.
type imageRunner interface {
	mcpserver.Runner
	EnsureImage(ctx context.Context, plan policy.Plan, options runtime.ImageOptions) error
}

// rebuilds builds images anew whose Dockerfile has changed. It begins at once, in the background, and a call of such an image
// waits for it, so that whoever changes a Dockerfile and calls the tool gets what the new one says. The engine gives the
// image's name to the new one when that is complete: when the build fails, calls go on with the old one, and the log says why.
type rebuilds struct {
	engine imageRunner
	log    *slog.Logger
	ctx    context.Context // of the builds
	cancel context.CancelFunc
	going  sync.WaitGroup

	mu    sync.Mutex
	known map[imageKey]source      // what each image is built from
	stale map[imageKey]*rebuild    // that are being built anew, or could not be for want of an engine
	first map[imageKey]*firstBuild // of images that were not there
}

// imageKey is what images are told apart by.
type imageKey struct{ image, platform string }

func keyOf(plan policy.Plan) imageKey {
	c := plan.Container()
	return imageKey{c.Image, c.Platform}
}

// source is what an image is built from.
type source struct {
	dir        string
	dockerfile []byte
}

func (s source) same(other source) bool {
	return s.dir == other.dir && bytes.Equal(s.dockerfile, other.dockerfile)
}

func newRebuilds(engine imageRunner, log *slog.Logger) *rebuilds {
	r := &rebuilds{engine: engine, log: log, known: map[imageKey]source{}, stale: map[imageKey]*rebuild{},
		first: map[imageKey]*firstBuild{}}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// stop ends the builds and waits for that.
func (r *rebuilds) stop() {
	r.mu.Lock() // whoever begins a build has either done so, or sees that this is over
	r.cancel()
	r.mu.Unlock()
	r.going.Wait()
}

// look begins to build what is not built from what stands there now, and returns the Dockerfiles of these plans. One that
// cannot be read, for a moment or for good, changes nothing.
func (r *rebuilds) look(plans []policy.Plan) (dockerfiles []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := map[imageKey]bool{}
	for _, plan := range plans {
		c, key := plan.Container(), keyOf(plan)
		if c.Build == "" || seen[key] {
			continue
		}
		seen[key] = true
		file := filepath.Join(c.Build, "Dockerfile")
		dockerfiles = append(dockerfiles, file)
		text := readText(file)
		if text.err != nil {
			continue
		}
		now := source{c.Build, text.data}
		before, known := r.known[key]
		r.known[key] = now
		if known && !before.same(now) {
			r.begin(key, plan)
		}
	}
	return dockerfiles
}

// rebuild is one image that is built anew.
type rebuild struct {
	plan   policy.Plan
	again  bool          // it has changed once more meanwhile
	halted bool          // there was no engine to build it
	done   chan struct{} // closed when it is built, or cannot be

	mu      sync.Mutex
	waiting map[chan string]bool // for lines of progress
}

// begin builds an image anew. r.mu is held.
func (r *rebuilds) begin(key imageKey, plan policy.Plan) {
	if b := r.stale[key]; b != nil && !b.halted {
		b.plan, b.again = plan, true
		return
	}
	b := &rebuild{plan: plan, done: make(chan struct{}), waiting: map[chan string]bool{}}
	r.stale[key] = b
	r.log.Info("building anew: its Dockerfile has changed", "image", key.image)
	r.going.Go(func() { r.build(key, b) })
}

// build builds until the image is built from what stands there.
func (r *rebuilds) build(key imageKey, b *rebuild) {
	defer close(b.done)
	for {
		r.mu.Lock()
		plan, first := b.plan, r.first[key]
		r.mu.Unlock()
		first.wait(r.ctx)
		err := r.engine.EnsureImage(r.ctx, plan, runtime.ImageOptions{Force: true, Progress: b})
		r.mu.Lock()
		if !b.again || r.ctx.Err() != nil {
			r.ended(key, b, err)
			r.mu.Unlock()
			return
		}
		b.again = false
		r.mu.Unlock()
	}
}

// ended notes how a build has ended. Without an engine, the next call begins it anew. r.mu is held.
func (r *rebuilds) ended(key imageKey, b *rebuild, err error) {
	if errors.As(err, new(*runtime.EngineError)) {
		b.halted = true
	} else {
		delete(r.stale, key)
	}
	if err != nil && r.ctx.Err() == nil {
		r.log.Error("not built anew: the image stays as it was", "image", key.image, "error", err)
	}
}

// Run waits for a build of the call's image, if there is one, and runs the call.
func (r *rebuilds) Run(ctx context.Context, plan policy.Plan, live runtime.IO) (runtime.Result, error) {
	return r.run(ctx, plan, live, r.engine.Run)
}

// run is Run for a call that is made in another way.
func (r *rebuilds) run(ctx context.Context, plan policy.Plan, live runtime.IO, run runFunc) (runtime.Result, error) {
	if plan.Container().Build == "" {
		return run(ctx, plan, live)
	}
	if b := r.find(plan); b != nil {
		b.wait(ctx, live.Progress)
		if live.ImageReady != nil {
			live.ImageReady()
		}
	}
	getting := &getting{rebuilds: r, key: keyOf(plan), live: live}
	defer getting.over()
	live.Progress, live.ImageReady = getting, getting.ready
	return run(ctx, plan, live)
}

type runFunc func(context.Context, policy.Plan, runtime.IO) (runtime.Result, error)

func (r *rebuilds) find(plan policy.Plan) *rebuild {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.stale) == 0 {
		return nil
	}
	key := keyOf(plan)
	b := r.stale[key]
	if b == nil || r.ctx.Err() != nil {
		return nil
	}
	if b.halted {
		r.begin(key, b.plan)
	}
	return r.stale[key]
}

// wait returns when the image is built, or cannot be, or ctx ends. Lines of progress go to a writer, nil for none.
func (b *rebuild) wait(ctx context.Context, progress io.Writer) {
	lines := make(chan string, 64) // what finds no room is lost: nobody holds up the others
	b.mu.Lock()
	b.waiting[lines] = true
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.waiting, lines)
	}()
	for {
		select {
		case line := <-lines:
			if progress != nil {
				_, _ = io.WriteString(progress, line+"\n") // a courtesy
			}
		case <-b.done:
			return
		case <-ctx.Done():
			return
		}
	}
}

// Write passes lines of progress on to all who wait.
func (b *rebuild) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for line := range strings.Lines(string(p)) {
		for lines := range b.waiting {
			select {
			case lines <- strings.TrimRight(line, "\n"):
			default:
			}
		}
	}
	return len(p), nil
}
