package mcpserver

import (
	"context"
	"encoding/json"
	"io"

	"github.com/mark3labs/mcp-go/mcp"

	"skillet/mcpserver/stdio"
)

// ServeStdio speaks MCP over two streams until in ends or ctx does, and the calls in flight are answered.
func (s *Server) ServeStdio(ctx context.Context, in io.Reader, out io.Writer) error {
	c := &connection{server: s}
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	defer c.end()
	return stdio.Serve(ctx, c, in, out, stdio.Options{
		Grace: s.options.Grace, Hurry: s.options.Hurry, Logger: s.log, Linger: s.drainJobs,
	})
}

// connection is one client on two streams.
type connection struct {
	server  *Server
	ctx     context.Context // of the connection, which outlives each request
	cancel  context.CancelFunc
	session *connectionSession
}

// Begin makes the connection known for notifications to everybody. See [stdio.Handler].
func (c *connection) Begin(notify stdio.Notify) {
	c.session = &connectionSession{session: newSession(c.ctx, notify)}
	_ = c.server.mcp.RegisterSession(c.ctx, c.session) // fails for an id that is taken, and ids are random
}

func (c *connection) end() {
	c.cancel()
	c.server.mcp.UnregisterSession(c.ctx, c.session.id)
}

// Accept takes in one request. See [stdio.Handler].
func (c *connection) Accept(ctx context.Context, method string, raw json.RawMessage, notify stdio.Notify) stdio.Request {
	session := &requestSession{session: newSession(c.ctx, notify)}
	ctx = c.server.mcp.WithContext(ctx, session)
	request := stdio.Request{}
	ctx, request.Written = c.server.takePlace(ctx, method, raw)
	if method == string(mcp.MethodInitialize) {
		request.Written = func() { c.session.introduced(session) }
	}
	request.Answer = func() any {
		id := requestID(raw)
		if c.Endless(method) {
			session.tag = id
			if c.server.mcp.RegisterSession(ctx, session) == nil {
				defer c.server.mcp.UnregisterSession(ctx, session.id)
			}
		}
		response := c.server.Handle(ctx, raw)
		session.finish()
		return toResponse(id, response)
	}
	return request
}

// Notified takes in what has no answer. See [stdio.Handler].
func (c *connection) Notified(ctx context.Context, raw json.RawMessage) {
	c.server.Handle(ctx, raw)
}

// Endless is about the one request that stays open to carry notifications (2026-07-28, Subscriptions).
func (c *connection) Endless(method string) bool {
	return method == string(mcp.MethodSubscriptionsListen)
}

// requestID returns the id of a request as it was written.
func requestID(raw json.RawMessage) json.RawMessage {
	var request struct {
		ID json.RawMessage `json:"id"`
	}
	_ = json.Unmarshal(raw, &request) // the transport has read it already
	return request.ID
}

// toResponse makes the library's response one that bears the request's id as the client wrote it, wherever it bears it: the
// library reads numbers as floating point, in which large ones change.
func toResponse(id json.RawMessage, response mcp.JSONRPCMessage) any {
	switch exact := response.(type) {
	case mcp.JSONRPCResponse:
		exact.ID = mcp.NewRequestId(id)
		switch result := exact.Result.(type) {
		case *mcp.CallToolResult:
			if result.RawStructuredContent == nil {
				exact.Result = (*callToolResult)(result)
			}
		case mcp.SubscriptionsListenResult:
			result.EnsureResultMeta().SetSubscriptionID(id)
			exact.Result = result
		}
		return exact
	case mcp.JSONRPCError:
		exact.ID = mcp.NewRequestId(id)
		return exact
	}
	return response
}

// callToolResult is the library's result without its way to encode it, which is to encode it as a whole and then again as
// a part of the response: that is slow, and twice as large, for results of megabytes. The fields alone say the same.
type callToolResult mcp.CallToolResult
