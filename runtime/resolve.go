package runtime

import (
	"context"
	"errors"
	"sync"

	"skillet/policy"

	cerrdefs "github.com/containerd/errdefs"
)

// resolved remembers what the names of images stand for, for as long as somebody watches the engine for changes: see
// [Runtime.watch]. Without that, the engine is asked each time.
type resolved struct {
	limits limits

	mu      sync.Mutex
	watched bool
	epoch   int // how often what is known was thrown away
	known   map[imageName]imageFacts
}

type imageName struct{ reference, platform string }

// image tells what a plan's image is. Its error is errNoImage when there is none, or none for the plan's platform.
func (r *resolved) image(ctx context.Context, api dockerAPI, c policy.Container) (imageFacts, error) {
	name := imageName{c.Image, c.Platform}
	r.mu.Lock()
	facts, ok := r.known[name]
	epoch := r.epoch
	r.mu.Unlock()
	if ok {
		return facts, nil
	}
	facts, err := r.inspect(ctx, api, c)
	if err != nil {
		return facts, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.watched && epoch == r.epoch {
		r.known[name] = facts
	}
	return facts, nil
}

func (r *resolved) inspect(ctx context.Context, api dockerAPI, c policy.Container) (imageFacts, error) {
	ctx, cancel := context.WithTimeout(ctx, r.limits.request)
	defer cancel()
	found, err := api.ImageInspect(ctx, c.Image)
	switch {
	case cerrdefs.IsNotFound(err):
		return imageFacts{}, errNoImage
	case err != nil:
		return imageFacts{}, err
	case !onPlatform(found, c.Platform):
		return imageFacts{}, errNoImage
	}
	facts := imageFacts{id: found.ID}
	if found.Config != nil {
		facts.entrypoint, facts.cmd, facts.env = found.Config.Entrypoint, found.Config.Cmd, found.Config.Env
	}
	return facts, nil
}

// forget throws away what is known. watched tells whether changes from now on will be heard of.
func (r *resolved) forget(watched bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watched, r.known = watched, map[imageName]imageFacts{}
	r.epoch++
}

// renew throws away what is known, since this process has changed it: the engine's own word of that may come later than the
// next call.
func (r *resolved) renew() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known = map[imageName]imageFacts{}
	r.epoch++
}

// imageError is the error of a look at the image.
func (v *vessel) imageError(ctx context.Context, err error, doing string) error {
	if errors.Is(err, errNoImage) {
		return errNoImage
	}
	return v.explain(ctx, err, doing)
}
