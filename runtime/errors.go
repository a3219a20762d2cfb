package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/docker/docker/client"
)

// Mistakes of the caller's.
var (
	// ErrNotApproved says that a Plan was made by no policy.
	ErrNotApproved = errors.New("not run: no policy has approved this plan")
	// ErrClosed says that Run was called after Close.
	ErrClosed = errors.New("not run: skillet is shutting down")
)

// AddressError says that an engine's address cannot be used.
type AddressError struct {
	Address string
	Reason  string
}

func (e *AddressError) Error() string {
	return fmt.Sprintf("the engine address %q cannot be used: %s. Supported are unix://PATH and tcp://HOST:PORT (and npipe:// on Windows).",
		e.Address, strings.TrimSuffix(e.Reason, "."))
}

// EngineError says that no engine answers, or that it was lost while it worked.
type EngineError struct {
	Address string // the address tried
	Doing   string // what the engine was asked for, as in "creating the container"
	// Started tells that the program may have run, so that it may have had effects and the call is not to be repeated
	// blindly. Without it, nothing has run.
	Started bool
	Err     error
}

func (e *EngineError) Error() string {
	var text strings.Builder
	if e.Started {
		fmt.Fprintf(&text, "the Docker engine at %s was lost while %s, and the program may or may not have done its work: %s.",
			e.Address, e.Doing, reason(e.Err))
	} else {
		fmt.Fprintf(&text, "the Docker engine at %s cannot be used; %s failed: %s.", e.Address, e.Doing, reason(e.Err))
	}
	if hint := e.hint(); hint != "" {
		text.WriteString(" " + hint)
	}
	return text.String()
}

func (e *EngineError) Unwrap() error { return e.Err }

func (e *EngineError) hint() string {
	switch {
	case e.Started:
		return "See whether the engine was restarted, and check the outcome before you repeat the call."
	case errors.Is(e.Err, fs.ErrPermission):
		return "Give this user access to the engine's socket (on most machines: add it to the group docker and log in again)."
	case errors.Is(e.Err, fs.ErrNotExist), errors.Is(e.Err, syscall.ECONNREFUSED), client.IsErrConnectionFailed(e.Err):
		return "Start Docker, or set DOCKER_HOST to the address of an engine."
	case errors.Is(e.Err, context.DeadlineExceeded):
		return "See whether the engine is overloaded or hangs (does `docker ps` answer?)."
	}
	return ""
}

// reason is an error's text without the SDK's preamble and final stop.
func reason(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	if client.IsErrConnectionFailed(err) {
		return "nothing answers there" // the SDK repeats the address, and asks a question
	}
	text := strings.TrimPrefix(err.Error(), "Error response from daemon: ")
	return strings.TrimRight(text, ". \n")
}

// ImageError says that a container's image is not there, and why it could not be got.
type ImageError struct {
	Skill, Image string
	Platform     string // the one asked for, "" for the engine's own
	Doing        string // as in "pulling it"; "" when the image is there and does not fit
	Err          error
}

func (e *ImageError) Error() string {
	image := e.Image
	if e.Platform != "" {
		image += " for " + e.Platform
	}
	if e.Doing == "" {
		return fmt.Sprintf("%s: the image %s cannot be used: %s.", e.Skill, image, reason(e.Err))
	}
	return fmt.Sprintf("%s: the image %s is not on the engine, and %s failed: %s. "+
		"Check the name, load or pull the image by hand, or give the skill a `build` directory to build it from.",
		e.Skill, image, e.Doing, reason(e.Err))
}

func (e *ImageError) Unwrap() error { return e.Err }

// BuildError says that an image could not be built.
type BuildError struct {
	Skill, Image string
	Dir          string   // the build's directory
	Output       []string // the last lines of the build's output
	Err          error
}

func (e *BuildError) Error() string {
	text := fmt.Sprintf("%s: building the image %s from %s failed: %s.", e.Skill, e.Image, e.Dir, reason(e.Err))
	if len(e.Output) > 0 {
		text += " The end of the build's output:\n" + strings.Join(e.Output, "\n")
	}
	return text
}

func (e *BuildError) Unwrap() error { return e.Err }

// TimeoutError says that a program was killed because the plan's time was over. The Result has what it had written.
type TimeoutError struct {
	Skill string
	After time.Duration
	Doing string // what the engine had not finished by then, as in "creating the container"; "" when the program ran
}

func (e *TimeoutError) Error() string {
	if e.Doing != "" {
		return fmt.Sprintf("%s: ended after %s, the time limit of a call, while the engine was still %s. "+
			"See whether the engine is overloaded or hangs (does `docker ps` answer?), or raise the skill's `timeout`.", e.Skill, e.After, e.Doing)
	}
	return fmt.Sprintf("%s: killed after %s, the time limit of a call. Give it less to do, or raise the skill's `timeout`.", e.Skill, e.After)
}

// Unwrap makes a TimeoutError a [context.DeadlineExceeded].
func (e *TimeoutError) Unwrap() error { return context.DeadlineExceeded }

// CancelledError says that the caller's context ended before the program did.
type CancelledError struct {
	Skill string // "" when no skill was called
	Doing string // what was going on, as in "running the program"
	Err   error  // the context's cause
}

func (e *CancelledError) Error() string {
	text := fmt.Sprintf("cancelled by the caller while %s: %s.", e.Doing, reason(e.Err))
	if e.Skill != "" {
		text = e.Skill + ": " + text
	}
	if e.Doing == doingImage {
		text += " The first call of a skill has to wait for its image; `skillet pull` gets it ahead of time."
	}
	return text
}

func (e *CancelledError) Unwrap() error { return e.Err }

// LostError says that a call's container has ended without a word on how its program did: somebody has killed or removed it, or
// there was no memory left even for its supervisor. The call is not to be repeated blindly.
type LostError struct {
	Skill     string
	Container string // its name
	ExitCode  int    // the container's, or the program's where it was stopped; -1 when it is not known
	Stopped   bool   // it was told to stop, and the program had the time to end
	Detail    string // the last words of its supervisor, "" when there are none
	Err       error  // the end of the connection to it
}

func (e *LostError) Error() string {
	if e.Stopped {
		return fmt.Sprintf("%s: the container %s was stopped from outside in the midst of the call, by `docker stop` or by an engine that shuts down, "+
			"and the program ended with exit code %d. It may or may not have done its work.", e.Skill, e.Container, e.ExitCode)
	}
	code := ""
	if e.ExitCode >= 0 {
		code = fmt.Sprintf(" (exit code %d)", e.ExitCode)
	}
	text := fmt.Sprintf("%s: the container %s ended in the midst of the call%s, and the program may or may not have done its work. "+
		"It was killed or removed from outside, or ran out of memory.", e.Skill, e.Container, code)
	if e.Detail != "" {
		text += " Its last words: " + strings.TrimSpace(e.Detail)
	}
	return text
}

func (e *LostError) Unwrap() error { return e.Err }

// UnkilledError says that a call has ended whose container may still run, because the engine did not confirm its end.
// It wraps the reason for the call's end. The removal is still tried for a while after that.
type UnkilledError struct {
	Container string // its name
	Err       error  // why the call ended
	KillErr   error  // why the container was not killed
}

func (e *UnkilledError) Error() string {
	return fmt.Sprintf("%s The container %s may still be running, because killing it failed: %s.", e.Err, e.Container, reason(e.KillErr))
}

func (e *UnkilledError) Unwrap() []error { return []error{e.Err, e.KillErr} }

// LeftoverError names the containers that could not be removed.
type LeftoverError struct {
	Containers []string // their names
	Err        error    // of the last attempt
}

func (e *LeftoverError) Error() string {
	names := strings.Join(e.Containers, " ")
	return fmt.Sprintf("containers are left behind (%s). Remove them with: docker rm -f -v %s", reason(e.Err), names)
}

func (e *LeftoverError) Unwrap() error { return e.Err }

// unanswered tells an engine that gave no answer from one that refused.
func unanswered(err error) bool {
	var network net.Error
	return client.IsErrConnectionFailed(err) || errors.As(err, &network) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}

// over tells whether ctx has ended. A connection has its context's deadline as its own, and can meet it a moment before the
// context does; then that moment is waited for, lest the engine be blamed.
func over(ctx context.Context) bool {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		<-ctx.Done()
	}
	return ctx.Err() != nil
}

// failed is the error of a request outside of a call: the caller's own end, or the engine's.
func (r *Runtime) failed(ctx context.Context, api dockerAPI, err error, doing string) error {
	var known *EngineError
	switch {
	case over(ctx):
		return &CancelledError{Doing: doing, Err: context.Cause(ctx)}
	case errors.As(err, &known):
		return known
	}
	if api != nil {
		r.engine.forget(api)
	}
	return &EngineError{Address: r.engine.address, Doing: doing, Err: err}
}
