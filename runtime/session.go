package runtime

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"skillet/policy"
	"skillet/runtime/supervisor/wire"
)

// maxSession is how long a session lasts at the most: a container whose skillet is on another host, or was, is known by its age to be
// left behind.
const maxSession = 24 * time.Hour

// Session is a container that is kept between calls, with all that they leave in it: files, and processes that run on. Every call
// of it has a plan of its own, approved as any call's, that asks for the very same container.
//
// The container ends when it is idle for the plan's SessionIdle, after a day, with its connection, and with a call that was ended before its
// time: what such a call leaves is anybody's guess.
type Session struct {
	runtime *Runtime
	key     string // of all its plans, see [shelfKey]
	opened  time.Time
	spec    policy.Container
	ended   chan struct{} // closed when there is no container any more, nor will be

	mu      sync.Mutex
	image   imageFacts
	current *standby // takes the next call; nil before the first one
	busy    bool     // a call is under way
	closing string   // why it ends after that; "" when it does not
	why     string   // it has ended; "" while it has not
	used    time.Time
}

// sessions are those that have not ended.
type sessions struct {
	mu     sync.Mutex
	open   map[*Session]bool
	closed bool
}

// Open begins a session for calls like this plan's. Its container is made, or taken from those that wait, by the first call.
func (r *Runtime) Open(plan policy.Plan) (*Session, error) {
	if !plan.Approved() {
		return nil, ErrNotApproved
	}
	return r.open(plan.Container())
}

func (r *Runtime) open(c policy.Container) (*Session, error) {
	switch {
	case c.SessionIdle <= 0:
		return nil, &SessionError{Skill: c.Skill, Reason: "has none: write session = true for it"}
	case c.Keep, c.PidMode != "":
		return nil, &SessionError{Skill: c.Skill, Reason: noSupervisor}
	}
	s := &Session{runtime: r, key: shelfKey(c), spec: c, opened: time.Now(), ended: make(chan struct{})}
	r.sessions.mu.Lock()
	defer r.sessions.mu.Unlock()
	if r.sessions.closed {
		return nil, ErrClosed
	}
	r.sessions.open[s] = true
	return s, nil
}

// Ended is closed when the session is over.
func (s *Session) Ended() <-chan struct{} { return s.ended }

// Why says why the session is over, "" while it is not.
func (s *Session) Why() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.why
}

// Fits tells whether a call of this plan can be one of the session's.
func (s *Session) Fits(plan policy.Plan) bool {
	return plan.Approved() && shelfKey(plan.Container()) == s.key
}

// Run makes one call, as [Runtime.Run] does. A session has one call at a time. After an error, see [Session.Ended].
func (s *Session) Run(ctx context.Context, plan policy.Plan, live IO) (Result, error) {
	if !plan.Approved() {
		return Result{ExitCode: -1}, ErrNotApproved
	}
	return s.run(ctx, plan.Container(), live)
}

func (s *Session) run(ctx context.Context, c policy.Container, live IO) (Result, error) {
	if err := s.begin(c); err != nil {
		return Result{ExitCode: -1}, err
	}
	result, err := s.runtime.runIn(ctx, c, live, s)
	s.done(err)
	return result, err
}

// begin makes the session busy, or says why it cannot be.
func (s *Session) begin(c policy.Container) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.why != "":
		return &SessionGoneError{Skill: s.spec.Skill, Why: s.why}
	case s.busy || s.closing != "":
		return &SessionError{Skill: s.spec.Skill, Reason: "is busy with another call: wait for its answer, a session has one call at a time"}
	case shelfKey(c) != s.key:
		return &SessionError{Skill: s.spec.Skill, Reason: "was opened for another container than this call asks for: open a new one"}
	}
	s.busy = true
	return nil
}

// done ends a call.
func (s *Session) done(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy, s.used = false, time.Now()
	switch {
	case s.why != "":
	case s.current == nil:
		s.over(whyLost(err))
	case isClosed(s.current.ended): // which [Session.watchOver] has left to this
		s.over(s.whyDead())
	case s.closing != "":
		s.over(s.closing)
	}
}

// whyLost tells in the words of a session what has become of its last call.
func whyLost(err error) string {
	switch {
	case errors.As(err, new(*TimeoutError)):
		return "its last call was killed at its time limit"
	case errors.As(err, new(*CancelledError)):
		return "its last call was cancelled"
	}
	return "its container did not outlive its last call"
}

// over ends the session. s.mu is held, and no call is under way.
func (s *Session) over(why string) {
	if s.why != "" {
		return
	}
	s.why = why
	s.runtime.sessions.mu.Lock()
	delete(s.runtime.sessions.open, s)
	s.runtime.sessions.mu.Unlock()
	last := s.current
	s.current = nil
	s.runtime.log.Debug("session ended", "skill", s.spec.Skill, "why", why)
	if last == nil {
		close(s.ended)
		return
	}
	go func() {
		defer close(s.ended)
		if last.quit() {
			last.gone(last.limits.kill)
		}
		last.leave()
	}()
}

// End ends the session, after the call that is under way, and returns when nothing runs in it any more, or ctx ends.
func (s *Session) End(ctx context.Context, why string) {
	s.mu.Lock()
	s.closing = why
	if !s.busy {
		s.over(why)
	}
	s.mu.Unlock()
	select {
	case <-s.ended:
	case <-ctx.Done():
	}
}

// endSessions ends all of them, and refuses new ones. It does not wait for their ends.
func (r *Runtime) endSessions() {
	r.sessions.mu.Lock()
	r.sessions.closed = true
	all := slices.Collect(maps.Keys(r.sessions.open))
	r.sessions.mu.Unlock()
	at, cancel := context.WithCancel(context.Background())
	cancel()
	for _, s := range all {
		s.End(at, "skillet is shutting down")
	}
}

// keep decides after a call whether its container goes on, and takes it over then.
func (s *Session) keep(of *standby, failure error) bool {
	if failure != nil || !isClosed(of.finished) || of.next == nil || of.exit.How == wire.OutOfTime || of.exit.Stopped {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.current = nil
		return false
	}
	of.feeding.Wait() // what it still sends is not for the next call
	s.mu.Lock()
	defer s.mu.Unlock()
	first := s.current == nil
	s.current = of.next
	if first {
		go s.watchOver(of.line)
	}
	return true
}

// watchOver notices that the container ends while no call is under way: a call sees for itself.
func (s *Session) watchOver(l *line) {
	<-l.ended
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy || s.why != "" {
		return
	}
	s.over(s.whyDead())
}

// whyDead tells why the container has ended between two calls.
func (s *Session) whyDead() string {
	idle := s.spec.SessionIdle
	switch {
	case s.age() >= s.runtime.limits.session:
		return "it was open for " + s.runtime.limits.session.String()
	case time.Since(s.used) > idle-idle/10:
		return "it had no call for " + idle.String()
	}
	return "its container was stopped, killed or removed by others, or the engine was lost"
}

func (s *Session) age() time.Duration { return time.Since(s.opened) }

// stay is how long the container is to wait for another call after this one.
func (s *Session) stay() time.Duration {
	const least = time.Millisecond // 0 would be an order without another one after it
	return max(min(s.spec.SessionIdle, s.runtime.limits.session-s.age()), least)
}

// kept is the container that was kept for the next call; nil for none, or for no session.
func (s *Session) kept() *standby {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// again makes a further call of a session, in the container that was kept for it.
func (x *execution) again(ctx context.Context, s *standby) error {
	if !slices.EqualFunc(s.sources, sources(x.spec), sameSource) {
		return x.session.lose(s, "a directory that it has mounted was replaced by another one")
	}
	order, err := newOrder(x.spec, x.session.image)
	if err != nil {
		return err
	}
	if over(ctx) {
		return x.interrupted(ctx, doingStart)
	}
	order.Limit, order.Stay = remaining(ctx, x.spec), x.session.stay()
	// Longer than for one that waits: there is no other in its place.
	if s.accept(ctx, order, x.task(), s.limits.kill) != nil {
		if over(ctx) {
			err := x.interrupted(ctx, doingStart)
			_ = x.session.lose(s, whyLost(err))
			return err
		}
		return x.session.lose(s, x.session.whyDead())
	}
	x.result.Warm = true
	return x.carry(ctx, s)
}

// sameSource tells whether two looks at a mount's source have seen the same: one that cannot be seen from here is on another
// machine.
func sameSource(before, now os.FileInfo) bool {
	if before == nil || now == nil {
		return before == nil && now == nil
	}
	return os.SameFile(before, now)
}

// lose ends a session in whose container the call that is under way has not run.
func (s *Session) lose(last *standby, why string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = last
	s.over(why)
	return &SessionGoneError{Skill: s.spec.Skill, Why: why}
}

// succeed makes way for the next order, before the exit is told.
func (s *standby) succeed() {
	if s.stays {
		s.next = newStandby(s.line)
		s.listener = s.next
	}
}

// quit has the supervisor end, and all processes of the container with it, and tells whether the connection has ended.
func (s *standby) quit() bool {
	go func() { _ = s.send(wire.Append(nil, wire.Signal, []byte{byte(syscall.SIGKILL)})) }()
	select {
	case <-s.ended:
		return true
	case <-time.After(s.limits.word):
		return false
	}
}

// endSession ends the program and whatever else the session's calls have left running.
func (s *standby) endSession() bool {
	if s.spec.StopTimeout > 0 {
		s.ask(syscall.SIGTERM, s.spec.StopTimeout)
	}
	return s.quit()
}
