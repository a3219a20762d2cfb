package runtime

import (
	"context"
	"errors"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
)

// inContainer takes a created container through its life, and has it removed after that.
func (x *execution) inContainer(ctx context.Context) error {
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
		return x.finish(ctx, streams, x.kill(ctx), x.explain(ctx, err, doingStart))
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

// attach connects to the streams of the container. The SDK's request takes no notice of its context once it is connected,
// so it is waited for from outside; a connection that comes too late is closed.
func (x *execution) attach(ctx context.Context) (types.HijackedResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, x.limits.request)
	defer cancel()
	type answer struct {
		conn types.HijackedResponse
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		conn, err := x.api.ContainerAttach(ctx, x.id, container.AttachOptions{
			Stream: true,
			Stdin:  x.spec.Stdin != nil,
			Stdout: true,
			Stderr: true,
		})
		answered <- answer{conn, err}
	}()
	select {
	case a := <-answered:
		return a.conn, a.err
	case <-ctx.Done():
	}
	go func() {
		if late := <-answered; late.err == nil {
			late.conn.Close()
		}
	}()
	return types.HijackedResponse{}, ctx.Err()
}

// subscribe asks the engine to tell the exit, and returns when the engine has understood. The subscription outlives ctx,
// because it also tells that a kill has worked; unsubscribe, never nil, ends it.
func (x *execution) subscribe(ctx context.Context) (unsubscribe func(), _ error) {
	uncut, cancel := context.WithCancel(context.WithoutCancel(ctx))
	acknowledged := context.AfterFunc(ctx, cancel)
	tooLate := time.AfterFunc(x.limits.request, cancel)
	results, errs := x.api.ContainerWait(uncut, x.id, container.WaitConditionNextExit)
	acknowledged()
	inTime := tooLate.Stop()
	select {
	case err := <-errs:
		if !inTime {
			err = context.DeadlineExceeded
		}
		return cancel, err
	default:
	}
	go func() {
		// The SDK hands over one of the two, whatever becomes of uncut, and somebody has to take it.
		select {
		case response := <-results:
			end := exit{code: int(response.StatusCode)}
			if response.Error != nil {
				end.err = errors.New(response.Error.Message)
			}
			x.exited <- end
		case err := <-errs:
			x.exited <- exit{err: err}
		}
	}()
	return cancel, nil
}

// start starts the program, in a context that ctx's end does not cut: the engine would go on, and a program that starts
// after its kill would live on. Where ctx has ended meanwhile, nil means that the program may run.
func (x *execution) start(ctx context.Context) error {
	uncut, cancel := context.WithTimeout(context.WithoutCancel(ctx), x.limits.start)
	answer := make(chan error, 1)
	x.started = true
	go func() {
		defer cancel()
		answer <- x.api.ContainerStart(uncut, x.id, container.StartOptions{})
	}()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-answer:
		return err
	case <-time.After(x.limits.kill):
		return nil
	}
}

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
		return x.finish(ctx, streams, x.kill(ctx), x.interrupted(ctx, doingRun))
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

// kill ends the program, and returns when it has ended. Its exit has an error when that is not known, and the code -1
// when only the code is not.
func (x *execution) kill(ctx context.Context) exit {
	ctx = context.WithoutCancel(ctx)
	if x.spec.StopTimeout > 0 {
		if end, ended := x.signal(ctx, "SIGTERM", x.spec.StopTimeout); ended {
			return end
		}
	}
	if end, ended := x.signal(ctx, "SIGKILL", x.limits.kill); ended {
		return end
	}
	return x.discard(ctx)
}

// discard removes the container at once. An engine that has lost track of an exit, or was restarted, still kills what it
// removes.
func (x *execution) discard(ctx context.Context) exit {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), x.limits.kill)
	defer cancel()
	_, err := x.removals.attempt(bounded, x.id)
	return exit{code: -1, err: err}
}

// signal sends a signal, and waits for the exit. A refusal is no failure: the engine refuses when the program has ended.
func (x *execution) signal(ctx context.Context, signal string, patience time.Duration) (_ exit, ended bool) {
	bounded, cancel := context.WithTimeout(ctx, x.limits.kill)
	defer cancel()
	if err := x.api.ContainerKill(bounded, x.id, signal); err != nil && unanswered(err) {
		return exit{}, false
	}
	select {
	case end := <-x.exited:
		return end, end.err == nil
	case <-time.After(patience):
		return exit{}, false
	}
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
