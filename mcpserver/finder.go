package mcpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"skillet/mcpserver/search"
	"skillet/skills"
)

// The tools of [skills.ListSearch]. Hundreds of tools would fill a model's context before it has read a word of its user's; so
// it is told of two, and asks for the rest as it needs them.
const (
	findName = "find_skill"
	callName = "call_skill"
)

// What find_skill returns.
const (
	usualMatches = 5
	mostMatches  = 20
	mostNames    = 100 // when nothing matches
)

var findInput = compact(`{
	"type": "object",
	"properties": {
		"query": {"type": "string", "minLength": 1, "maxLength": 1000, "description": "What is to be done, in some words, e.g. \"resize a picture\"; or the name of a skill"},
		"limit": {"type": "integer", "minimum": 1, "maximum": 20, "default": 5, "description": "How many skills to return at most"}
	},
	"required": ["query"],
	"additionalProperties": false
}`)

var findOutput = compact(`{
	"type": "object",
	"properties": {
		"skills": {"type": "array", "description": "the best first", "items": {
			"type": "object",
			"properties": {"name": {"type": "string"}, "description": {"type": "string"}, "input_schema": {"type": "object"}},
			"required": ["name", "description", "input_schema"]
		}},
		"more": {"type": "integer", "description": "how many others match"},
		"names": {"type": "array", "items": {"type": "string"}, "description": "of all skills, when none matches"}
	},
	"required": ["skills"]
}`)

var callInput = compact(`{
	"type": "object",
	"properties": {
		"name": {"type": "string", "description": "The skill's name, from find_skill"},
		"arguments": {"type": "object", "description": "What its input_schema describes"}
	},
	"required": ["name"],
	"additionalProperties": false
}`)

// finder has the skills that are not listed.
type finder struct {
	server *Server
	caller Caller
	skills []*skills.Skill
	index  *search.Index
}

func (s *Server) newFinder(vetted []*skills.Skill, caller Caller) *finder {
	texts := make([][]search.Field, len(vetted))
	for i, skill := range vetted {
		texts[i] = []search.Field{
			{Text: skill.Name, Weight: 3}, {Text: skill.Title, Weight: 2}, {Text: skill.Description, Weight: 1},
			{Text: strings.Join(skill.ParameterNames(), " "), Weight: 0.5},
		}
	}
	return &finder{server: s, caller: caller, skills: vetted, index: search.New(texts)}
}

// finderTools are what a client is told of so many skills.
func finderTools(count int) (find, call mcp.Tool) {
	yes := true
	find = mcp.NewToolWithRawSchema(findName, fmt.Sprintf("Find skills: command-line tools that %s calls. There are %d. "+
		"Returns the names, descriptions and input schemas of those that fit best.", callName, count), findInput)
	find.Title, find.RawOutputSchema, find.Annotations = "Find a skill", findOutput, mcp.ToolAnnotation{ReadOnlyHint: &yes, IdempotentHint: &yes}
	call = mcp.NewToolWithRawSchema(callName, fmt.Sprintf("Call a skill that %s has found. The result is the skill's own.", findName), callInput)
	call.Title = "Call a skill"
	return find, call
}

func (f *finder) tools() []server.ServerTool {
	find, call := finderTools(len(f.skills))
	return []server.ServerTool{{Tool: find, Handler: f.find}, {Tool: call, Handler: f.call}}
}

// found is one match.
type found struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	InputSchema json.RawMessage `json:"input_schema"`
}

// matches is the structured content of find_skill.
type matches struct {
	Skills []found  `json:"skills"`
	More   int      `json:"more,omitempty"`
	Names  []string `json:"names,omitempty"`
}

// find answers find_skill. It starts nothing, and so waits for nothing.
func (f *finder) find(_ context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	given := struct {
		Query string
		Limit int
	}{Limit: usualMatches}
	if err := decode(request.Params.RawArguments, &given); err != nil || given.Query == "" || given.Limit < 1 || given.Limit > mostMatches {
		return failure(fmt.Sprintf("wrong arguments for %s: give a query, which is a text, and at will a limit from 1 to %d", findName, mostMatches)), nil
	}
	places := f.index.Find(given.Query)
	result := matches{Skills: []found{}, More: max(len(places)-given.Limit, 0)}
	for _, i := range places[:min(len(places), given.Limit)] {
		skill := f.skills[i]
		result.Skills = append(result.Skills, found{skill.Name, describe(skill), skill.InputSchema})
	}
	if len(places) == 0 {
		for _, skill := range f.skills[:min(len(f.skills), mostNames)] {
			result.Names = append(result.Names, skill.Name)
		}
	}
	text, err := encodePlain(result)
	if err != nil {
		return nil, err
	}
	return &mcp.CallToolResult{Content: []mcp.Content{mcp.NewTextContent(text)}, StructuredContent: result}, nil
}

// call answers call_skill, in the very way of a tool that is listed.
func (f *finder) call(ctx context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	var given struct {
		Name      string
		Arguments json.RawMessage
	}
	if err := decode(request.Params.RawArguments, &given); err != nil || given.Name == "" {
		return failure(fmt.Sprintf("wrong arguments for %s: give the name of a skill, and its arguments as an object", callName)), nil
	}
	i := slices.IndexFunc(f.skills, func(skill *skills.Skill) bool { return skill.Name == given.Name })
	if i < 0 {
		return failure(fmt.Sprintf("there is no skill of this name%s; %s finds skills", f.nearest(given.Name), findName)), nil
	}
	return f.server.call(ctx, f.skills[i], f.caller, given.Arguments), nil
}

// nearest is a name that may have been meant.
func (f *finder) nearest(name string) string {
	best, distance := "", max(len(name)/3, 1)+1
	for _, skill := range f.skills {
		if d := levenshtein.ComputeDistance(name, skill.Name); d < distance {
			best, distance = skill.Name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// decode reads the arguments of skillet's own tools.
func decode(raw json.RawMessage, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// encodePlain writes JSON for a model to read.
func encodePlain(value any) (string, error) {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return strings.TrimSuffix(text.String(), "\n"), err
}
