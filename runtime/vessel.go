package runtime

import (
	"context"
	"errors"
	"time"

	"skillet/policy"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
)

// vessel is a container on its way from a request to its removal, whatever runs in it.
type vessel struct {
	*Runtime
	spec    policy.Container
	request request
	api     dockerAPI
	id      string    // the engine's, by which the container is found even when somebody renames it
	started bool      // the engine was asked to start it
	exited  chan exit // gets one value after the subscription
}

// exit is how a container ended, or why that is not known.
type exit struct {
	code int
	err  error
}

func (r *Runtime) newVessel(spec policy.Container, q request) *vessel {
	return &vessel{Runtime: r, spec: spec, request: q, exited: make(chan exit, 1)}
}

// attach connects to the streams of the container. The SDK's request takes no notice of its context once it is connected,
// so it is waited for from outside; a connection that comes too late is closed.
func (v *vessel) attach(ctx context.Context) (types.HijackedResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, v.limits.request)
	defer cancel()
	type answer struct {
		conn types.HijackedResponse
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		conn, err := v.api.ContainerAttach(ctx, v.id, container.AttachOptions{
			Stream: true,
			Stdin:  v.request.Config.OpenStdin,
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
func (v *vessel) subscribe(ctx context.Context) (unsubscribe func(), _ error) {
	uncut, cancel := context.WithCancel(context.WithoutCancel(ctx))
	acknowledged := context.AfterFunc(ctx, cancel)
	tooLate := time.AfterFunc(v.limits.request, cancel)
	results, errs := v.api.ContainerWait(uncut, v.id, container.WaitConditionNextExit)
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
			v.exited <- end
		case err := <-errs:
			v.exited <- exit{err: err}
		}
	}()
	return cancel, nil
}

// start starts the program, in a context that ctx's end does not cut: the engine would go on, and a program that starts
// after its kill would live on. Where ctx has ended meanwhile, nil means that the program may run.
func (v *vessel) start(ctx context.Context) error {
	uncut, cancel := context.WithTimeout(context.WithoutCancel(ctx), v.limits.start)
	answer := make(chan error, 1)
	v.started = true
	go func() {
		defer cancel()
		answer <- v.api.ContainerStart(uncut, v.id, container.StartOptions{})
	}()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-answer:
		return err
	case <-time.After(v.limits.kill):
		return nil
	}
}

// discard removes the container at once. An engine that has lost track of an exit, or was restarted, still kills what it
// removes.
func (v *vessel) discard(ctx context.Context) exit {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), v.limits.kill)
	defer cancel()
	_, err := v.removals.attempt(bounded, v.id)
	return exit{code: -1, err: err}
}

// signal sends a signal, and waits for the exit. A refusal is no failure: the engine refuses when the program has ended.
func (v *vessel) signal(ctx context.Context, signal string, patience time.Duration) (_ exit, ended bool) {
	bounded, cancel := context.WithTimeout(ctx, v.limits.kill)
	defer cancel()
	if err := v.api.ContainerKill(bounded, v.id, signal); err != nil && unanswered(err) {
		return exit{}, false
	}
	select {
	case end := <-v.exited:
		return end, end.err == nil
	case <-time.After(patience):
		return exit{}, false
	}
}

// explain turns the error of a request into one of the package's. That ctx has ended is more than any other reason.
func (v *vessel) explain(ctx context.Context, err error, doing string) error {
	switch {
	case over(ctx):
		return v.interrupted(ctx, doing)
	case errors.Is(err, ErrClosed), errors.As(err, new(*EngineError)), errors.As(err, new(*ImageError)):
		return err
	case errors.Is(err, errNoImage):
		return &ImageError{Skill: v.spec.Skill, Image: v.spec.Image, Platform: v.spec.Platform, Doing: "finding it after that was built or pulled", Err: err}
	case unanswered(err):
		if v.api != nil {
			v.engine.forget(v.api)
		}
		return &EngineError{Address: v.engine.address, Doing: doing, Started: v.started, Err: err}
	}
	return newStartError(v.spec, err)
}

// interrupted is why ctx has ended: the plan's time limit, or the caller.
func (v *vessel) interrupted(ctx context.Context, doing string) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, errTimeout) {
		timeout := &TimeoutError{Skill: v.spec.Skill, After: v.spec.Timeout}
		if doing != doingRun {
			timeout.Doing = doing
		}
		return timeout
	}
	return &CancelledError{Skill: v.spec.Skill, Doing: doing, Err: cause}
}

// kill ends the container by way of the engine, and returns when it has ended. Its exit has an error when that is not known, and
// the code -1 when only the code is not.
func (v *vessel) kill(ctx context.Context) exit {
	if end, ended := v.signal(ctx, "SIGKILL", v.limits.kill); ended {
		return end
	}
	return v.discard(ctx)
}
