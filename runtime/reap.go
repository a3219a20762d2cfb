package runtime

import (
	"context"
	"slices"
	"sync"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
)

// A skillet that is killed, or whose host loses its power, leaves its running containers behind: nobody is there to kill
// and remove them. The next skillet on the engine does, whichever it is. It touches only what provably has no owner any
// more: the process that made it is gone from this very host, or the container has outlived the time that its call had.
// A container of a living owner is never touched, nor one about whose owner nothing can be known and whose time is not up.

// Reap removes the containers that dead skillets have left on the engine, and returns their ids. Its error is an
// [EngineError] or a [CancelledError].
func (r *Runtime) Reap(ctx context.Context) ([]string, error) {
	const doing = "looking for containers that were left behind"
	api, err := r.engine.session(ctx)
	if err != nil {
		return nil, r.failed(ctx, nil, err, doing)
	}
	bounded, cancel := context.WithTimeout(ctx, r.limits.request)
	defer cancel()
	all, err := api.ContainerList(bounded, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", labelInstance))})
	if err != nil {
		return nil, r.failed(ctx, api, err, doing)
	}
	if len(all) == 0 {
		return nil, nil
	}
	info, err := api.Info(bounded)
	if err != nil {
		return nil, r.failed(ctx, api, err, doing)
	}
	now, err := time.Parse(time.RFC3339Nano, info.SystemTime)
	if err != nil {
		return nil, r.failed(ctx, api, err, doing)
	}
	return r.reapAll(ctx, slices.DeleteFunc(all, func(c container.Summary) bool { return !r.orphan(c, now) })), nil
}

// reapAll reaps orphans, all at a time, and returns the ids of those that are gone. What cannot be removed is somebody else's
// still: it is tried again the next time, and no reason for this process not to end well.
func (r *Runtime) reapAll(ctx context.Context, orphans []container.Summary) (reaped []string) {
	gone := make(chan string, len(orphans))
	var reaping sync.WaitGroup
	for _, one := range orphans {
		reaping.Go(func() {
			about := []any{"container", one.ID, "skill", one.Labels[labelSkill], "instance", one.Labels[labelInstance]}
			if err := r.reap(ctx, one); err != nil {
				r.log.Debug("a container that was left behind could not be removed", append(about, "error", err)...)
				return
			}
			r.log.Debug("removed a container that was left behind", about...)
			gone <- one.ID
		})
	}
	reaping.Wait()
	close(gone)
	for id := range gone {
		reaped = append(reaped, id)
	}
	return reaped
}

// orphan tells whether a container is to be reaped. One that is to stay is only stopped.
func (r *Runtime) orphan(c container.Summary, now time.Time) bool {
	if c.Labels[labelKeep] == "true" && c.State != container.StateRunning {
		return false
	}
	if c.State == container.StateRemoving { // the engine is at it, or lists what is not there any more
		return false
	}
	switch r.owner.judge(c.Labels) {
	case living:
		return false
	case dead:
		return true
	default:
		return expired(c.Labels, now.Sub(time.Unix(c.Created, 0)))
	}
}

// reap removes one orphan. One that ends by itself is killed and left to the engine, see [removals.expect]; one that is to stay is
// only killed.
func (r *Runtime) reap(ctx context.Context, c container.Summary) error {
	keep, supervised := c.Labels[labelKeep] == "true", c.Labels[labelSupervised] == "true" && c.State != container.StateCreated
	if keep || supervised {
		bounded, cancel := context.WithTimeout(ctx, r.limits.vanish)
		defer cancel()
		api, err := r.engine.session(bounded)
		if err == nil {
			err = api.ContainerKill(bounded, c.ID, "SIGKILL")
		}
		if keep {
			return err
		}
		if err == nil || cerrdefs.IsConflict(err) { // the latter where it has just ended
			err = awaitRemoval(bounded, api, c.ID)
		}
		if err == nil || cerrdefs.IsNotFound(err) {
			return nil
		}
	}
	_, err := r.removals.attempt(ctx, c.ID)
	return err
}

// ReapEvery reaps now and then until ctx ends: a container of another host's skillet is known to be left behind only when
// its time is up.
func (r *Runtime) ReapEvery(ctx context.Context, interval time.Duration) {
	for {
		reaped, err := r.Reap(ctx)
		if err != nil {
			r.log.Debug("not reaped", "error", err) // calls report an engine that does not answer
		}
		if len(reaped) > 0 {
			r.log.Info("removed containers that killed skillets had left behind", "containers", reaped)
		}
		select {
		case <-time.After(interval):
		case <-ctx.Done():
			return
		}
	}
}
