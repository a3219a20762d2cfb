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
	x := &execution{
		Runtime: r,
		spec:    c,
		request: newRequest(c, containerName(c.Skill), r.owner),
		stdout:  newCapture(c.MaxOutput, live.Stdout),
		stderr:  newCapture(c.MaxOutput, live.Stderr),
		exited:  make(chan exit, 1),
	}
	x.result = Result{ExitCode: -1, Container: x.request.Name}
	err := x.call(ctx, live.Progress)
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
	*Runtime
	spec           policy.Container
	request        request
	api            dockerAPI
	stdout, stderr *capture
	exited         chan exit // gets one value after the subscription
	id             string    // the engine's, by which the container is found even when somebody renames it
	started        bool      // the engine was asked to start the program
	result         Result
}

// exit is how a program ended, or why that is not known.
type exit struct {
	code int
	err  error
}

// call does everything but the sealing of the output.
func (x *execution) call(ctx context.Context, progress io.Writer) error {
	if !x.removals.hold(x.request.Name) {
		return ErrClosed
	}
	defer x.removals.release(x.request.Name)
	begun := time.Now()
	timed, stop := x.timed(ctx)
	defer func() { stop() }()
	err := x.create(timed)
	if errors.Is(err, errNoImage) {
		// The time limit is the program's: a first call could never succeed where a build takes longer than a call may.
		stop()
		if err := x.ensureImage(ctx, x.spec, ImageOptions{Progress: progress}); err != nil {
			return err
		}
		begun = time.Now()
		timed, stop = x.timed(ctx)
		err = x.create(timed)
	}
	defer func() { x.result.Duration = time.Since(begun) }()
	if err != nil {
		return x.explain(timed, err, "creating the container")
	}
	return x.inContainer(timed)
}

// timed is ctx with the plan's time limit, if it has one.
func (x *execution) timed(ctx context.Context) (context.Context, context.CancelFunc) {
	if x.spec.Timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, x.spec.Timeout, errTimeout)
}

// explain turns the error of a request into one of the package's. That ctx has ended is more than any other reason.
func (x *execution) explain(ctx context.Context, err error, doing string) error {
	switch {
	case over(ctx):
		return x.interrupted(ctx, doing)
	case errors.As(err, new(*EngineError)), errors.As(err, new(*ImageError)):
		return err
	case errors.Is(err, errNoImage):
		return &ImageError{Skill: x.spec.Skill, Image: x.spec.Image, Platform: x.spec.Platform, Doing: "finding it after that was built or pulled", Err: err}
	case unanswered(err):
		if x.api != nil {
			x.engine.forget(x.api)
		}
		return &EngineError{Address: x.engine.address, Doing: doing, Started: x.started, Err: err}
	}
	return newStartError(x.spec, err)
}

// interrupted is why ctx has ended: the plan's time limit, or the caller.
func (x *execution) interrupted(ctx context.Context, doing string) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, errTimeout) {
		timeout := &TimeoutError{Skill: x.spec.Skill, After: x.spec.Timeout}
		if doing != doingRun {
			timeout.Doing = doing
		}
		return timeout
	}
	return &CancelledError{Skill: x.spec.Skill, Doing: doing, Err: cause}
}
