package mcpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"skillet/skills"
)

// maxJobWait is how many seconds job_output waits for a job at most: some clients give up on a call after 60.
const maxJobWait = 50

// jobTool is one of the tools for jobs.
type jobTool struct {
	name, title, description string
	waits                    bool // it has the argument `wait`
	ends                     bool // it ends the job
	describes                bool // its structured content is a report, and not what the job's tool makes of it
	answer                   func(s *Server, ctx context.Context, j *job, wait time.Duration) *mcp.CallToolResult
}

// jobTools are in the order of [skills.JobTools].
var jobTools = []jobTool{
	{
		name: skills.JobTools[0], title: "State of a job", describes: true, answer: (*Server).jobStatus,
		description: "Tells how a job fares that another tool has begun: its state, the time that it has taken, the exit code, and the last line that it wrote.",
	},
	{
		name: skills.JobTools[1], title: "Result of a job", waits: true, answer: (*Server).jobOutput,
		description: "Gives the result of a job, as the tool that began it would have given it; while the job runs, the end of what it has written so far.",
	},
	{
		name: skills.JobTools[2], title: "End a job", ends: true, describes: true, answer: (*Server).jobCancel,
		description: "Ends a job: its program is killed. What it had written stays available from job_output.",
	},
}

const jobArgument = `"job":{"type":"string","description":"the handle, from the result that said that the call goes on as a job"}`

// definition is what a client is told about the tool.
func (t jobTool) definition() mcp.Tool {
	properties := jobArgument
	if t.waits {
		properties += fmt.Sprintf(`,"wait":{"type":"integer","minimum":0,"maximum":%d,"default":0,"description":"seconds to wait for the job's end"}`, maxJobWait)
	}
	tool := mcp.NewToolWithRawSchema(t.name, t.description, json.RawMessage(`{"type":"object","properties":{`+properties+`},"required":["job"],"additionalProperties":false}`))
	tool.Title = t.title
	if t.describes {
		tool.RawOutputSchema = jobSchema
	}
	readOnly, closed, yes := !t.ends, false, true
	tool.Annotations = mcp.ToolAnnotation{ReadOnlyHint: &readOnly, DestructiveHint: &t.ends, IdempotentHint: &yes, OpenWorldHint: &closed}
	return tool
}

// JobTools returns what clients are told about jobs, which is nothing where no skill has them.
func JobTools(all []*skills.Skill) (tools []mcp.Tool) {
	if slices.ContainsFunc(all, (*skills.Skill).Jobs) {
		for _, tool := range jobTools {
			tools = append(tools, tool.definition())
		}
	}
	return tools
}

// listing is what matters of the skills for the tools for jobs. They are listed when a skill has jobs, and while a job is known
// whose skill had some before it changed.
type listing struct {
	sync.Mutex      // held while tools are replaced
	jobs       bool // a skill has them
}

// replaceTools lists the tools of these skills, and what belongs to them.
func (s *Server) replaceTools(vetted []*skills.Skill, tools []server.ServerTool) {
	s.listing.Lock()
	defer s.listing.Unlock()
	s.listing.jobs = slices.ContainsFunc(vetted, (*skills.Skill).Jobs)
	taken := slices.ContainsFunc(vetted, func(skill *skills.Skill) bool { return slices.Contains(skills.JobTools, skill.Name) })
	listed := s.listing.jobs || !taken && s.jobs.any()
	if listed {
		tools = append(tools, s.jobToolHandlers()...)
	}
	s.jobTools.Store(listed)
	s.mcp.SetTools(tools...)
}

// withoutJobs is told that no job is known any more.
func (s *Server) withoutJobs() {
	if !s.jobTools.Load() {
		return
	}
	s.listing.Lock()
	defer s.listing.Unlock()
	if !s.listing.jobs && s.jobTools.Load() && !s.jobs.any() {
		s.jobTools.Store(false)
		s.mcp.DeleteTools(skills.JobTools...)
	}
}

// jobToolHandlers are the tools as the library wants them.
func (s *Server) jobToolHandlers() []server.ServerTool {
	var all []server.ServerTool
	for _, tool := range jobTools {
		all = append(all, server.ServerTool{Tool: tool.definition(), Handler: func(ctx context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return s.askJob(ctx, tool, request.Params.RawArguments), nil
		}})
	}
	return all
}

// callsJobTool tells whether a request is about a job.
func callsJobTool(request json.RawMessage) bool {
	if !bytes.Contains(request, []byte(`"job_`)) { // most are not, and may be large
		return false
	}
	var call struct{ Params struct{ Name string } }
	return json.Unmarshal(request, &call) == nil && slices.Contains(skills.JobTools, call.Params.Name)
}

// askJob answers a call of one of the tools.
func (s *Server) askJob(ctx context.Context, tool jobTool, raw json.RawMessage) *mcp.CallToolResult {
	handle, wait, wrong := tool.read(raw)
	if wrong != nil {
		return failure(wrong.Error())
	}
	j, err := s.jobs.find(clientOf(ctx), handle)
	switch {
	case err == nil:
		return tool.answer(s, ctx, j, wait)
	case err.Lost && tool.describes:
		return &mcp.CallToolResult{
			Content: []mcp.Content{mcp.NewTextContent(err.Error())}, StructuredContent: jobReport{Job: handle, State: jobLost},
		}
	}
	return failure(err.Error())
}

// read reads the arguments.
func (t jobTool) read(raw json.RawMessage) (handle string, wait time.Duration, wrong skills.ArgErrors) {
	fail := func(param, reason string) {
		wrong = append(wrong, &skills.ArgError{Skill: t.name, Param: param, Reason: reason})
	}
	var given map[string]json.RawMessage
	if len(raw) > 0 && json.Unmarshal(raw, &given) != nil {
		fail("", "the arguments have to be a JSON object")
		return "", 0, wrong
	}
	if job, ok := given["job"]; !ok {
		fail("job", "is required")
	} else if json.Unmarshal(job, &handle) != nil || handle == "" {
		fail("job", "expected a string: the handle of a job")
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if name != "job" && (name != "wait" || !t.waits) {
			fail(name, "is no parameter")
		}
	}
	if seconds, ok := given["wait"]; ok && t.waits {
		var number float64
		if json.Unmarshal(seconds, &number) != nil || number < 0 || number > maxJobWait {
			fail("wait", fmt.Sprintf("expected a number of seconds, 0 to %d", maxJobWait))
		}
		wait = time.Duration(number * float64(time.Second))
	}
	return handle, wait, wrong
}

// jobStatus says how a job fares.
func (s *Server) jobStatus(_ context.Context, j *job, _ time.Duration) *mcp.CallToolResult {
	report, words := j.report(time.Now())
	text := fmt.Sprintf("%s: %s.", j.skill.Name, words)
	if j.over() {
		text += fmt.Sprintf(" job_output has its result for another %s.", elapsed(max(0, keepFor-time.Since(j.end.at))))
	}
	return &mcp.CallToolResult{Content: []mcp.Content{mcp.NewTextContent(text)}, StructuredContent: report}
}

// jobOutput gives the result of a job, or what there is of it.
func (s *Server) jobOutput(ctx context.Context, j *job, wait time.Duration) *mcp.CallToolResult {
	if wait > 0 {
		over := time.NewTimer(wait)
		defer over.Stop()
		select {
		case <-j.ended:
		case <-over.C:
		case <-ctx.Done(): // it is the answer that is not wanted any more, and not the job
		}
	}
	report, words := j.report(time.Now())
	text := fmt.Sprintf("%s is not over: %s.", j.skill.Name, words) + j.partial(&report)
	if j.over() {
		result := *j.end.result // the library may add to what it sends
		return &result
	}
	return &mcp.CallToolResult{Content: []mcp.Content{mcp.NewTextContent(text)}, StructuredContent: report}
}

// jobCancel ends a job, and says what it has come to.
func (s *Server) jobCancel(ctx context.Context, j *job, _ time.Duration) *mcp.CallToolResult {
	was := j.over()
	j.cancel()
	select {
	case <-j.ended:
	case <-time.After(lastWords):
		return failure(fmt.Sprintf("%s was told to end and has not ended yet: see job_status.", j.skill.Name))
	case <-ctx.Done():
	}
	report, words := j.report(time.Now())
	text := fmt.Sprintf("%s: %s.", j.skill.Name, words)
	if was {
		text = fmt.Sprintf("%s had ended before: %s.", j.skill.Name, words)
	}
	return &mcp.CallToolResult{Content: []mcp.Content{mcp.NewTextContent(text)}, StructuredContent: report}
}
