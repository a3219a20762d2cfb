package runtime

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"skillet/policy"
	"skillet/runtime/supervisor/wire"
)

// supervised makes the call in a container with a supervisor. Its error is errNoImage when there is no image.
func (x *execution) supervised(ctx context.Context, h harness) error {
	order, err := newOrder(x.spec, h.image)
	if err != nil {
		return err
	}
	if s, err := x.fromPool(ctx, h, order); s != nil || err != nil {
		if err != nil {
			return err
		}
		x.result.Warm = true
		return x.carry(ctx, s)
	}
	err = x.cold(ctx, h, order)
	if broken := (*brokenError)(nil); errors.As(err, &broken) {
		// The volume is empty, as it is on an engine that has never seen this supervisor, or damaged.
		mended, installErr := x.install(ctx, x.api, h)
		if installErr != nil {
			return x.explain(ctx, installErr, "putting the supervisor on the engine")
		}
		if broken.started && !mended {
			return broken.err
		}
		order.Limit = remaining(ctx, x.spec)
		if err = x.cold(ctx, h, order); errors.As(err, &broken) {
			return broken.err
		}
	}
	return err
}

// brokenError says that a container's supervisor has not begun to work. It wraps the error for the case that this remains so.
type brokenError struct {
	err error
	// started tells that the container was started, and its supervisor not heard of. That may be the connection's fault, and the
	// program have run: only a volume that turns out to be damaged proves that it has not.
	started bool
}

func (e *brokenError) Error() string { return e.err.Error() }

// newOrder is what the supervisor is told.
func newOrder(c policy.Container, image imageFacts) (wire.OrderFrame, error) {
	argv := image.argv(c)
	if len(argv) == 0 {
		return wire.OrderFrame{}, &StartError{Skill: c.Skill, Image: c.Image, Reason: OtherReason, ExitCode: 125,
			Detail: "no command specified, neither by the image nor by the skill"}
	}
	order := wire.OrderFrame{Args: argv, Env: image.environment(c), Input: c.Stdin != nil, Boot: boot()}
	for _, m := range c.Mounts {
		if device, inode, ok := fileNumbers(m.Judged()); ok {
			order.Mounts = append(order.Mounts, wire.Mounted{Target: m.Target, Device: device, Inode: inode})
		}
	}
	if !order.Fits() {
		return wire.OrderFrame{}, &StartError{Skill: c.Skill, Image: c.Image, Program: argv[0], Reason: OtherReason, ExitCode: 126,
			Detail: "argument list too long"}
	}
	return order, nil
}

// slack is how long a container outlives its call's time limit: skillet itself ends the program before that, unless it is gone.
const slack = 3 * time.Second

// remaining is the limit that the container itself obeys.
func remaining(ctx context.Context, c policy.Container) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok || c.Timeout <= 0 {
		return 0
	}
	return max(time.Until(deadline), 0) + c.StopTimeout + slack
}

// cold makes a container for this call alone.
func (x *execution) cold(ctx context.Context, h harness, order wire.OrderFrame) error {
	done := x.pool.coldStart()
	s, err := x.launch(ctx, x.spec, h)
	if err != nil {
		done()
		return err
	}
	order.Limit = remaining(ctx, x.spec)
	// Before the start, which takes longest: the order waits in the container's standard input.
	s.order(order, x.task(), true)
	go func() {
		defer done()
		select {
		case <-s.ready:
		case <-s.ended:
		}
	}()
	return x.carry(ctx, s)
}

func (x *execution) task() *task { return &task{stdout: x.stdout, stderr: x.stderr} }

// carry goes with a container whose order was given to its end.
func (x *execution) carry(ctx context.Context, s *standby) (err error) {
	s.spec = x.spec // one that has waited was made for any such call
	x.vessel, x.result.Container = s.vessel, s.request.Name
	if x.spec.Stdin != nil {
		s.feed(x.spec.Stdin)
	}
	end, failure := x.follow(ctx, s)
	s.leave()
	s.logPhases(x.result.Warm)
	if end.err != nil {
		return &UnkilledError{Container: s.request.Name, Err: failure, KillErr: end.err}
	}
	x.result.ExitCode, x.result.Signal = end.code, signalName(end.code)
	if isClosed(s.finished) {
		return x.conclude(s.exit, failure)
	}
	x.result.Incomplete = true
	return failure
}

// follow waits for the end of the program, or brings it about. The exit's error means that the container may still run.
func (x *execution) follow(ctx context.Context, s *standby) (exit, error) {
	answered := s.answered
	for {
		select {
		case <-s.finished:
			return exit{code: -1}, nil
		case <-answered:
			answered = nil
			if s.startErr != nil {
				return x.startFailed(ctx, s)
			}
		case <-s.ended:
			if isClosed(s.finished) {
				continue
			}
			return x.lost(ctx, s)
		case <-ctx.Done():
			return s.end(ctx), x.interrupted(ctx, doingRun)
		}
	}
}

// conclude is the result that the supervisor has reported. failure is why the call was ended, nil if it was not.
func (x *execution) conclude(e wire.ExitFrame, failure error) error {
	x.result.OOMKilled, x.result.Incomplete = e.OOMKilled, e.Cut
	switch e.How {
	case wire.Exited:
		x.result.ExitCode, x.result.Signal = e.Code, ""
	case wire.Signalled, wire.OutOfTime:
		x.result.ExitCode, x.result.Signal = 128+e.Code, signalName(128+e.Code)
	case wire.NotStarted, wire.WrongMount:
		x.result.ExitCode = -1
		if failure == nil {
			return refused(x.spec, e)
		}
	}
	switch {
	case failure != nil:
		return failure
	case e.How == wire.OutOfTime:
		return &TimeoutError{Skill: x.spec.Skill, After: x.spec.Timeout}
	case e.Stopped:
		return &LostError{Skill: x.spec.Skill, Container: x.result.Container, ExitCode: x.result.ExitCode, Stopped: true}
	}
	return nil
}

// refused is the error for a program that the supervisor could not start, in the words and with the codes of the engine.
func refused(c policy.Container, e wire.ExitFrame) *StartError {
	program, text, _ := strings.Cut(e.Text, ": ")
	failed := &StartError{Skill: c.Skill, Image: c.Image, Program: program, Reason: OtherReason, ExitCode: 126, Detail: e.Text}
	if e.How == wire.WrongMount {
		failed.Reason, failed.ExitCode, failed.Program = BadMount, 125, ""
		failed.Detail = fmt.Sprintf("at %s another file or directory is mounted than the policy has judged, so somebody has replaced it in the meantime. Try again", e.Text)
		return failed
	}
	// Errors of Linux, whatever this runs on: errno(3).
	const noEntry, noPermission, noAccess, noExec, isDirectory = 2, 1, 13, 8, 21
	switch e.Code {
	case noEntry:
		failed.Reason, failed.ExitCode = ProgramNotFound, 127
	case noPermission, noAccess, noExec, isDirectory:
		failed.Reason = ProgramNotExecutable
	default:
		failed.Detail = strings.TrimSpace(text)
	}
	return failed
}

// startFailed is about a start that the engine has refused, or not answered to.
func (x *execution) startFailed(ctx context.Context, s *standby) (exit, error) {
	if unanswered(s.startErr) {
		return s.end(ctx), s.explain(ctx, s.startErr, doingStart)
	}
	return exit{code: -1}, s.notStarted(ctx)
}

// notStarted is the error for a container that the engine refused to start.
func (s *standby) notStarted(ctx context.Context) error {
	explained := s.explain(ctx, s.startErr, doingStart)
	var start *StartError
	if errors.As(explained, &start) && strings.Contains(start.Detail, supervisorPath) {
		return &brokenError{err: explained}
	}
	return explained
}

// lost finds out what became of a container whose connection has ended without an exit.
func (x *execution) lost(ctx context.Context, s *standby) (exit, error) {
	select {
	case <-s.answered:
		if s.startErr != nil {
			return x.startFailed(ctx, s)
		}
	case <-time.After(s.limits.word):
	}
	end, gone := s.gone(s.limits.word)
	if !gone { // the engine is slow to say so, or what runs there does not end with its connection
		end = s.destroy(ctx)
	}
	switch {
	case end.err != nil:
		return x.engineLost(ctx, s, end.err)
	case gone && !isClosed(s.ready) && end.code != killed:
		return end, &brokenError{err: s.lostError(end.code), started: true}
	}
	return end, s.lostError(end.code)
}

func (s *standby) lostError(code int) *LostError {
	return &LostError{Skill: s.spec.Skill, Container: s.request.Name, ExitCode: code, Detail: s.said.String(), Err: s.err}
}

// engineLost is about a container of an engine that is not there any more, or comes back and may still have it.
func (x *execution) engineLost(ctx context.Context, s *standby, err error) (exit, error) {
	s.engine.forget(s.api)
	return s.discard(ctx), &EngineError{Address: s.engine.address, Doing: doingRun, Started: true, Err: err}
}

// killed is the exit code of a container whose first process was killed.
const killed = 128 + int(syscall.SIGKILL)

// end ends the program before its time, and returns when the container is dead. The supervisor is asked first: it is quick, and
// all that the program has written by then still arrives.
func (s *standby) end(ctx context.Context) exit {
	if s.spec.StopTimeout > 0 && s.ask(syscall.SIGTERM, s.spec.StopTimeout) || s.ask(syscall.SIGKILL, s.limits.word) {
		s.gone(s.limits.word) // the engine notices a moment later: whoever looks after the call sees it gone
		return exit{code: -1}
	}
	return s.destroy(ctx)
}

// destroy ends the container by way of the engine.
func (s *standby) destroy(ctx context.Context) exit {
	select {
	case <-s.answered: // a container that is being started cannot be killed
	case <-time.After(s.limits.kill):
	}
	end := s.kill(context.WithoutCancel(ctx))
	select {
	case s.exited <- end:
	default:
	}
	return end
}

// ask sends a signal by way of the supervisor, and tells whether that has reported the exit.
func (s *standby) ask(signal syscall.Signal, patience time.Duration) bool {
	go func() { _ = s.send(wire.Append(nil, wire.Signal, []byte{byte(signal)})) }()
	select {
	case <-s.finished:
		return true
	case <-s.ended:
	case <-time.After(patience):
	}
	return isClosed(s.finished)
}

// logPhases says where the time went.
func (s *standby) logPhases(warm bool) {
	if !isClosed(s.finished) {
		return
	}
	attributes := []any{"skill", s.spec.Skill, "warm", warm}
	if !warm {
		attributes = append(attributes,
			"create", s.times.created.Sub(s.launched),
			"attach", s.times.attached.Sub(s.times.created),
			"start", s.times.ready.Sub(s.times.attached),
			"accepted", s.times.accepted.Sub(s.times.ready))
	} else {
		attributes = append(attributes, "accepted", s.times.accepted.Sub(s.times.ordered))
	}
	s.log.Debug("call phases", append(attributes, "run", s.times.exit.Sub(s.times.accepted))...)
}
