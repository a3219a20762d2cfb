package mcpserver

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"
)

// queue lets a number of calls run at a time, in the order of their arrival. More than that would only make each of them
// slower: the engine is bound by its processors.
type queue struct {
	mu         sync.Mutex
	running    int
	waiting    []*place
	maxRunning int
	maxWaiting int
}

// maxReads is how many resources are read at a time. Each holds some megabytes until its answer is written.
const maxReads = 4

// queueOf returns the queue in which a request has to wait, nil for none.
func (s *Server) queueOf(method string) *queue {
	switch method {
	case string(mcp.MethodToolsCall):
		return s.queue
	case string(mcp.MethodResourcesRead):
		return s.reads
	}
	return nil
}

// newQueue makes a queue; 0 stands for the defaults. Starting containers keeps the processors busy at two calls for each,
// and most calls also wait for something else.
func newQueue(maxRunning, maxWaiting int) *queue {
	if maxRunning <= 0 {
		maxRunning = max(8, 4*runtime.NumCPU())
	}
	if maxWaiting <= 0 {
		maxWaiting = 1000
	}
	return &queue{maxRunning: maxRunning, maxWaiting: maxWaiting}
}

// place is a call's place in the queue.
type place struct {
	queue   *queue
	turn    chan struct{} // closed when the call may run
	running bool
	left    bool // by the request that it was taken for
	shared  int  // by so many others
}

// busyError says that the queue is full.
type busyError struct{ waiting int }

func (e *busyError) Error() string {
	return fmt.Sprintf("skillet is busy: %d calls are waiting already. Try again in a moment.", e.waiting)
}

// enter takes a place at the end. The error is *busyError.
func (q *queue) enter() (*place, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	p := &place{queue: q, turn: make(chan struct{})}
	if q.running < q.maxRunning && len(q.waiting) == 0 {
		q.run(p)
		return p, nil
	}
	if len(q.waiting) >= q.maxWaiting {
		return nil, &busyError{len(q.waiting)}
	}
	q.waiting = append(q.waiting, p)
	return p, nil
}

func (q *queue) run(p *place) {
	q.running++
	p.running = true
	close(p.turn)
}

// wait returns when it is the call's turn, or ctx ends.
func (p *place) wait(ctx context.Context) error {
	select {
	case <-p.turn:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// number is the call's number in the queue, from 1; 0 when it does not wait, or there is no queue.
func (p *place) number() int {
	if p == nil {
		return 0
	}
	p.queue.mu.Lock()
	defer p.queue.mu.Unlock()
	return slices.Index(p.queue.waiting, p) + 1
}

// leave gives the place to the next call, unless somebody shares it. It may be called more than once.
func (p *place) leave() {
	p.queue.mu.Lock()
	defer p.queue.mu.Unlock()
	if !p.left {
		p.left = true
		p.vacate()
	}
}

// share keeps the place beyond its request, until the returned function is called.
func (p *place) share() (leave func()) {
	if p == nil {
		return func() {}
	}
	p.queue.mu.Lock()
	defer p.queue.mu.Unlock()
	p.shared++
	return sync.OnceFunc(func() {
		p.queue.mu.Lock()
		defer p.queue.mu.Unlock()
		p.shared--
		p.vacate()
	})
}

// vacate gives the place to the next call once nobody has it any more. The queue's lock is held.
func (p *place) vacate() {
	q := p.queue
	if !p.left || p.shared > 0 {
		return
	}
	if p.running {
		q.running--
	} else {
		for i, other := range q.waiting {
			if other == p {
				q.waiting = append(q.waiting[:i], q.waiting[i+1:]...)
				break
			}
		}
	}
	for q.running < q.maxRunning && len(q.waiting) > 0 {
		next := q.waiting[0]
		q.waiting = q.waiting[1:]
		q.run(next)
	}
}

// placeKey finds a call's place in its context. The place is taken when the request comes in, before it has a goroutine
// that could be overtaken, and left when the response was written: so a client that does not read holds no more results
// than may run at a time.
type placeKey struct{}

func withPlace(ctx context.Context, p *place, err error) context.Context {
	if err != nil {
		return context.WithValue(ctx, placeKey{}, err)
	}
	return context.WithValue(ctx, placeKey{}, p)
}

// takePlace takes a place for a request that needs one, and returns what gives it back. Who asks for jobs needs none: these may
// have all places.
func (s *Server) takePlace(ctx context.Context, method string, request json.RawMessage) (context.Context, func()) {
	queue := s.queueOf(method)
	if queue == nil || queue == s.queue && s.jobTools.Load() && callsJobTool(request) {
		return ctx, func() {}
	}
	place, err := queue.enter()
	if err != nil {
		return withPlace(ctx, nil, err), func() {}
	}
	return withPlace(ctx, place, nil), place.leave
}

// myTurn waits for the turn of the call that ctx belongs to. The error is *busyError or the context's.
func myTurn(ctx context.Context) error {
	switch held := ctx.Value(placeKey{}).(type) {
	case error:
		return held
	case *place:
		return held.wait(ctx)
	}
	return nil
}
