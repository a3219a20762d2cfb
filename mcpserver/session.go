package mcpserver

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/mark3labs/mcp-go/mcp"

	"skillet/mcpserver/stdio"
)

// MCP has two eras, and a connection may mix them: up to 2025-11-25 a client introduces itself once, and all that follows
// belongs to that session; from 2026-07-28 on each request stands for itself and says who sends it. The library keeps both
// in what it calls a session. So each request gets a session of its own, which knows the connection's for the older era.

// connectionSession is the older era's part of a connection. Notifications that are for everybody go to it, once the client
// has introduced itself.
type connectionSession struct {
	session
	initialized atomic.Bool
}

func (s *connectionSession) Initialize()       { s.initialized.Store(true) }
func (s *connectionSession) Initialized() bool { return s.initialized.Load() }

// introduced takes over what the client has said of itself in an initialize request, after the response was written:
// nothing comes before that.
func (s *connectionSession) introduced(request *requestSession) {
	if request.initialized.Load() {
		s.Initialize()
	}
}

// requestSession is one request's view of its connection.
type requestSession struct {
	session
	initialized atomic.Bool // by this very request

	filterMu sync.Mutex
	filter   mcp.SubscriptionFilter
}

func (s *requestSession) Initialize() { s.initialized.Store(true) }

// Initialized is true: a response to a request can always be preceded by what is said of it.
func (s *requestSession) Initialized() bool { return true }

// SetSubscriptionFilter says what a subscriptions/listen request wants to hear of (2026-07-28, Subscriptions).
func (s *requestSession) SetSubscriptionFilter(filter mcp.SubscriptionFilter) {
	s.filterMu.Lock()
	defer s.filterMu.Unlock()
	s.filter = filter
}

// SubscriptionFilter is always in force: a request that asked for nothing hears of nothing, and one that asked for something
// not before this was acknowledged, which has to be the first that it hears.
func (s *requestSession) SubscriptionFilter() (mcp.SubscriptionFilter, bool) {
	if !s.acknowledged.Load() {
		return mcp.SubscriptionFilter{}, true
	}
	s.filterMu.Lock()
	defer s.filterMu.Unlock()
	return s.filter, true
}

// session is what both kinds have.
type session struct {
	ctx    context.Context // of the connection: what was said before a request ended is still sent
	id     string
	notify stdio.Notify
	tag    any // id of the subscriptions/listen request, put on each notification; nil for none

	acknowledged atomic.Bool // the subscription is

	sending sync.Once
	channel chan mcp.JSONRPCNotification
	over    chan struct{} // closed when no more notifications come
	sent    chan struct{} // closed when all are sent

	mu           sync.Mutex
	info         mcp.Implementation
	capabilities mcp.ClientCapabilities
}

func newSession(ctx context.Context, notify stdio.Notify) session {
	return session{
		ctx: ctx, id: uuid.NewString(), notify: notify,
		channel: make(chan mcp.JSONRPCNotification, 100), over: make(chan struct{}), sent: make(chan struct{}),
	}
}

func (s *session) SessionID() string { return s.id }

// NotificationChannel starts the sending with the first notification: most requests have none.
func (s *session) NotificationChannel() chan<- mcp.JSONRPCNotification {
	s.sending.Do(func() { go s.sendAll() })
	return s.channel
}

// finish returns when all notifications are sent, so that none comes after the response.
func (s *session) finish() {
	s.sending.Do(func() { close(s.sent) })
	close(s.over)
	<-s.sent
}

func (s *session) sendAll() {
	defer close(s.sent)
	for {
		select {
		case notification := <-s.channel:
			s.send(notification)
			continue
		default:
		}
		select {
		case notification := <-s.channel:
			s.send(notification)
		case <-s.over:
			if len(s.channel) == 0 {
				return
			}
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *session) send(notification mcp.JSONRPCNotification) {
	if notification.Method == mcp.MethodNotificationSubscriptionsAcknowledged {
		s.acknowledged.Store(true) // all that follows is sent after it
	}
	if s.tag != nil {
		// One notification goes to many sessions, each with its own tag.
		meta := maps.Clone(notification.Params.Meta)
		if meta == nil {
			meta = map[string]any{}
		}
		meta[mcp.MetaKeySubscriptionID] = s.tag
		notification.Params.Meta = meta
	}
	_ = s.notify(s.ctx, notification)
}

func (s *session) GetClientInfo() mcp.Implementation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.info
}

func (s *session) SetClientInfo(info mcp.Implementation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.info = info
}

func (s *session) GetClientCapabilities() mcp.ClientCapabilities {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.capabilities
}

func (s *session) SetClientCapabilities(capabilities mcp.ClientCapabilities) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.capabilities = capabilities
}
