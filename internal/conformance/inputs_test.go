//go:build conformance

package conformance

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// Tools of the newer era ask by answering: with what they need to know, and a state that comes back with it.

// key signs states.
var key = []byte(rand.Text())

func seal(state string) string {
	sum := hmac.New(sha256.New, key)
	sum.Write([]byte(state))
	return state + "." + hex.EncodeToString(sum.Sum(nil))
}

func unseal(sealed string) (string, error) {
	state, _, _ := strings.Cut(sealed, ".")
	if !hmac.Equal([]byte(seal(state)), []byte(sealed)) {
		return "", errors.New("the request state is not one of this server's")
	}
	return state, nil
}

// form asks for one value.
func form(message, name, kind string) mcp.ElicitationParams {
	return mcp.ElicitationParams{Mode: mcp.ElicitationModeForm, Message: message, RequestedSchema: map[string]any{
		"type": "object", "properties": map[string]any{name: map[string]any{"type": kind}}, "required": []string{name},
	}}
}

func question(text string, tokens int) mcp.CreateMessageParams {
	return mcp.CreateMessageParams{Messages: []mcp.SamplingMessage{{Role: mcp.RoleUser, Content: mcp.NewTextContent(text)}}, MaxTokens: tokens}
}

// answered tells whether all of these were answered.
func answered(responses mcp.InputResponses, names ...string) bool {
	for _, name := range names {
		if server.ElicitationResponse(responses, name) == nil && server.SamplingResponse(responses, name) == nil && server.RootsResponse(responses, name) == nil {
			return false
		}
	}
	return true
}

func inputs(s *server.MCPServer) {
	// asks adds a tool that asks once.
	asks := func(name string, builder func() *server.InputRequestBuilder, names ...string) {
		tool(s, name, func(_ context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			if answered(request.Params.InputResponses, names...) {
				return text("answered"), nil
			}
			return builder().ToolResult(), nil
		})
	}
	elicitation := func() *server.InputRequestBuilder {
		return server.NewInputRequestBuilder("").Elicit("user_name", form("What is your name?", "name", "string"))
	}
	asks("test_input_required_result_elicitation", elicitation, "user_name")
	asks("test_streaming_elicitation", elicitation, "user_name")
	asks("test_input_required_result_sampling", func() *server.InputRequestBuilder {
		return server.NewInputRequestBuilder("").Sample("capital_question", question("What is the capital of France?", 100))
	}, "capital_question")
	asks("test_input_required_result_list_roots", func() *server.InputRequestBuilder {
		return server.NewInputRequestBuilder("").Roots("client_roots")
	}, "client_roots")
	asks("test_input_required_result_multiple_inputs", func() *server.InputRequestBuilder {
		return elicitation().RequestState(seal("many")).Sample("greeting", question("Generate a greeting", 50)).Roots("client_roots")
	}, "user_name", "greeting", "client_roots")
	tool(s, "test_input_required_result_capabilities", func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		builder := server.NewInputRequestBuilder("")
		if has := capabilities(ctx); has.Elicitation != nil {
			builder = elicitation()
		} else if has.Sampling != nil {
			builder = builder.Sample("greeting", question("Generate a greeting", 50))
		}
		return builder.ToolResult(), nil
	})
	stated(s)
	s.AddPrompt(mcp.NewPrompt("test_input_required_result_prompt", mcp.WithPromptDescription("A fixture of the conformance suite")), func(_ context.Context, request mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		if !answered(request.Params.InputResponses, "user_context") {
			return server.NewInputRequestBuilder("").Elicit("user_context", form("What context should the prompt use?", "context", "string")).PromptResult(), nil
		}
		return &mcp.GetPromptResult{Messages: []mcp.PromptMessage{{Role: mcp.RoleUser, Content: mcp.NewTextContent("with context")}}}, nil
	})
}

// stated are the tools that take up where their state says.
func stated(s *server.MCPServer) {
	confirm := func(_ context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if !answered(request.Params.InputResponses, "confirm") {
			return server.NewInputRequestBuilder(seal("confirm")).Elicit("confirm", form("Please confirm", "ok", "boolean")).ToolResult(), nil
		}
		_, err := unseal(request.Params.RequestState)
		return text("state-ok"), err
	}
	tool(s, "test_input_required_result_request_state", confirm)
	tool(s, "test_input_required_result_tampered_state", confirm)
	tool(s, "test_input_required_result_multi_round", func(_ context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if request.Params.RequestState == "" {
			return server.NewInputRequestBuilder(seal("one")).Elicit("step1", form("Step 1: What is your name?", "name", "string")).ToolResult(), nil
		}
		state, err := unseal(request.Params.RequestState)
		if err == nil && state == "one" {
			return server.NewInputRequestBuilder(seal("two")).Elicit("step2", form("Step 2: What is your favorite color?", "color", "string")).ToolResult(), nil
		}
		return text("done"), err
	})
}
