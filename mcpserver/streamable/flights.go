package streamable

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
)

// Up to 2025-11-25 a client cancels a request by a notification with its id. All clients count from 1, so that the id alone
// would name somebody else's request, too. Hence a client gets a session id with its introduction, which nobody can guess,
// and sends it along: it tells clients apart, and nothing else. No session is kept, any id is as good as another, and one
// that another process gave as well. Clients that send none cancel by closing the connection, like those of 2026-07-28.
const sessionHeader = "Mcp-Session-Id"

// errCancelled is why a request ends that its client has cancelled. It is owed no response.
var errCancelled = errors.New("the client has cancelled the request")

// flights are the requests under way that can be cancelled.
type flights struct {
	mu    sync.Mutex
	byKey map[string]context.CancelCauseFunc
}

// key names a request of one client in one session; "" without one.
func key(client string, header http.Header, id string) string {
	session := header.Get(sessionHeader)
	if session == "" {
		return ""
	}
	return strings.Join([]string{client, session, id}, "\x00")
}

// begin enters a request; false when one with its id is under way in its session.
func (f *flights) begin(key string, cancel context.CancelCauseFunc) bool {
	if key == "" {
		return true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byKey[key] != nil {
		return false
	}
	if f.byKey == nil {
		f.byKey = map[string]context.CancelCauseFunc{}
	}
	f.byKey[key] = cancel
	return true
}

func (f *flights) end(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.byKey, key)
}

func (f *flights) cancel(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if cancel := f.byKey[key]; cancel != nil {
		cancel(errCancelled)
	}
}
