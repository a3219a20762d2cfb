package mcpserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"skillet/runtime"
	"skillet/skills"
)

// job is a call that goes on without its request: the client has a handle of it, and asks how it fares and for its result.
// Until the handle is given away it is a call like any other.
type job struct {
	handle string
	client string // who made it, and alone may ask for it
	skill  *skills.Skill
	begun  time.Time // when the request came
	cancel context.CancelFunc
	ended  chan struct{} // closed at the end

	progress       *progress
	stdout, stderr recent

	end jobEnd // may be read when ended is closed
}

// jobEnd is what is kept of a job that has ended.
type jobEnd struct {
	at     time.Time
	state  jobState
	result *mcp.CallToolResult // what the call would have given
	code   *int                // exit code of the program; nil when there is none
	line   string              // the last one that it wrote
	size   int64               // of the result in memory, about
}

// jobState is what has become of a job.
type jobState string

const (
	jobQueued    jobState = "queued"
	jobRunning   jobState = "running"
	jobDone      jobState = "done"
	jobFailed    jobState = "failed"
	jobCancelled jobState = "cancelled"
	jobLost      jobState = "lost"
)

// over tells whether the job has ended.
func (j *job) over() bool {
	select {
	case <-j.ended:
		return true
	default:
		return false
	}
}

// finish notes the end of the call.
func (j *job) finish(result *mcp.CallToolResult, outcome Outcome, err error) {
	end := jobEnd{at: time.Now(), state: jobDone, result: result}
	switch {
	case errors.Is(err, context.Canceled):
		end.state = jobCancelled
		wroteBefore(end.result, outcome)
	case end.result.IsError:
		end.state = jobFailed
	}
	if code := outcome.Result.ExitCode; outcome.Skill != nil && code >= 0 {
		end.code = &code
	}
	j.progress.listenUp()
	_, _, end.line = j.progress.glance(end.at)
	end.size = sizeOf(end.result, outcome.Result)
	j.stdout.forget()
	j.stderr.forget()
	j.progress.taps.forget()
	j.progress.silence()
	j.end = end
	close(j.ended)
}

// wroteBefore adds to a cancelled call's result what the program wrote before. Who cancels a call gets no answer to it, and who
// cancels a job may ask for that.
func wroteBefore(result *mcp.CallToolResult, outcome Outcome) {
	for _, one := range []struct {
		name   string
		stream runtime.Stream
	}{{"standard output", outcome.Result.Stdout}, {"standard error", outcome.Result.Stderr}} {
		if text, ok := textOf(one.stream); ok && text != "" {
			result.Content = append(result.Content, mcp.NewTextContent("On "+one.name+" it had written:\n"+text))
		}
	}
}

// sizeOf is about what a result takes in memory.
func sizeOf(result *mcp.CallToolResult, from runtime.Result) int64 {
	size := 1024 + len(from.Stdout.Data) + len(from.Stderr.Data)
	for _, content := range result.Content {
		switch content := content.(type) {
		case mcp.TextContent:
			size += len(content.Text)
		case mcp.ImageContent:
			size += len(content.Data)
		case mcp.AudioContent:
			size += len(content.Data)
		case mcp.EmbeddedResource:
			switch resource := content.Resource.(type) {
			case mcp.TextResourceContents:
				size += len(resource.Text)
			case mcp.BlobResourceContents:
				size += len(resource.Blob)
			}
		}
	}
	return int64(size)
}

// jobReport is what a client is told of a job; jobSchema describes it.
type jobReport struct {
	Job      string   `json:"job"`
	State    jobState `json:"state"`
	Tool     string   `json:"tool,omitempty"`
	Elapsed  *float64 `json:"elapsed_seconds,omitempty"`
	Percent  *float64 `json:"percent,omitempty"`
	ExitCode *int     `json:"exit_code,omitempty"`
	LastLine string   `json:"last_line,omitempty"`

	// Only job_output says these, of a job that runs.
	Stdout       string `json:"stdout,omitempty"`
	Stderr       string `json:"stderr,omitempty"`
	StdoutBefore int64  `json:"stdout_before_bytes,omitempty"`
	StderrBefore int64  `json:"stderr_before_bytes,omitempty"`
}

var jobSchema = compact(`{
	"type": "object",
	"properties": {
		"job": {"type": "string", "description": "handle for job_status, job_output and job_cancel"},
		"state": {"enum": ["queued", "running", "done", "failed", "cancelled", "lost"]},
		"tool": {"type": "string"},
		"elapsed_seconds": {"type": "number"},
		"percent": {"type": "number"},
		"exit_code": {"type": "integer"},
		"last_line": {"type": "string"}
	},
	"required": ["job", "state"]
}`)

// report says how the job fares, and the same in words.
func (j *job) report(now time.Time) (report jobReport, words string) {
	report = jobReport{Job: j.handle, Tool: j.skill.Name}
	took := func(until time.Time) *float64 {
		seconds := float64(until.Sub(j.begun).Milliseconds()) / 1000
		return &seconds
	}
	if !j.over() {
		j.progress.listenUp()
		report.State = j.progress.jobState()
		report.Percent, words, report.LastLine = j.progress.glance(now)
		report.Elapsed = took(now)
		return report, words
	}
	report.State, report.ExitCode, report.LastLine, report.Elapsed = j.end.state, j.end.code, j.end.line, took(j.end.at)
	words = fmt.Sprintf("%s after %s", report.State, elapsed(j.end.at.Sub(j.begun)))
	if report.ExitCode != nil {
		words += fmt.Sprintf(", exit code %d", *report.ExitCode)
	}
	if report.LastLine != "" {
		words += ", last line: " + report.LastLine
	}
	return report, words
}

// glance is how the call fares, in words as its client would be told, and the last line that the program wrote.
func (p *progress) glance(now time.Time) (percent *float64, words, line string) {
	_, words = p.state(now)
	p.mu.Lock()
	defer p.mu.Unlock()
	if share, ok := p.share(); ok {
		percent = &share
	}
	return percent, shorten(words), shorten(p.output)
}

func (p *progress) jobState() jobState {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stage == waitingForTurn {
		return jobQueued
	}
	return jobRunning
}

// partial adds to a report the end of what the program has written so far.
func (j *job) partial(report *jobReport) (words string) {
	for _, one := range []struct {
		name   string
		recent *recent
		text   *string
		before *int64
	}{
		{"Standard output", &j.stdout, &report.Stdout, &report.StdoutBefore},
		{"Standard error", &j.stderr, &report.Stderr, &report.StderrBefore},
	} {
		data, before := one.recent.end()
		if len(data) == 0 {
			continue
		}
		if !isText(data) {
			*one.before = before + int64(len(data))
			words += fmt.Sprintf("\n%s so far: %d bytes that are no text.", one.name, *one.before)
			continue
		}
		*one.text, *one.before = string(data), before
		words += "\n" + one.name + " so far"
		if before > 0 {
			words += fmt.Sprintf(", after %d bytes that are left out here", before)
		}
		words += ":\n" + *one.text
	}
	return words
}
