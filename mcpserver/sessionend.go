package mcpserver

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"skillet/skills"
)

var sessionEndSchema = compact(`{
	"type": "object",
	"properties": {"session": {"type": "string", "description": "the session, as the call with session = \"new\" returned it"}},
	"required": ["session"],
	"additionalProperties": false
}`)

// sessionEndTool is the tool beside skills that have sessions.
func sessionEndTool() mcp.Tool {
	tool := mcp.NewToolWithRawSchema(skills.SessionEnd,
		"End a session of another tool: its container is removed with all that runs and lies in it. Sessions also end by themselves when they are not used.",
		sessionEndSchema)
	tool.Title = "End a session"
	no, yes := false, true
	tool.Annotations = mcp.ToolAnnotation{ReadOnlyHint: &no, DestructiveHint: &yes, IdempotentHint: &yes, OpenWorldHint: &no}
	return tool
}

func hasSessions(all []*skills.Skill) bool {
	for _, skill := range all {
		if skill.Session {
			return true
		}
	}
	return false
}

func (s *Server) sessionEnd() server.ServerTool {
	return server.ServerTool{Tool: sessionEndTool(), Handler: func(ctx context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		var given map[string]json.RawMessage
		var handle string
		if json.Unmarshal(request.Params.RawArguments, &given) != nil || len(given) != 1 || json.Unmarshal(given["session"], &handle) != nil {
			return failure(`wrong arguments for session_end: it takes one, "session", a string`), nil
		}
		over, err := s.sessions.end(ctx, clientOf(ctx), handle)
		switch {
		case err != nil:
			return failure(err.Error()), nil
		case over:
			return mcp.NewToolResultText("The session is over, and nothing of it is left."), nil
		}
		return mcp.NewToolResultText("The session ends with the call that is under way in it, and takes no other."), nil
	}}
}

// mark tells in a result which session it is of, and what has become of that.
func (k *keptSession) mark(result *mcp.CallToolResult) {
	if k == nil {
		return
	}
	if why := k.Why(); why != "" {
		result.Content = append(result.Content, mcp.NewTextContent(fmt.Sprintf("The session has ended: %s. %s", why, openAnother)))
		return
	}
	if own, ok := result.StructuredContent.(structured); ok {
		own.Session = k.handle
		result.StructuredContent = own
	}
	if k.new {
		result.Content = append(result.Content, mcp.NewTextContent(fmt.Sprintf("The container is kept as session %s: a call with that session continues in it. "+
			"It ends after %s without a call, or with %s.", k.handle, k.idle, skills.SessionEnd)))
	}
}
