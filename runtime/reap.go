package runtime

import (
	"context"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
)

// A skillet that is killed, or whose host loses its power, leaves its running containers behind: nobody is there to kill
// and remove them. The next skillet on the engine does, whichever it is. It touches only what provably has no owner any
// more: the process that made it is gone from this very host, or the container has outlived the time that its call had.
// A container of a living owner is never touched, nor one about whose owner nothing can be known and whose time is not up.

// Reap removes the containers that dead skillets have left on the engine, and returns their names. Its error is an
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
	var reaped []string
	for _, one := range all {
		if r.orphan(one, now) {
			r.reap(one)
			reaped = append(reaped, one.ID)
		}
	}
	return reaped, nil
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

func (r *Runtime) reap(c container.Summary) {
	r.log.Debug("removing a container that was left behind", "container", c.ID, "skill", c.Labels[labelSkill], "instance", c.Labels[labelInstance])
	if c.Labels[labelKeep] != "true" {
		if r.removals.hold(c.ID) {
			defer r.removals.release(c.ID)
			if c.Labels[labelSupervised] == "true" && c.State != container.StateCreated {
				r.removals.end(c.ID, c.ID)
			} else {
				r.removals.remove(c.ID, c.ID)
			}
		}
		return
	}
	api, err := r.engine.session(context.Background())
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.limits.request)
	defer cancel()
	if err := api.ContainerKill(ctx, c.ID, "SIGKILL"); err != nil {
		r.log.Warn("a container that was left behind could not be killed", "container", c.ID, "error", err)
	}
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
