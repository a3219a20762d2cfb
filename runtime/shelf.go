package runtime

import (
	"slices"
	"time"

	"skillet/policy"
)

// shelf has the containers that wait for calls of one kind. Its pool's lock guards it.
type shelf struct {
	spec    policy.Container
	ready   []*standby // oldest first
	making  int
	waiting int           // calls that wait for one that is being made
	changed chan struct{} // closed when one was made, or could not be; nil while nobody waits

	used   time.Time   // the last call
	recent []time.Time // calls of the last minute

	failures int
	retryAt  time.Time // no container is made before it
}

const (
	lookBack     = time.Minute     // what counts as recent
	forgotten    = 5 * time.Minute // after it, a skill that is warm by use alone has no containers any more
	mostBySkill  = 8               // containers of a skill that is warm by use alone
	window       = time.Second     // calls within it want containers of their own
	firstRetry   = time.Second
	longestRetry = time.Minute
)

// use notes a call.
func (s *shelf) use(now time.Time) {
	s.used = now
	s.recent = append(s.recent, now)
	s.prune(now)
}

func (s *shelf) prune(now time.Time) {
	const most = 1000 // a minute of any load that containers can serve
	s.recent = slices.DeleteFunc(s.recent, func(at time.Time) bool { return now.Sub(at) > lookBack })
	s.recent = slices.Delete(s.recent, 0, max(0, len(s.recent)-most))
}

// wants is how many containers should wait: a number, or as many as there were calls within a second in the last minute.
func (s *shelf) wants(now time.Time) int {
	if s.spec.Warm != policy.WarmAuto {
		return s.spec.Warm
	}
	if s.used.IsZero() || now.Sub(s.used) > forgotten {
		return 0
	}
	s.prune(now)
	most, begin := 1, 0
	for end := range s.recent {
		for s.recent[end].Sub(s.recent[begin]) > window {
			begin++
		}
		most = max(most, end-begin+1)
	}
	return min(most, mostBySkill)
}

// stock is what is there and what is on its way.
func (s *shelf) stock() int { return len(s.ready) + s.making }

func (s *shelf) lacks(now time.Time) bool {
	return s.stock() < s.wants(now) && !now.Before(s.retryAt)
}

// failed puts the next attempt off, longer each time.
func (s *shelf) failed(now time.Time) {
	pause := min(firstRetry<<min(s.failures, 10), longestRetry)
	s.failures++
	s.retryAt = now.Add(pause)
}

// await returns a channel that is closed when something has changed, and counts the caller as waiting.
func (s *shelf) await() <-chan struct{} {
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	s.waiting++
	return s.changed
}

func (s *shelf) tellWaiting() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}
