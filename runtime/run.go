package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"skillet/policy"
)

// IO takes live copies of what a call produces, uncapped. A nil writer takes nothing. A writer that fails is left alone from
// then on; one that blocks holds back the program, and the call until its context ends.
type IO struct {
	Stdout, Stderr io.Writer // the program's output, as it comes
	Progress       io.Writer // lines on the building or pulling of the image, when that is needed
	ImageReady     func()    // called when that is over and the call goes on; nil for nothing
}

// Result is what became of a program. It comes with every error of [Runtime.Run], with what there is by then.
type Result struct {
	ExitCode       int    // -1 when the program was not started or its end is not known
	Signal         string // as in "SIGSEGV", when the exit code is 128+n, by the convention of shells; else ""
	OOMKilled      bool   // a process met the memory limit and was killed; asked only of a program that failed
	Stdout, Stderr Stream
	Incomplete     bool          // the end of the output did not arrive: there may have been more
	Duration       time.Duration // from the request for a container to this result, without the wait for an image
	Container      string        // its name; it exists after the call only if the plan says Keep
	Warm           bool          // it was started before the call
}

// errTimeout is the cause of a context that has ended for the plan's timeout.
var errTimeout = errors.New("time limit")

// Run runs an approved plan in a container of its own, to its end: the program's, the plan's timeout, or ctx's.
//
// An error is one of those that the package documentation lists, found with [errors.As]. A program that fails is no
// error. When Run returns, the program has ended, but with an [UnkilledError].
func (r *Runtime) Run(ctx context.Context, plan policy.Plan, live IO) (Result, error) {
	if !plan.Approved() {
		return Result{ExitCode: -1}, ErrNotApproved
	}
	return r.run(ctx, plan.Container(), live)
}

func (r *Runtime) run(ctx context.Context, c policy.Container, live IO) (Result, error) {
	return r.runIn(ctx, c, live, nil)
}

// runIn makes a call, which may be one of a session.
func (r *Runtime) runIn(ctx context.Context, c policy.Container, live IO, session *Session) (Result, error) {
	x := &execution{
		session: session,
		vessel:  r.newVessel(c, newRequest(c, containerName(c.Skill), r.owner)),
		stdout:  newCapture(c.MaxOutput, live.Stdout),
		stderr:  newCapture(c.MaxOutput, live.Stderr),
	}
	x.result = Result{ExitCode: -1, Container: x.request.Name}
	err := x.call(ctx, live)
	x.result.Stdout, x.result.Stderr = x.stdout.seal(), x.stderr.seal()
	return x.result, err
}

// containerName makes up the name before the engine is asked for anything, so that a container whose creation was not
// answered can still be removed.
func containerName(skill string) string {
	clean := strings.Map(func(c rune) rune {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.ContainsRune("_.-", c):
			return c
		}
		return '-'
	}, skill)
	return fmt.Sprintf("skillet-%s-%s", clean, randomName())
}

// execution is one call on its way.
type execution struct {
	*vessel        // the container that the call has come to
	stdout, stderr *capture
	result         Result
	session        *Session // that the container is kept for; nil for a call of its own
}

// call does everything but the sealing of the output.
func (x *execution) call(ctx context.Context, live IO) error {
	// The name stands for the call until its container, which may get another, is on its way.
	if name := x.request.Name; x.removals.hold(name) {
		defer x.removals.release(name)
	} else {
		return ErrClosed
	}
	begun := time.Now()
	timed, stop := x.timed(ctx)
	defer func() { stop() }()
	err := x.attempt(timed)
	if errors.Is(err, errNoImage) {
		// The time limit is the program's: a first call could never succeed where a build takes longer than a call may.
		stop()
		if err := x.ensureImage(ctx, x.spec, ImageOptions{Progress: live.Progress}); err != nil {
			return err
		}
		if live.ImageReady != nil {
			live.ImageReady()
		}
		begun = time.Now()
		timed, stop = x.timed(ctx)
		if err = x.attempt(timed); errors.Is(err, errNoImage) {
			err = x.explain(timed, err, "creating the container")
		}
	}
	x.result.Duration = time.Since(begun)
	return err
}

// attempt makes the call, in a container with a supervisor wherever that is possible. Its error is errNoImage when there is no
// image to make one from.
func (x *execution) attempt(ctx context.Context) error {
	if kept := x.session.kept(); kept != nil {
		return x.again(ctx, kept)
	}
	h, err := x.harness(ctx)
	switch {
	case err != nil:
		return err
	case h != nil:
		return x.supervised(ctx, *h)
	case x.session != nil:
		return &SessionError{Skill: x.spec.Skill, Reason: noSupervisor}
	}
	return x.plain(ctx)
}

// timed is ctx with the plan's time limit, if it has one.
func (x *execution) timed(ctx context.Context) (context.Context, context.CancelFunc) {
	if x.spec.Timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, x.spec.Timeout, errTimeout)
}
