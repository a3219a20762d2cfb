//go:build conformance

package conformance

import (
	"context"
	"fmt"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// messages are the tools that say something on the way to their answer, or ask something in the older era.
func messages(s *server.MCPServer) {
	tool(s, "test_tool_with_logging", func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		for _, message := range []string{"Tool execution started", "Tool processing data", "Tool execution completed"} {
			if err := say(ctx, s, message); err != nil {
				return nil, err
			}
		}
		return text("logged"), nil
	})
	tool(s, "test_logging_tool", func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return text("logged"), s.SendLogMessageToClient(ctx, mcp.NewLoggingMessageNotification(mcp.LoggingLevelInfo, "conformance", "a message"))
	})
	tool(s, "test_tool_with_progress", func(ctx context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if request.Params.Meta == nil || request.Params.Meta.ProgressToken == nil {
			return text("nobody asked for progress"), nil
		}
		for _, progress := range []int{0, 50, 100} {
			if err := s.SendNotificationToClient(ctx, string(mcp.MethodNotificationProgress), map[string]any{
				"progressToken": request.Params.Meta.ProgressToken, "progress": progress, "total": 100,
			}); err != nil {
				return nil, err
			}
		}
		return text("progress reported"), nil
	})
	tool(s, "test_trigger_tool_change", func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		tool(s, "test_changed", func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) { return text("ok"), nil })
		s.DeleteTools("test_changed")
		return text("changed"), nil
	})
	tool(s, "test_trigger_prompt_change", func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		s.AddPrompt(mcp.NewPrompt("test_changed"), func(context.Context, mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			return &mcp.GetPromptResult{}, nil
		})
		s.DeletePrompts("test_changed")
		return text("changed"), nil
	})
	tool(s, "test_missing_capability", func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if capabilities(ctx).Sampling == nil {
			return nil, mcp.MissingRequiredClientCapabilityError{Capability: "sampling"}
		}
		return text("the client has it"), nil
	})
	asking(s)
}

// say sends a message of the log.
func say(ctx context.Context, s *server.MCPServer, message string) error {
	return s.SendNotificationToClient(ctx, string(mcp.MethodNotificationMessage), map[string]any{"level": "info", "logger": "conformance", "data": message})
}

// capabilities returns what the client of a request has declared.
func capabilities(ctx context.Context) mcp.ClientCapabilities {
	session, ok := server.ClientSessionFromContext(ctx).(server.SessionWithClientInfo)
	if !ok {
		return mcp.ClientCapabilities{}
	}
	return session.GetClientCapabilities()
}

// asking are the tools that ask something of a client of the older era.
func asking(s *server.MCPServer) {
	s.AddTool(mcp.NewTool("test_sampling", described, mcp.WithString("prompt", mcp.Required())),
		func(ctx context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			//lint:ignore SA1019 the suite asks for it where it was not deprecated yet
			result, err := s.RequestSampling(ctx, mcp.CreateMessageRequest{CreateMessageParams: mcp.CreateMessageParams{
				Messages:  []mcp.SamplingMessage{{Role: mcp.RoleUser, Content: mcp.NewTextContent(request.GetString("prompt", ""))}},
				MaxTokens: 100,
			}})
			if err != nil {
				return mcp.NewToolResultError(err.Error()), nil
			}
			answer, _ := result.Content.(mcp.TextContent)
			return text("LLM response: " + answer.Text), nil
		})
	elicits := func(name string, message string, properties map[string]any, required ...string) {
		s.AddTool(mcp.NewTool(name, described, mcp.WithString("message")), func(ctx context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			schema := map[string]any{"type": "object", "properties": properties}
			if required != nil {
				schema["required"] = required
			}
			result, err := s.RequestElicitation(ctx, mcp.ElicitationRequest{Params: mcp.ElicitationParams{
				Message: request.GetString("message", message), RequestedSchema: schema,
			}})
			if err != nil {
				return mcp.NewToolResultError(err.Error()), nil
			}
			return text(fmt.Sprintf("%s: action=%s, content=%v", message, result.Action, result.Content)), nil
		})
	}
	elicits("test_elicitation", "User response", map[string]any{
		"username": map[string]any{"type": "string", "description": "User's response"},
		"email":    map[string]any{"type": "string", "description": "User's email address"},
	}, "username", "email")
	elicits("test_elicitation_sep1034_defaults", "Elicitation completed", map[string]any{
		"name":     map[string]any{"type": "string", "default": "John Doe"},
		"age":      map[string]any{"type": "integer", "default": 30},
		"score":    map[string]any{"type": "number", "default": 95.5},
		"status":   map[string]any{"type": "string", "enum": []string{"active", "inactive", "pending"}, "default": "active"},
		"verified": map[string]any{"type": "boolean", "default": true},
	})
	titled := []map[string]any{{"const": "value1", "title": "Value One"}, {"const": "value2", "title": "Value Two"}}
	elicits("test_elicitation_sep1330_enums", "Elicitation completed", map[string]any{
		"untitledSingle": map[string]any{"type": "string", "enum": []string{"option1", "option2"}},
		"titledSingle":   map[string]any{"type": "string", "oneOf": titled},
		"legacyEnum":     map[string]any{"type": "string", "enum": []string{"opt1", "opt2"}, "enumNames": []string{"Option One", "Option Two"}},
		"untitledMulti":  map[string]any{"type": "array", "items": map[string]any{"type": "string", "enum": []string{"option1", "option2"}}},
		"titledMulti":    map[string]any{"type": "array", "items": map[string]any{"anyOf": titled}},
	})
}
