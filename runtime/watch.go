package runtime

import (
	"context"
	"sync"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
)

// watch follows what the engine says of its images, until ctx ends. While it does, what an image's name stands for need not be
// asked for with every call.
func (r *Runtime) watch(ctx context.Context) {
	for {
		r.watchOnce(ctx)
		r.resolved.watch(false)
		select {
		case <-time.After(r.limits.retry):
		case <-ctx.Done():
			return
		}
	}
}

// watchOnce follows one connection to its end.
func (r *Runtime) watchOnce(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	api, err := r.engine.session(ctx)
	if err != nil {
		return
	}
	// It returns when the engine has answered: all changes from then on come.
	messages, errs := api.Events(ctx, events.ListOptions{Filters: filters.NewArgs(filters.Arg("type", string(events.ImageEventType)))})
	select {
	case <-errs:
		return
	default:
	}
	r.resolved.watch(true)
	// What waits is looked at beside this: the next change must not wait until that is done.
	changed := make(chan struct{}, 1)
	var refreshing sync.WaitGroup
	refreshing.Go(func() {
		for range changed {
			r.pool.refresh(ctx, api)
		}
	})
	defer refreshing.Wait()
	defer cancel()
	defer close(changed)
	for {
		select {
		case <-messages:
			r.resolved.forget()
			select {
			case changed <- struct{}{}:
			default:
			}
		case <-errs:
			return
		}
	}
}
