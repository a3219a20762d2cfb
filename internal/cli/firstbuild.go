package cli

import (
	"context"

	"skillet/runtime"
)

// firstBuild is the building of an image that was not there, by the calls that wait for it. Where the Dockerfile changes
// meanwhile, the image is built anew after that: two builds at a time would leave the image's name to the slower one.
type firstBuild struct {
	calls int           // the rebuilds' lock guards it
	over  chan struct{} // closed when no call waits for it any more
}

// wait returns when the build is over, or ctx ends. nil is no build.
func (f *firstBuild) wait(ctx context.Context) {
	if f == nil {
		return
	}
	select {
	case <-f.over:
	case <-ctx.Done():
	}
}

// getting is one call, which has its image built when it is told of that.
type getting struct {
	rebuilds *rebuilds
	key      imageKey
	live     runtime.IO
	is       bool
}

// Write takes lines about the image.
func (g *getting) Write(line []byte) (int, error) {
	if !g.is {
		g.begin()
	}
	if g.live.Progress == nil {
		return len(line), nil
	}
	return g.live.Progress.Write(line)
}

func (g *getting) ready() {
	g.over()
	if g.live.ImageReady != nil {
		g.live.ImageReady()
	}
}

func (g *getting) begin() {
	g.is = true
	r := g.rebuilds
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.first[g.key] == nil {
		r.first[g.key] = &firstBuild{over: make(chan struct{})}
	}
	r.first[g.key].calls++
}

// over may be called when nothing has begun.
func (g *getting) over() {
	if !g.is {
		return
	}
	g.is = false
	r := g.rebuilds
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.first[g.key]
	if f.calls--; f.calls == 0 {
		close(f.over)
		delete(r.first, g.key)
	}
}
