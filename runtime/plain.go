package runtime

import (
	"context"
	"errors"
)

// plain makes the call in a container whose first process is the program itself. Its error is errNoImage when there is no image.
func (x *execution) plain(ctx context.Context) error {
	if err := x.create(ctx); err != nil {
		if errors.Is(err, errNoImage) {
			return err
		}
		return x.explain(ctx, err, "creating the container")
	}
	keep := false
	defer func() {
		if !keep {
			x.removals.remove(x.request.Name, x.id)
		}
	}()
	conn, err := x.attach(ctx)
	if err != nil {
		return x.explain(ctx, err, "attaching to the container")
	}
	streams := newStreams(conn, x.stdout, x.stderr)
	defer streams.close()
	// Before the start: a program can end before a later question is asked.
	unsubscribe, err := x.subscribe(ctx)
	defer unsubscribe()
	if err != nil {
		return x.explain(ctx, err, "waiting for the container")
	}
	if ctx.Err() != nil {
		return x.interrupted(ctx, doingStart)
	}
	err = x.start(ctx)
	if err != nil && !unanswered(err) {
		return x.explain(ctx, err, doingStart)
	}
	keep = x.spec.Keep
	if err != nil {
		return x.finish(ctx, streams, x.stop(ctx), x.explain(ctx, err, doingStart))
	}
	if x.spec.Stdin != nil {
		streams.feed(x.spec.Stdin)
	}
	return x.await(ctx, streams)
}

const (
	doingStart = "starting the program"
	doingRun   = "running the program"
)

// await waits for the end of the program, or brings it about.
func (x *execution) await(ctx context.Context, streams *streams) error {
	select {
	case end := <-x.exited:
		if end.err == nil {
			return x.finish(ctx, streams, end, nil)
		}
		// How the program fares is not known any more, and an engine that comes back may still have it.
		x.engine.forget(x.api)
		lost := &EngineError{Address: x.engine.address, Doing: doingRun, Started: true, Err: end.err}
		return x.finish(ctx, streams, x.discard(ctx), lost)
	case <-ctx.Done():
		return x.finish(ctx, streams, x.stop(ctx), x.interrupted(ctx, doingRun))
	}
}

// finish gathers the result after the program's end. failure is why the call has failed, nil if it has not.
func (x *execution) finish(ctx context.Context, streams *streams, end exit, failure error) error {
	if end.err != nil {
		return &UnkilledError{Container: x.request.Name, Err: failure, KillErr: end.err}
	}
	x.result.ExitCode, x.result.Signal = end.code, signalName(end.code)
	if err := streams.drain(ctx, x.limits.drain); err != nil {
		x.result.Incomplete = true
		x.log.Warn("the end of a program's output is missing", "skill", x.spec.Skill, "container", x.request.Name, "error", err)
	}
	if end.code != 0 && failure == nil {
		x.result.OOMKilled = x.outOfMemory(ctx)
	}
	return failure
}

// stop ends the program, and returns when it has ended.
func (x *execution) stop(ctx context.Context) exit {
	ctx = context.WithoutCancel(ctx)
	if x.spec.StopTimeout > 0 {
		if end, ended := x.signal(ctx, "SIGTERM", x.spec.StopTimeout); ended {
			return end
		}
	}
	return x.kill(ctx)
}

// outOfMemory asks why a program has failed.
func (x *execution) outOfMemory(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), x.limits.request)
	defer cancel()
	state, err := x.api.ContainerInspect(ctx, x.id)
	if err != nil || state.ContainerJSONBase == nil || state.State == nil {
		x.log.Warn("the engine does not tell whether a program was out of memory", "skill", x.spec.Skill, "container", x.request.Name, "error", err)
		return false
	}
	return state.State.OOMKilled
}
