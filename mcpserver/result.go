package mcpserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"

	"skillet/runtime"
	"skillet/skills"
)

// structured is the structured content of a result; resultSchema describes it.
type structured struct {
	ExitCode      int    `json:"exit_code"`
	Stdout        string `json:"stdout"`
	Stderr        string `json:"stderr"`
	DurationMS    int64  `json:"duration_ms"`
	Truncated     bool   `json:"truncated"`
	StdoutDropped int64  `json:"stdout_dropped_bytes,omitempty"`
	StderrDropped int64  `json:"stderr_dropped_bytes,omitempty"`
	StdoutType    string `json:"stdout_type,omitempty"`
	StderrType    string `json:"stderr_type,omitempty"`
	Signal        string `json:"signal,omitempty"`
	OOMKilled     bool   `json:"oom_killed,omitempty"`
	TimedOut      bool   `json:"timed_out,omitempty"`
	Files         []file `json:"files,omitempty"`
	Session       string `json:"session,omitempty"`
}

// failure is a result for what went wrong before a program had a chance to.
func failure(text string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{mcp.NewTextContent(text)}, IsError: true}
}

// toResult words the end of a call.
func toResult(outcome Outcome, err error) *mcp.CallToolResult {
	timeout := new(runtime.TimeoutError)
	timedOut := errors.As(err, &timeout)
	if err != nil && !timedOut {
		return failure(explain(err))
	}
	r := &resultBuilder{outcome: outcome, timedOut: timedOut}
	r.output()
	failed := timedOut || !outcome.Skill.Succeeded(outcome.Result.ExitCode)
	if failed {
		r.status(err)
	}
	r.cut()
	if !failed {
		r.files()
	}
	if len(r.content) == 0 {
		r.text("The program ended well and wrote nothing.")
	}
	result := &mcp.CallToolResult{Content: r.content, StructuredContent: r.structured, IsError: failed}
	if outcome.Skill.Output == skills.OutputJSON {
		promised(outcome, result)
	}
	return result
}

// explain words an error for a model. Denials and argument errors say what to do by themselves.
func explain(err error) string {
	if errors.Is(err, context.Canceled) {
		return "The call was cancelled."
	}
	return err.Error()
}

// promised replaces the structured content by what the program wrote, for a skill that promises JSON.
func promised(outcome Outcome, result *mcp.CallToolResult) {
	result.StructuredContent = nil // a failed call keeps no promise, and MCP asks for none
	if result.IsError {
		return
	}
	if outcome.Result.Stdout.Dropped > 0 {
		result.IsError = true
		result.Content = append([]mcp.Content{mcp.NewTextContent("The program wrote more JSON than max_output allows, so that it is cut.")}, result.Content...)
		return
	}
	raw, err := outcome.Skill.StructuredOutput(outcome.Result.Stdout.Data)
	if err != nil {
		result.IsError = true
		result.Content = append([]mcp.Content{mcp.NewTextContent(err.Error())}, result.Content...)
		return
	}
	result.StructuredContent = json.RawMessage(raw)
}

// resultBuilder collects the content of a result.
type resultBuilder struct {
	outcome    Outcome
	timedOut   bool
	content    []mcp.Content
	structured structured
}

func (r *resultBuilder) text(text string) { r.content = append(r.content, mcp.NewTextContent(text)) }

// output takes over both streams: text as text, everything else byte for byte.
func (r *resultBuilder) output() {
	result := r.outcome.Result
	r.structured = structured{
		ExitCode: result.ExitCode, DurationMS: result.Duration.Milliseconds(), Signal: result.Signal,
		OOMKilled: result.OOMKilled, TimedOut: r.timedOut,
		StdoutDropped: result.Stdout.Dropped, StderrDropped: result.Stderr.Dropped,
		Truncated: result.Stdout.Dropped > 0 || result.Stderr.Dropped > 0,
	}
	if text, ok := textOf(result.Stdout); !ok {
		r.structured.StdoutType = r.binary("stdout", result.Stdout)
	} else if text != "" {
		r.structured.Stdout = text
		r.text(text)
	}
	if text, ok := textOf(result.Stderr); !ok {
		r.structured.StderrType = r.binary("stderr", result.Stderr)
	} else if text != "" {
		r.structured.Stderr = text
		r.text("Standard error:\n" + text)
	}
}

func (r *resultBuilder) binary(name string, stream runtime.Stream) string {
	content, mediaType := bytesContent("skillet:///"+name, stream.Data, stream.Dropped > 0)
	r.content = append(r.content, content)
	return mediaType
}

// status puts before the output what became of the program.
func (r *resultBuilder) status(err error) {
	result := r.outcome.Result
	name := r.outcome.Skill.Name
	var text string
	switch {
	case r.timedOut:
		text = err.Error()
		if len(r.content) > 0 {
			text += " What it had written by then follows."
		}
	case result.OOMKilled:
		text = fmt.Sprintf("%s ran out of memory (limit %s) and was killed, exit code %d. Give it less to do, or raise the skill's memory.",
			name, sizeText(r.outcome.Invocation.Memory), result.ExitCode)
	case result.Signal != "":
		text = fmt.Sprintf("%s failed with exit code %d (%s).", name, result.ExitCode, result.Signal)
	default:
		text = fmt.Sprintf("%s failed with exit code %d.", name, result.ExitCode)
	}
	r.content = append([]mcp.Content{mcp.NewTextContent(text)}, r.content...)
}

// cut says what is missing.
func (r *resultBuilder) cut() {
	var parts []string
	result := r.outcome.Result
	if result.Stdout.Dropped > 0 {
		parts = append(parts, fmt.Sprintf("%d bytes of standard output", result.Stdout.Dropped))
	}
	if result.Stderr.Dropped > 0 {
		parts = append(parts, fmt.Sprintf("%d bytes of standard error", result.Stderr.Dropped))
	}
	if parts != nil {
		r.text(fmt.Sprintf("Cut: %s came after the first %s and were dropped.", strings.Join(parts, " and "), sizeText(r.outcome.Invocation.MaxOutput)))
	}
	if result.Incomplete {
		r.text("The end of the output may be missing: the engine did not deliver it in time.")
	}
}
