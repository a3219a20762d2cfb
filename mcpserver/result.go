package mcpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mark3labs/mcp-go/mcp"

	"skillet/mcpserver/spool"
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

	JSON json.RawMessage `json:"json,omitempty"` // of skills with OutputAuto
}

// failure is a result for what went wrong before a program had a chance to.
func failure(text string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{mcp.NewTextContent(text)}, IsError: true}
}

// toResult words the end of a call for the client that made it.
func (s *Server) toResult(ctx context.Context, outcome Outcome, err error, copies *copies) *mcp.CallToolResult {
	timeout := new(runtime.TimeoutError)
	timedOut := errors.As(err, &timeout)
	if err != nil && !timedOut {
		return failure(explain(err))
	}
	r := &resultBuilder{outcome: outcome, timedOut: timedOut, client: clientOf(ctx), ledger: s.ledger, copies: copies}
	r.output()
	failed := timedOut || !outcome.Skill.Succeeded(outcome.Result.ExitCode)
	if failed {
		r.status(err)
	}
	r.sayCut()
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
	client     string
	ledger     *ledger
	copies     *copies
	content    []mcp.Content
	structured structured
	cut        []kept
	inline     int64 // bytes of files that are in the content
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
		r.structured.StdoutDropped, r.structured.StdoutType = r.binary("standard output", "stdout", result.Stdout, r.copies.stdout)
	} else if text != "" {
		r.structured.Stdout = text
		r.text(text)
		r.auto()
		r.long("standard output", result.Stdout, r.copies.stdout)
	}
	if text, ok := textOf(result.Stderr); !ok {
		r.structured.StderrDropped, r.structured.StderrType = r.binary("standard error", "stderr", result.Stderr, r.copies.stderr)
	} else if text != "" {
		r.structured.Stderr = text
		r.text("Standard error:\n" + text)
		r.long("standard error", result.Stderr, r.copies.stderr)
	}
}

// long keeps a text in full that had to be cut.
func (r *resultBuilder) long(name string, stream runtime.Stream, writer *spool.Writer) {
	if stream.Dropped > 0 {
		r.keep(name, "text/plain", stream.Dropped, writer)
	}
}

// binary adds a stream that is no text. Of one that is too long, the end is left out, too: two halves of a picture or an
// archive are of no use.
func (r *resultBuilder) binary(name, short string, stream runtime.Stream, writer *spool.Writer) (dropped int64, mediaType string) {
	uri := scheme + ":///" + short
	cut := stream.Dropped > 0
	if cut {
		dropped = stream.Dropped + int64(len(stream.Tail))
		if readable := r.keep(name, detect(stream.Data), dropped, writer); readable != "" {
			uri = readable
		}
	}
	content, mediaType := bytesContent(uri, stream.Data, cut)
	r.content = append(r.content, content)
	return dropped, mediaType
}

// auto makes structured content of standard output when it is JSON, for a skill that leaves it open. What is no object or
// array, such as a number, is text as well.
func (r *resultBuilder) auto() {
	if r.outcome.Skill.Output != skills.OutputAuto || r.outcome.Result.Stdout.Dropped > 0 {
		return
	}
	raw := bytes.TrimSpace(r.outcome.Result.Stdout.Data)
	if (bytes.HasPrefix(raw, []byte("{")) || bytes.HasPrefix(raw, []byte("["))) && json.Valid(raw) {
		r.structured.JSON, r.structured.StdoutType, r.structured.Stdout = raw, "application/json", ""
	}
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
