package mcpserver

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"skillet/mcpserver/stdio"
	"skillet/mcpserver/streamable"
)

// Resource is what clients are told of the access tokens that they need (RFC 9728).
type Resource struct {
	URL    string // of this server, as its clients have it
	Issuer string // of the authorization server
	Scope  string // that every token needs; "" for none
}

// MetadataURL is where clients find it.
func (r Resource) MetadataURL() string {
	path := server.ProtectedResourceMetadataPath(r.URL)
	return siteOf(r.URL) + path
}

// ServeStreamable speaks MCP over HTTP until ctx ends, and the calls in flight are answered. The resource is nil where no
// access tokens are asked for.
//
// The library's own transport is not used: it cancels by the ids of requests, which several clients may share, loses
// notifications that come right before a response, and changes large ids.
func (s *Server) ServeStreamable(ctx context.Context, listener net.Listener, resource *Resource, options streamable.Options) error {
	if resource != nil {
		options.MetadataPath = server.ProtectedResourceMetadataPath(resource.URL)
		options.Metadata = resource.handler()
	}
	options.Grace, options.Hurry, options.Logger = s.options.Grace, s.options.Hurry, s.log
	grace, end := s.graceAfter(ctx)
	defer end()
	err := streamable.Serve(ctx, listener, &overHTTP{server: s}, options)
	if ctx.Err() == nil { // there was nobody to tell it to stop
		end()
	}
	s.drainJobs(grace)
	return err
}

// graceAfter returns a context that ends with the grace period, which begins when ctx ends.
func (s *Server) graceAfter(ctx context.Context) (context.Context, context.CancelFunc) {
	grace, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		defer end()
		select {
		case <-time.After(s.options.Grace):
		case <-s.options.Hurry:
		case <-grace.Done():
		}
	})
	return grace, func() {
		stop()
		end()
	}
}

func (r Resource) handler() http.Handler {
	config := server.ProtectedResourceMetadataConfig{
		Resource: r.URL, AuthorizationServers: []string{r.Issuer}, BearerMethodsSupported: []string{"header"}, ResourceName: "skillet",
	}
	if r.Scope != "" {
		config.ScopesSupported = []string{r.Scope}
	}
	return server.NewProtectedResourceMetadataHandler(config)
}

// overHTTP answers what comes in over HTTP. Each request stands for itself, in both eras: the older one's sessions are
// the server's to offer, and it offers none.
type overHTTP struct {
	server *Server
	asks   asks
}

// Accept takes in one request. See [streamable.Handler].
func (h *overHTTP) Accept(ctx context.Context, call streamable.Call, notify streamable.Notify) streamable.Request {
	modern, err := h.server.checkHeaders(call)
	if err != nil {
		return streamable.Request{Answer: func() streamable.Response { return respond(call, protocolError(err), true) }}
	}
	// What was said before the request ended is still sent, so that its end is not the session's.
	open, end := context.WithCancel(context.WithoutCancel(ctx))
	session := &httpSession{
		requestSession: requestSession{session: newSession(open, stdio.Notify(notify))},
		asks:           &h.asks, client: call.Client,
	}
	ctx = withClient(h.server.mcp.WithContext(ctx, session), call.Client)
	ctx, leave := h.server.takePlace(ctx, call.Method, call.Raw)
	return streamable.Request{Written: func() { leave(); end() }, Answer: func() streamable.Response {
		if h.Endless(call.Method) {
			session.tag = json.RawMessage(call.ID)
			if h.server.mcp.RegisterSession(ctx, session) == nil {
				defer h.server.mcp.UnregisterSession(ctx, session.id)
			}
		}
		response := h.server.Handle(ctx, call.Raw)
		session.finish()
		if refused := session.refusal(); refused != nil {
			response = protocolError(refused)
		}
		return respond(call, response, modern)
	}}
}

// Answered takes in a client's answer to what a tool has asked it. See [streamable.Handler].
func (h *overHTTP) Answered(call streamable.Call) { h.asks.answered(call) }

// Endless is about the one request that stays open to carry notifications (2026-07-28, Subscriptions).
func (h *overHTTP) Endless(method string) bool {
	return method == string(mcp.MethodSubscriptionsListen)
}

// respond writes a response, with the status that goes with an error in the newer era. In the older one an error is an
// answer like any other.
func respond(call streamable.Call, response mcp.JSONRPCMessage, modern bool) streamable.Response {
	status := http.StatusOK
	if failed, ok := response.(mcp.JSONRPCError); ok && modern {
		status = statusOf(failed.Error.Code)
	}
	return streamable.Response{Status: status, Message: toResponse(json.RawMessage(call.ID), response)}
}

func statusOf(code int) int {
	switch code {
	case mcp.METHOD_NOT_FOUND:
		return http.StatusNotFound
	case mcp.HEADER_MISMATCH, mcp.MISSING_REQUIRED_CLIENT_CAPABILITY, mcp.UNSUPPORTED_PROTOCOL_VERSION,
		mcp.INVALID_REQUEST, mcp.INVALID_PARAMS, mcp.PARSE_ERROR:
		return http.StatusBadRequest
	}
	return http.StatusOK
}

// clientKey finds the client of a request in its context.
type clientKey struct{}

func withClient(ctx context.Context, client string) context.Context {
	return context.WithValue(ctx, clientKey{}, client)
}

// clientOf names the client that ctx's request comes from, "" for the one at the other end of the streams.
func clientOf(ctx context.Context) string {
	name, _ := ctx.Value(clientKey{}).(string)
	return name
}
