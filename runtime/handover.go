package runtime

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"skillet/policy"
	"skillet/runtime/supervisor/wire"
)

// The handing over of a container that waits to a call.

// coldStart notes that a call has a container made, during which the pool makes none. It returns what ends that.
func (p *pool) coldStart() (done func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cold++
	return sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.cold--
		p.poke()
	})
}

// take hands out a container that waits, for a call of this plan; nil when there is none. While one is being made that nobody
// waits for yet, that is waited for: beginning another one would only make both slower.
func (p *pool) take(ctx context.Context, spec policy.Container, h harness, seen []os.FileInfo) *standby {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.shelves[shelfKey(spec)]
	if s == nil || p.closed {
		return nil
	}
	now := time.Now()
	s.use(now)
	p.quiet = now.Add(firstMoments)
	defer p.poke()
	for {
		for len(s.ready) > 0 {
			one := s.ready[0]
			s.ready = s.ready[1:]
			if one.fits(h, seen) {
				return one
			}
			go one.leave()
		}
		if s.making <= s.waiting {
			return nil
		}
		made := s.await()
		p.cold++
		p.mu.Unlock()
		select {
		case <-made:
		case <-ctx.Done():
		}
		p.mu.Lock()
		p.cold--
		s.waiting--
		if ctx.Err() != nil {
			return nil
		}
	}
}

// fits tells whether a container is what the plan's would be now: of the same image, and with the same directories mounted, which
// may have been replaced by others of the same name.
func (s *standby) fits(h harness, seen []os.FileInfo) bool {
	if isClosed(s.ended) || s.image != h.image.id || len(s.sources) != len(seen) {
		return false
	}
	for i, before := range s.sources {
		if before == nil || seen[i] == nil || !os.SameFile(before, seen[i]) {
			return false
		}
	}
	return true
}

// fromPool finds a container that waits and hands the order to it; nil when there is none. A container that has died in the
// meantime has not taken the order, and the next one gets it.
func (x *execution) fromPool(ctx context.Context, h harness, order wire.OrderFrame) (*standby, error) {
	if x.spec.Warm == 0 {
		return nil, nil
	}
	seen := sources(x.spec)
	for {
		s := x.pool.take(ctx, x.spec, h, seen)
		if s == nil {
			return nil, nil
		}
		order.Limit = remaining(ctx, x.spec)
		err := s.accept(ctx, order, x.task())
		if err == nil {
			return s, nil
		}
		s.leave()
		switch {
		case over(ctx):
			return nil, x.interrupted(ctx, doingStart)
		case errors.Is(err, errSilent):
			return nil, nil // the next one would be as silent, as likely as not
		}
	}
}

// errSilent says that a container which waits does not answer: somebody has frozen it, or the machine has no time for it.
var errSilent = errors.New("the supervisor does not answer")

// accept hands an order over. Where that gives an error, nothing has run and nothing will.
func (s *standby) accept(ctx context.Context, order wire.OrderFrame, t *task) error {
	s.order(order, t, false)
	late := time.NewTimer(s.limits.word)
	defer late.Stop()
	select {
	case <-s.accepted:
		_ = s.carryOut() // from here on it may have run, whatever becomes of it
		return nil
	case <-s.ended:
		return s.err
	case <-late.C:
		return errSilent
	case <-ctx.Done():
		return ctx.Err()
	}
}
