package mcpserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"

	"skillet/skills"
)

// resultSchema describes [structured], the structured content of every skill that has no output schema of its own. It
// is sent with each tool, so that it says only what the names do not.
var resultSchema = compact(`{
	"type": "object",
	"properties": {
		"exit_code": {"type": "integer"},
		"stdout": {"type": "string"},
		"stderr": {"type": "string"},
		"duration_ms": {"type": "integer"},
		"truncated": {"type": "boolean"},
		"stdout_dropped_bytes": {"type": "integer"},
		"stderr_dropped_bytes": {"type": "integer"},
		"stdout_type": {"type": "string", "description": "media type of binary output, which comes as content"},
		"stderr_type": {"type": "string"},
		"signal": {"type": "string"},
		"oom_killed": {"type": "boolean"},
		"timed_out": {"type": "boolean"},
		"files": {"type": "array", "items": {
			"type": "object",
			"properties": {"path": {"type": "string"}, "bytes": {"type": "integer"}, "mime_type": {"type": "string"}, "uri": {"type": "string"}},
			"required": ["path", "bytes", "mime_type", "uri"]
		}}
	},
	"required": ["exit_code", "stdout", "stderr", "duration_ms", "truncated"]
}`)

// autoSchema is resultSchema with what [skills.OutputAuto] adds. A list of types would be shorter, but there are clients that
// know one type in one place, and the Inspector warns of it.
var autoSchema = json.RawMessage(strings.Replace(string(resultSchema), `"stderr":{`,
	`"json":{"anyOf":[{"type":"object"},{"type":"array"}],"description":"standard output, where that is JSON"},"stderr":{`, 1))

// inSessions is a schema of results with what sessions add.
func inSessions(schema json.RawMessage) json.RawMessage {
	return json.RawMessage(strings.Replace(string(schema), `"timed_out":`, `"session":{"type":"string"},"timed_out":`, 1))
}

// compact leaves out the spaces, which the encoder would have to look for in each tool of each list.
func compact(text string) json.RawMessage {
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		panic(fmt.Sprintf("mcpserver: %v in %s", err, text))
	}
	return b.Bytes()
}

// newTool translates a skill into what a client is told about it.
func newTool(skill *skills.Skill) (mcp.Tool, error) {
	tool := mcp.NewToolWithRawSchema(skill.Name, describe(skill), skill.InputSchema)
	tool.Title = skill.Title
	tool.RawOutputSchema = resultSchema
	switch {
	case skill.OutputSchema != nil:
		tool.RawOutputSchema = skill.OutputSchema
	case skill.Output == skills.OutputAuto:
		tool.RawOutputSchema = autoSchema
	}
	if skill.Session && skill.OutputSchema == nil {
		tool.RawOutputSchema = inSessions(tool.RawOutputSchema)
	}
	if skill.Jobs() {
		tool.RawOutputSchema = orJob(skill, tool.RawOutputSchema)
	}
	tool.Annotations = mcp.ToolAnnotation{
		ReadOnlyHint:    skill.Annotations.ReadOnly,
		DestructiveHint: skill.Annotations.Destructive,
		IdempotentHint:  skill.Annotations.Idempotent,
		OpenWorldHint:   skill.Annotations.OpenWorld,
	}
	// One tool that cannot be encoded would take the whole list with it, and one with annotations for HTTP that are wrong
	// makes the library panic. Of a tool, only the schemas are not the encoder's own work.
	if !json.Valid(tool.RawInputSchema) || !json.Valid(tool.RawOutputSchema) {
		return tool, fmt.Errorf("%s: its schemas are no JSON", skill.Name)
	}
	if err := mcp.ValidateParamHeaderAnnotations(&tool); err != nil {
		return tool, fmt.Errorf("%s: %w", skill.Name, err)
	}
	return tool, nil
}

// describe tells a model what a tool does, and what to expect of one with jobs.
func describe(skill *skills.Skill) string {
	switch {
	case skill.Background:
		return skill.Description + "\nA call returns the handle of a job at once; job_output has its result."
	case skill.Jobs():
		return skill.Description + fmt.Sprintf("\nA call that lasts longer than %s returns the handle of a job; job_output has its result.", skill.Wait)
	}
	return skill.Description
}

// orJob is the schema of a result that may be the handle of a job.
func orJob(skill *skills.Skill, result json.RawMessage) json.RawMessage {
	switch {
	case skill.Background:
		return jobSchema
	case bytes.Contains(result, []byte(`"$`)):
		// References lead elsewhere from inside another schema. Nothing is promised rather than what is not so.
		return json.RawMessage(`{"type":"object"}`)
	}
	return json.RawMessage(`{"type":"object","anyOf":[` + string(result) + `,` + string(jobSchema) + `]}`)
}

// Tools returns what clients are told about skills.
func Tools(all []*skills.Skill, listing skills.Listing) ([]mcp.Tool, error) {
	if listing == skills.ListSearch {
		find, call := finderTools(len(all))
		tools := []mcp.Tool{call, find}
		if hasSessions(all) {
			tools = append(tools, sessionEndTool())
		}
		return append(tools, JobTools(all)...), nil
	}
	tools := make([]mcp.Tool, 0, len(all))
	for _, skill := range all {
		tool, err := newTool(skill)
		if err != nil {
			return nil, err
		}
		tools = append(tools, tool)
	}
	if hasSessions(all) {
		tools = append(tools, sessionEndTool())
	}
	return append(tools, JobTools(all)...), nil
}
