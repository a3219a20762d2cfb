package mcpserver

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"skillet/skills"
)

// setDocs offers what there is to say about skills as resources, and tells the clients that want to know of a change.
func (s *Server) setDocs(vetted []*skills.Skill) {
	var all []server.ServerResource
	texts := map[string]string{}
	for _, skill := range vetted {
		text := skill.Documentation()
		if text == "" {
			continue
		}
		uri := location{kind: kindDocs, name: skill.Name}.uri()
		texts[uri] = text
		summary, _, _ := strings.Cut(strings.TrimSpace(skill.Description), "\n")
		resource := mcp.NewResource(uri, skill.Name,
			mcp.WithResourceTitle("About "+skill.Name), mcp.WithResourceDescription(summary), mcp.WithMIMEType("text/markdown"))
		size := int64(len(text))
		resource.Size = &size
		all = append(all, server.ServerResource{Resource: resource, Handler: documentation(uri, text)})
	}
	if old := s.docs.Swap(&texts); old == nil && len(texts) > 0 || old != nil && !maps.Equal(*old, texts) {
		s.mcp.SetResources(all...)
	}
}

func documentation(uri, text string) server.ResourceHandlerFunc {
	contents := []mcp.ResourceContents{mcp.TextResourceContents{URI: uri, MIMEType: "text/markdown", Text: text}}
	return func(ctx context.Context, _ mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
		return contents, myTurn(ctx)
	}
}

// setPrompts replaces all prompts at once, and tells the clients that want to know, if there is something new to know.
func (s *Server) setPrompts(prompts []*skills.Prompt) {
	if old := s.prompts.Swap(&prompts); old != nil && reflect.DeepEqual(*old, prompts) {
		return
	}
	all := make([]server.ServerPrompt, 0, len(prompts))
	for _, prompt := range prompts {
		listed := mcp.Prompt{Name: prompt.Name, Title: prompt.Title, Description: prompt.Description}
		for _, argument := range prompt.Arguments {
			listed.Arguments = append(listed.Arguments, mcp.PromptArgument{
				Name: argument.Name, Description: argument.Description, Required: argument.Required,
			})
		}
		all = append(all, server.ServerPrompt{Prompt: listed, Handler: promptHandler(prompt)})
	}
	s.mcp.SetPrompts(all...)
}

func promptHandler(prompt *skills.Prompt) server.PromptHandlerFunc {
	return func(ctx context.Context, request mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		text, err := prompt.Render(request.Params.Arguments)
		if err != nil {
			err = &wrongRequest{reason: err.Error()}
			judge(ctx, err)
			return nil, err
		}
		return mcp.NewGetPromptResult(prompt.Description, []mcp.PromptMessage{
			mcp.NewPromptMessage(mcp.RoleUser, mcp.NewTextContent(text)),
		}), nil
	}
}

// promptCompleter completes the arguments of prompts that say which parameter they are for.
type promptCompleter Server

// CompletePromptArgument implements the library's interface. What nothing is known of has no candidates.
func (s *promptCompleter) CompletePromptArgument(_ context.Context, name string, argument mcp.CompleteArgument, _ mcp.CompleteContext) (*mcp.Completion, error) {
	for _, prompt := range *s.prompts.Load() {
		i := slices.IndexFunc(prompt.Arguments, func(a skills.PromptArgument) bool { return a.Name == argument.Name })
		if prompt.Name != name || i < 0 {
			continue
		}
		from := prompt.Arguments[i]
		for _, skill := range *s.skills.Load() { // which are those that the policy lets through
			if skill.Name == from.Tool {
				found := skill.Complete(from.Parameter, argument.Value)
				return &mcp.Completion{Values: found.Values, HasMore: found.More}, nil
			}
		}
	}
	return nil, nil
}

// resourceCompleter completes the paths of files that can be read.
type resourceCompleter Server

// maxCompletions is what MCP allows (2025-11-25, Completion).
const maxCompletions = 100

// CompleteResourceArgument implements the library's interface.
func (s *resourceCompleter) CompleteResourceArgument(ctx context.Context, uri string, argument mcp.CompleteArgument, _ mcp.CompleteContext) (*mcp.Completion, error) {
	if uri != fileTemplate || argument.Name != "path" {
		return nil, nil
	}
	paths := slices.DeleteFunc(s.ledger.paths(clientOf(ctx)), func(path string) bool {
		return !strings.HasPrefix(path, argument.Value) || printable(path) != path
	})
	slices.Sort(paths)
	values := paths[:min(len(paths), maxCompletions)]
	return &mcp.Completion{Values: values, Total: len(paths), HasMore: len(paths) > len(values)}, nil
}
