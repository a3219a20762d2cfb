package workdir

import (
	"context"
	"sync"
)

// Traffic knows which calls write to a directory beside each other. Its zero value is ready; nil stands for calls of
// which there is only one.
type Traffic struct {
	mu     sync.Mutex
	visits map[*visit]bool
}

// visit is a call's time in the directory.
type visit struct {
	traffic *Traffic
	met     bool // another
}

// Begin looks at a directory before a call that writes to it.
func (t *Traffic) Begin(ctx context.Context, directory string, wanted Wanted) *Watch {
	w := &Watch{directory: directory, wanted: wanted, limits: DefaultLimits(), visit: t.enter()}
	w.look(ctx)
	return w
}

func (t *Traffic) enter() *visit {
	v := &visit{traffic: t}
	if t == nil {
		return v
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.visits == nil {
		t.visits = map[*visit]bool{}
	}
	for other := range t.visits {
		other.met, v.met = true, true
	}
	t.visits[v] = true
	return v
}

// shared reports whether another call was there at some time.
func (v *visit) shared() bool {
	if v.traffic == nil {
		return false
	}
	v.traffic.mu.Lock()
	defer v.traffic.mu.Unlock()
	return v.met
}

func (v *visit) leave() {
	if v.traffic == nil {
		return
	}
	v.traffic.mu.Lock()
	defer v.traffic.mu.Unlock()
	delete(v.traffic.visits, v)
}
