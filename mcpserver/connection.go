package mcpserver

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/mark3labs/mcp-go/mcp"

	"skillet/mcpserver/stdio"
)

// ServeStdio speaks MCP over two streams until in ends or ctx does, and the calls in flight are answered.
func (s *Server) ServeStdio(ctx context.Context, in io.Reader, out io.Writer) error {
	c := &connection{server: s}
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	defer c.end()
	return stdio.Serve(ctx, c, in, out, stdio.Options{Grace: s.options.Grace, Hurry: s.options.Hurry, Logger: s.log})
}

// connection is one client on two streams.
type connection struct {
	server  *Server
	ctx     context.Context // of the connection, which outlives each request
	cancel  context.CancelFunc
	session *connectionSession // made with the first request
}

// Accept takes in one request. See [stdio.Handler].
func (c *connection) Accept(ctx context.Context, method string, raw json.RawMessage, notify stdio.Notify) stdio.Request {
	session := &requestSession{session: newSession(c.ctx, notify), connection: c.register(notify)}
	ctx = c.server.mcp.WithContext(ctx, session)
	request := stdio.Request{}
	if method == string(mcp.MethodToolsCall) {
		place, err := c.server.queue.enter()
		ctx = withPlace(ctx, place, err)
		if err == nil {
			request.Written = place.leave
		}
	}
	request.Answer = func() []byte {
		id := requestID(raw)
		if c.Endless(method) {
			session.tag = id
			if c.server.mcp.RegisterSession(ctx, session) == nil {
				defer c.server.mcp.UnregisterSession(ctx, session.id)
			}
		}
		response := c.server.Handle(ctx, raw)
		session.finish()
		return encode(id, response)
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

// register makes the connection known for notifications to everybody.
func (c *connection) register(notify stdio.Notify) *connectionSession {
	if c.session == nil {
		c.session = &connectionSession{session: newSession(c.ctx, notify)}
		_ = c.server.mcp.RegisterSession(c.ctx, c.session) // fails for an id that is taken, and ids are random
	}
	return c.session
}

func (c *connection) end() {
	c.cancel()
	if c.session != nil {
		c.server.mcp.UnregisterSession(c.ctx, c.session.id)
	}
}

// requestID returns the id of a request as it was written.
func requestID(raw json.RawMessage) json.RawMessage {
	var request struct {
		ID json.RawMessage `json:"id"`
	}
	_ = json.Unmarshal(raw, &request) // the transport has read it already
	return request.ID
}

// encode writes a response, nil for none. It bears the request's id as the client wrote it: the library reads numbers as
// floating point, in which large ones change. A response that cannot be written must not leave its request unanswered.
func encode(id json.RawMessage, response mcp.JSONRPCMessage) []byte {
	switch exact := response.(type) {
	case nil:
		return nil
	case mcp.JSONRPCResponse:
		exact.ID = mcp.NewRequestId(id)
		response = exact
	case mcp.JSONRPCError:
		exact.ID = mcp.NewRequestId(id)
		response = exact
	}
	encoded, err := json.Marshal(response)
	if err != nil {
		return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"error":{"code":%d,"message":"the result cannot be encoded"}}`, id, mcp.INTERNAL_ERROR)
	}
	return encoded
}
