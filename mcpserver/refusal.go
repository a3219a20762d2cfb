package mcpserver

import (
	"context"
	"errors"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// A tool that needs something of its client which the client has not declared answers with an error of the protocol
// (-32021). The library makes an internal error of whatever error a handler returns, so that this one is kept beside it.

// refuse keeps a handler's error of the protocol for the response.
func refuse(next server.ToolHandlerFunc) server.ToolHandlerFunc {
	return func(ctx context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		result, err := next(ctx, request)
		var missing mcp.MissingRequiredClientCapabilityError
		if session, ok := server.ClientSessionFromContext(ctx).(*httpSession); ok && errors.As(err, &missing) {
			session.refuse(missing)
		}
		return result, err
	}
}

func (s *httpSession) refuse(err error) {
	s.refusedMu.Lock()
	defer s.refusedMu.Unlock()
	s.refused = err
}

func (s *httpSession) refusal() error {
	s.refusedMu.Lock()
	defer s.refusedMu.Unlock()
	return s.refused
}
