package mcpserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"skillet/skills"
)

// errItself stands for a panic, whose text is nothing for clients.
var errItself = errors.New("skillet itself failed in this call; its log says more")

// callAsJob answers a call of a skill with jobs: with its result when it ends in time, else with a handle. Wrong arguments and
// refusals are told at once. Cancelling the request ends the call for as long as no handle was given away.
func (s *Server) callAsJob(ctx context.Context, skill *skills.Skill, caller Caller, arguments json.RawMessage) *mcp.CallToolResult {
	if busy, ok := ctx.Value(placeKey{}).(error); ok {
		return failure(explain(busy))
	}
	if err := caller.Check(skill, arguments); err != nil {
		s.logCall(ctx, skill, Outcome{}, err, time.Now())
		return failure(explain(err))
	}
	j := s.jobs.newJob(clientOf(ctx), skill)
	if skill.Background && !s.jobs.give(j) {
		return failure(fmt.Sprintf("You have %d jobs under way already: wait for one with job_output, or end one with job_cancel.", s.jobs.most))
	}
	s.begin(ctx, j, caller, arguments)
	if skill.Background {
		return s.handle(ctx, j)
	}
	patience := time.NewTicker(skill.Wait)
	defer patience.Stop()
	for {
		select {
		case <-j.ended:
			return j.end.result
		case <-ctx.Done():
			return s.abandon(j)
		case <-patience.C:
			if s.jobs.give(j) { // else the client goes on waiting, as it would without `wait`
				return s.handle(ctx, j)
			}
		}
	}
}

// handle is the result that has the handle of a job, once it is good. From here on the request says nothing of its progress.
func (s *Server) handle(ctx context.Context, j *job) *mcp.CallToolResult {
	j.progress.silence()
	if ctx.Err() != nil { // nobody will read it
		return s.abandon(j)
	}
	report, words := j.report(time.Now())
	return &mcp.CallToolResult{StructuredContent: report, Content: []mcp.Content{mcp.NewTextContent(fmt.Sprintf(
		"%s goes on as the job %s (%s). Get its result with job_output, with \"wait\" in seconds up to %d; see how it fares with job_status; end it with job_cancel.",
		j.skill.Name, j.handle, words, maxJobWait))}}
}

// abandon ends a job that nobody can ask for, and returns what the call has come to.
func (s *Server) abandon(j *job) *mcp.CallToolResult {
	j.cancel()
	<-j.ended
	s.jobs.take(j)
	return j.end.result
}

// begin begins the call. It has its request's place in the queue, and holds it until it has ended.
func (s *Server) begin(ctx context.Context, j *job, caller Caller, arguments json.RawMessage) {
	place, _ := ctx.Value(placeKey{}).(*place)
	leave := place.share()
	j.progress = s.follow(ctx, j.skill)
	if place.number() == 0 { // it need not wait: what is said of it at once should not be that it does
		j.progress.running()
	}
	ctx, j.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.jobs.begin(j)
	go func() {
		defer j.cancel()
		defer leave()
		defer s.jobs.over(j)
		defer j.progress.stop()
		s.runJob(ctx, j, caller, arguments)
	}()
}

// runJob makes the call, and notes its end whatever happens.
func (s *Server) runJob(ctx context.Context, j *job, caller Caller, arguments json.RawMessage) {
	defer func() {
		if panicked := recover(); panicked != nil {
			s.log.Error("a call panicked", "tool", j.skill.Name, "panic", panicked, "stack", string(debug.Stack()))
			j.finish(failure(errItself.Error()), Outcome{}, errItself)
		}
	}()
	live := j.progress.listen()
	live.Stdout, live.Stderr = io.MultiWriter(live.Stdout, &j.stdout), io.MultiWriter(live.Stderr, &j.stderr)
	copies := s.newCopies()
	defer copies.drop()
	outcome, err := s.perform(ctx, j.skill, caller, arguments, j.progress, copies.beside(live))
	j.finish(s.answer(ctx, outcome, err, copies), outcome, err)
}

// drainJobs lets the jobs end that are under way at the server's end, until ctx does.
func (s *Server) drainJobs(ctx context.Context) {
	if count := s.jobs.count(); count > 0 {
		s.log.Info("jobs are under way: they may go on for the grace period", "jobs", count)
	}
	s.jobs.drain(ctx)
}
