package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"skillet/policy"
)

// pool keeps containers started for calls to come. Making a container takes a hundred milliseconds and more, most of it work of
// the engine's; handing an order to one that waits takes two or three.
//
// Isolation is what it is without: each container serves one call and is gone after it. A container is made from an approved
// plan, and serves only a call whose plan asks the engine for the very same container.
type pool struct {
	runtime *Runtime
	limits  IdleLimits
	log     *slog.Logger

	mu       sync.Mutex
	shelves  map[string]*shelf // by what the plans on it have in common; only those that Warm has named
	making   int
	cold     int       // calls that are having a container made, or wait for one
	quiet    time.Time // before it, a call's first moments must not be disturbed
	closed   bool
	wake     chan struct{} // has a value when there may be something to do
	stopped  chan struct{} // closed when the keeper has ended
	stopping context.CancelFunc
}

// IdleLimits bound what is kept started for calls to come, of all skills together. With the zero value nothing is.
type IdleLimits struct {
	Containers int
	Memory     int64 // bytes, at [IdleMemory] for each container
}

// DefaultIdle is a number of idle containers that suits most.
const DefaultIdle = 16

// IdleMemory is what an idle container takes of the engine's machine, in bytes, the engine's own shim included. It is a measured
// figure, see docs/performance.md, rounded up.
const IdleMemory = 8 << 20

const (
	// makers is how many idle containers are made at a time: more would take the processors from everybody else.
	makers = 2
	// firstMoments is how long a call is left alone: most calls are over by then.
	firstMoments = 100 * time.Millisecond
	// maxIdleAge is when an idle container is replaced by a new one.
	maxIdleAge = 15 * time.Minute
	// tick is how often the keeper looks for what is not told by an event.
	tick = time.Second
)

func (l IdleLimits) most() int { return min(l.Containers, int(l.Memory/IdleMemory)) }

func newPool(r *Runtime, limits IdleLimits) *pool {
	return &pool{runtime: r, limits: limits, log: r.log, shelves: map[string]*shelf{}, wake: make(chan struct{}, 1)}
}

// Warm keeps containers started for calls of these plans, as many as each plan's Warm says, and for no others: it replaces what
// an earlier call has said. The containers are made behind the caller's back. What can have none is passed over in silence:
// calls of it start their container anew, as all do without Warm.
func (r *Runtime) Warm(plans []policy.Plan) {
	specs := make([]policy.Container, 0, len(plans))
	for _, plan := range plans {
		if plan.Approved() {
			specs = append(specs, plan.Container())
		}
	}
	r.pool.keep(specs)
}

// shelfKey is what calls have in common that can use the same containers: all but what is in the order.
func shelfKey(c policy.Container) string {
	c.Entrypoint, c.Command, c.Stdin = nil, nil, nil
	if c.GPUs == nil {
		c.Env = nil
	}
	key, _ := json.Marshal(c) // plain values: it does not fail
	return string(key)
}

// keep says which shelves there are.
func (p *pool) keep(specs []policy.Container) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	shelves := map[string]*shelf{}
	for _, spec := range specs {
		key := shelfKey(spec)
		if spec.Warm == 0 || spec.Keep || spec.PidMode != "" {
			continue
		}
		if old, ok := p.shelves[key]; ok {
			shelves[key] = old
			continue
		}
		spec.Stdin, spec.Command = nil, nil
		shelves[key] = &shelf{spec: spec}
	}
	for key, old := range p.shelves {
		if shelves[key] == nil {
			p.retire(old)
		}
	}
	p.shelves = shelves
	p.warnOfTooMany()
	if p.stopped == nil {
		p.begin()
	}
	p.poke()
}

// warnOfTooMany tells the operator that the skills ask for more than may wait. p.mu is held.
func (p *pool) warnOfTooMany() {
	asked := 0
	for _, s := range p.shelves {
		asked += max(s.spec.Warm, 0) // what is warm by use makes do with what is left
	}
	if most := p.limits.most(); asked > most && most > 0 {
		p.log.Warn("skills want more containers kept started than are allowed: raise --max-idle and --max-idle-memory, or lower their warm",
			"wanted", asked, "allowed", most)
	}
}

// begin starts the keeper and the watching of images. p.mu is held.
func (p *pool) begin() {
	ctx, cancel := context.WithCancel(context.Background())
	p.stopping, p.stopped = cancel, make(chan struct{})
	go func() {
		defer close(p.stopped)
		select {
		case <-time.After(firstMoments): // a server that starts has its client to answer first
		case <-ctx.Done():
			return
		}
		var watching sync.WaitGroup
		watching.Go(func() { p.runtime.watch(ctx) })
		p.tend(ctx)
		watching.Wait()
	}()
}

// poke makes the keeper look at the shelves.
func (p *pool) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// tend makes containers where there are too few, and lets go of those that are too many or too old.
func (p *pool) tend(ctx context.Context) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var makersDone sync.WaitGroup
	defer makersDone.Wait()
	for {
		p.mu.Lock()
		p.tidy(time.Now())
		next, wait := p.next(time.Now())
		p.mu.Unlock()
		if next != nil {
			makersDone.Go(func() { p.make(ctx, next) })
			continue
		}
		var later <-chan time.Time
		if wait > 0 {
			later = time.After(wait)
		}
		select {
		case <-p.wake:
		case <-later:
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// next chooses the shelf that needs a container most, and counts it as being made. Where none may be made now, it says after
// which time to look again, 0 for none. p.mu is held.
func (p *pool) next(now time.Time) (*shelf, time.Duration) {
	if p.closed || p.making >= makers || p.cold > 0 {
		return nil, 0 // who changes that pokes
	}
	var needy *shelf
	idle := 0
	for _, s := range p.shelves {
		idle += s.stock()
		if s.lacks(now) && (needy == nil || s.used.After(needy.used)) {
			needy = s
		}
	}
	if needy == nil {
		return nil, 0
	}
	if wait := p.quiet.Sub(now); wait > 0 {
		return nil, wait
	}
	if idle >= p.limits.most() && !p.makeRoom(needy) {
		return nil, 0
	}
	p.making++
	needy.making++
	return needy, 0
}

// makeRoom lets go of a container of the shelf that was used longest ago, if that is longer than this one. p.mu is held.
func (p *pool) makeRoom(taker *shelf) bool {
	var oldest *shelf
	for _, s := range p.shelves {
		if s != taker && len(s.ready) > 0 && s.used.Before(taker.used) && (oldest == nil || s.used.Before(oldest.used)) {
			oldest = s
		}
	}
	if oldest == nil {
		return false
	}
	p.drop(oldest, oldest.ready[0])
	return true
}

// tidy lets go of what is too much. p.mu is held.
func (p *pool) tidy(now time.Time) {
	for _, s := range p.shelves {
		for _, one := range slices.Clone(s.ready) {
			if now.Sub(one.launched) > maxIdleAge || len(s.ready) > s.wants(now) {
				p.drop(s, one)
			}
		}
	}
}

// make makes a container for a shelf.
func (p *pool) make(ctx context.Context, s *shelf) {
	one, err := p.launch(ctx, s.spec)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.making--
	s.making--
	defer p.poke()
	defer s.tellWaiting()
	if err != nil {
		s.failed(time.Now())
		p.log.Debug("no container could be kept started", "skill", s.spec.Skill, "error", err, "failures", s.failures)
		return
	}
	s.failures = 0
	if p.closed || p.shelves[shelfKey(s.spec)] != s {
		one.leave()
		return
	}
	s.ready = append(s.ready, one)
	go p.watchOver(s, one)
}

// launch makes a container and waits until its supervisor is ready.
func (p *pool) launch(ctx context.Context, spec policy.Container) (*standby, error) {
	v := p.runtime.newVessel(spec, request{})
	h, err := v.harness(ctx)
	if err != nil {
		return nil, err
	}
	if h == nil {
		return nil, errors.New("this engine's calls are not supervised")
	}
	if slices.Contains(sources(spec), nil) {
		return nil, errors.New("its mounts cannot be seen from here, and so not be checked at the call")
	}
	h.wait = maxIdleAge
	one, err := p.runtime.launch(ctx, spec, *h)
	if err != nil {
		return nil, err
	}
	if err := one.awaitReady(ctx); err != nil {
		one.leave()
		if broken := (*brokenError)(nil); errors.As(err, &broken) {
			if _, installErr := p.runtime.install(ctx, v.api, *h); installErr != nil {
				err = installErr
			}
		}
		return nil, err
	}
	return one, nil
}

// awaitReady returns when the supervisor is ready for an order and the engine has said that it is started.
func (s *standby) awaitReady(ctx context.Context) error {
	late := time.NewTimer(s.limits.start)
	defer late.Stop()
	select {
	case <-s.answered:
	case <-late.C:
		return context.DeadlineExceeded
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.startErr != nil {
		return s.notStarted(ctx)
	}
	select {
	case <-s.ready:
		return nil
	case <-s.ended:
		return &brokenError{err: s.err, started: true}
	case <-late.C:
		return context.DeadlineExceeded
	case <-ctx.Done():
		return ctx.Err()
	}
}

// watchOver notices that a container dies while it waits.
func (p *pool) watchOver(s *shelf, one *standby) {
	<-one.ended
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.Contains(s.ready, one) {
		p.log.Debug("a container died while it waited for a call", "skill", s.spec.Skill, "container", one.request.Name)
		p.drop(s, one)
		p.poke()
	}
}

// drop takes a container off its shelf and lets it go. p.mu is held.
func (p *pool) drop(s *shelf, one *standby) {
	s.ready = slices.DeleteFunc(s.ready, func(other *standby) bool { return other == one })
	go one.leave()
}

// retire lets all containers of a shelf go. p.mu is held.
func (p *pool) retire(s *shelf) {
	for len(s.ready) > 0 {
		p.drop(s, s.ready[0])
	}
}

// refresh lets go of the containers whose images' names stand for others now.
func (p *pool) refresh(ctx context.Context, api dockerAPI) {
	p.mu.Lock()
	shelves := slices.Collect(maps.Values(p.shelves))
	p.mu.Unlock()
	for _, s := range shelves {
		facts, err := p.runtime.resolved.image(ctx, api, s.spec)
		if err != nil && !errors.Is(err, errNoImage) {
			continue // nothing is known; calls will see for themselves
		}
		p.mu.Lock()
		for _, one := range slices.Clone(s.ready) {
			if one.image != facts.id {
				p.drop(s, one)
			}
		}
		s.failures, s.retryAt = 0, time.Time{}
		p.mu.Unlock()
	}
	p.poke()
}

// close lets all containers go, and ends the making of new ones. It returns when nothing of the pool's goes on, or ctx ends.
func (p *pool) close(ctx context.Context) {
	p.mu.Lock()
	p.closed = true
	for _, s := range p.shelves {
		p.retire(s)
	}
	stopping, stopped := p.stopping, p.stopped
	p.mu.Unlock()
	if stopped != nil {
		stopping()
		select {
		case <-stopped:
		case <-ctx.Done():
		}
	}
}
