package streamable

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

// health answers what watches the server. It is open to everybody, and tells nothing but yes or no.
type health struct {
	ask    func(context.Context) error
	ending context.Context

	mu    sync.Mutex
	asked time.Time
	last  error
}

// readyFor is how long an answer holds: whoever asks often must not keep the engine busy. askTime bounds the asking.
const (
	readyFor = time.Second
	askTime  = 5 * time.Second
)

func newHealth(ask func(context.Context) error, ending context.Context) *health {
	return &health{ask: ask, ending: ending}
}

// alive says that this process answers.
func (h *health) alive(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok\n") }

// ready says whether calls are likely to be answered: the engine is there, and the server is not about to end.
func (h *health) ready(w http.ResponseWriter, _ *http.Request) {
	switch {
	case h.ending.Err() != nil:
		say(w, http.StatusServiceUnavailable, "skillet is being stopped\n")
	case h.engine() != nil:
		say(w, http.StatusServiceUnavailable, "the engine does not answer; skillet's log says more\n")
	default:
		say(w, http.StatusOK, "ok\n")
	}
}

// engine asks the engine, one at a time.
func (h *health) engine() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.asked) < readyFor {
		return h.last
	}
	ctx, cancel := context.WithTimeout(h.ending, askTime) // whoever asked first may be gone
	defer cancel()
	h.last = h.ask(ctx)
	h.asked = time.Now()
	return h.last
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}
