//go:build conformance

package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// A picture and a sound, as small as can be.
const (
	png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
	wav = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="
)

// extend makes a server what the suite expects.
func extend(s *server.MCPServer) {
	for _, option := range []server.ServerOption{
		server.WithToolCapabilities(true), server.WithResourceCapabilities(true, true), server.WithPromptCapabilities(true),
		server.WithLogging(), server.WithElicitation(), server.WithCompletions(), server.WithPromptCompletionProvider(completions{}),
	} {
		option(s)
	}
	s.EnableSampling()
	contents(s)
	messages(s)
	inputs(s)
	resources(s)
	prompts(s)
}

var described = mcp.WithDescription("A fixture of the conformance suite")

// tool adds a tool without arguments.
func tool(s *server.MCPServer, name string, handler server.ToolHandlerFunc) {
	s.AddTool(mcp.NewTool(name, described), handler)
}

func text(text string) *mcp.CallToolResult { return mcp.NewToolResultText(text) }

// contents are the tools that return content of every kind.
func contents(s *server.MCPServer) {
	embedded := func(uri, mediaType, text string) mcp.Content {
		return mcp.NewEmbeddedResource(mcp.TextResourceContents{URI: uri, MIMEType: mediaType, Text: text})
	}
	for name, content := range map[string][]mcp.Content{
		"test_simple_text":       {mcp.NewTextContent("This is a simple text response for testing.")},
		"test_image_content":     {mcp.NewImageContent(png, "image/png")},
		"test_audio_content":     {mcp.NewAudioContent(wav, "audio/wav")},
		"test_embedded_resource": {embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")},
		"test_multiple_content_types": {
			mcp.NewTextContent("Multiple content types test:"), mcp.NewImageContent(png, "image/png"),
			embedded("test://mixed-content-resource", "application/json", `{"test":"data","value":123}`),
		},
	} {
		tool(s, name, func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{Content: content}, nil
		})
	}
	tool(s, "test_error_handling", func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultError("This tool intentionally returns an error for testing"), nil
	})
	s.AddTool(mcp.NewToolWithRawSchema("json_schema_2020_12_tool", "Tool with JSON Schema 2020-12 features", json.RawMessage(`{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
		"$defs": {"address": {"$anchor": "addressDef", "type": "object", "properties": {"street": {"type": "string"}, "city": {"type": "string"}}}},
		"properties": {
			"name": {"type": "string"}, "address": {"$ref": "#/$defs/address"}, "contactMethod": {"type": "string", "enum": ["phone", "email"]},
			"phone": {"type": "string"}, "email": {"type": "string"}
		},
		"allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
		"if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
		"then": {"required": ["phone"]}, "else": {"required": ["email"]}, "additionalProperties": false
	}`)), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) { return text("ok"), nil })
	s.AddTool(mcp.NewToolWithRawSchema("test_custom_header", "A tool with an argument that travels in a header, too", json.RawMessage(`{
		"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}
	}`)), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) { return text("ok"), nil })
}

func resources(s *server.MCPServer) {
	s.AddResource(mcp.NewResource("test://static-text", "static-text", mcp.WithMIMEType("text/plain")),
		func(context.Context, mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
			return []mcp.ResourceContents{mcp.TextResourceContents{URI: "test://static-text", MIMEType: "text/plain", Text: "This is the content of the static text resource."}}, nil
		})
	s.AddResource(mcp.NewResource("test://static-binary", "static-binary", mcp.WithMIMEType("image/png")),
		func(context.Context, mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
			return []mcp.ResourceContents{mcp.BlobResourceContents{URI: "test://static-binary", MIMEType: "image/png", Blob: png}}, nil
		})
	s.AddResourceTemplate(mcp.NewResourceTemplate("test://template/{id}/data", "template", mcp.WithTemplateMIMEType("application/json")),
		func(_ context.Context, request mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
			id := strings.TrimSuffix(strings.TrimPrefix(request.Params.URI, "test://template/"), "/data")
			data := fmt.Sprintf(`{"id":%q,"templateTest":true,"data":%q}`, id, "Data for ID: "+id)
			return []mcp.ResourceContents{mcp.TextResourceContents{URI: request.Params.URI, MIMEType: "application/json", Text: data}}, nil
		})
}

func prompts(s *server.MCPServer) {
	user := func(content mcp.Content) mcp.PromptMessage {
		return mcp.PromptMessage{Role: mcp.RoleUser, Content: content}
	}
	add := func(name string, options []mcp.PromptOption, messages func(arguments map[string]string) []mcp.PromptMessage) {
		s.AddPrompt(mcp.NewPrompt(name, append(options, mcp.WithPromptDescription("A fixture of the conformance suite"))...),
			func(_ context.Context, request mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
				return &mcp.GetPromptResult{Messages: messages(request.Params.Arguments)}, nil
			})
	}
	add("test_simple_prompt", nil, func(map[string]string) []mcp.PromptMessage {
		return []mcp.PromptMessage{user(mcp.NewTextContent("This is a simple prompt for testing."))}
	})
	add("test_prompt_with_arguments", []mcp.PromptOption{
		mcp.WithArgument("arg1", mcp.RequiredArgument()), mcp.WithArgument("arg2", mcp.RequiredArgument()),
	}, func(arguments map[string]string) []mcp.PromptMessage {
		return []mcp.PromptMessage{user(mcp.NewTextContent(fmt.Sprintf("Prompt with arguments: arg1='%s', arg2='%s'", arguments["arg1"], arguments["arg2"])))}
	})
	add("test_prompt_with_embedded_resource", []mcp.PromptOption{
		mcp.WithArgument("resourceUri", mcp.RequiredArgument()),
	}, func(arguments map[string]string) []mcp.PromptMessage {
		return []mcp.PromptMessage{
			user(mcp.NewEmbeddedResource(mcp.TextResourceContents{URI: arguments["resourceUri"], MIMEType: "text/plain", Text: "Embedded resource content for testing."})),
			user(mcp.NewTextContent("Please process the embedded resource above.")),
		}
	})
	add("test_prompt_with_image", nil, func(map[string]string) []mcp.PromptMessage {
		return []mcp.PromptMessage{user(mcp.NewImageContent(png, "image/png")), user(mcp.NewTextContent("Please analyze the image above."))}
	})
}

// completions completes an argument of a prompt.
type completions struct{}

func (completions) CompletePromptArgument(_ context.Context, _ string, argument mcp.CompleteArgument, _ mcp.CompleteContext) (*mcp.Completion, error) {
	var values []string
	for _, value := range []string{"paris", "park", "party"} {
		if strings.HasPrefix(value, argument.Value) {
			values = append(values, value)
		}
	}
	return &mcp.Completion{Values: values, Total: len(values)}, nil
}
