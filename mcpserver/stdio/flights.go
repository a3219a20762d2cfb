package stdio

import (
	"context"
	"sync"
)

// flights are the requests that have come and are not answered yet, by their ids.
type flights struct {
	mu   sync.Mutex
	byID map[string]*flight
	idle sync.WaitGroup
}

// flight is one request.
type flight struct {
	cancel   context.CancelFunc
	endless  bool          // open until it is cancelled
	unwanted chan struct{} // closed when the client has cancelled it, and is owed nothing any more
}

// begin enters a request; false when one with the id is under way.
func (f *flights) begin(id string, one *flight) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, taken := f.byID[id]; taken {
		return false
	}
	if f.byID == nil {
		f.byID = map[string]*flight{}
	}
	f.byID[id] = one
	f.idle.Add(1)
	return true
}

// finish takes a request out and tells whether its response is still wanted. From here on a cancellation comes too late,
// and the id may be used again.
func (f *flights) finish(id string, one *flight) (wanted bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byID[id] != one {
		return false // cancelled; the id may belong to another request by now
	}
	delete(f.byID, id)
	return true
}

// cancel ends a request for its client. The id is free again at once.
func (f *flights) cancel(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if one, ok := f.byID[id]; ok {
		close(one.unwanted)
		one.cancel()
		delete(f.byID, id)
	}
}

// idleAgain returns a channel that is closed when all requests are answered. No request may begin from then on.
func (f *flights) idleAgain() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		f.idle.Wait()
		close(done)
	}()
	return done
}

// cancelAll ends every request, or only the endless ones, without taking its response from its client.
func (f *flights) cancelAll(onlyEndless bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, one := range f.byID {
		if one.endless || !onlyEndless {
			one.cancel()
		}
	}
}
