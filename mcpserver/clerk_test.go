package mcpserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"skillet/mcpserver"
	"skillet/policy"
	"skillet/runtime"
)

// withJobs is a tool like that of echo, with more keys.
func withJobs(keys string) string { return strings.Replace(echo, "[skills.x]", "[skills.x]\n"+keys, 1) }

// work stands in for the engine: it runs until its time is over, and says what it was called with.
type work func(ctx context.Context, argument string, live runtime.IO) (runtime.Result, error)

func (w work) Run(ctx context.Context, plan policy.Plan, live runtime.IO) (runtime.Result, error) {
	return w(ctx, plan.Container().Command[0], live)
}

// sleeps is a program that sleeps for as long as its argument says, and then writes that.
func sleeps(ctx context.Context, argument string, live runtime.IO) (runtime.Result, error) {
	if live.Stdout != nil { // where nobody listens, it is
		writes(live.Stdout, "begun\n")
	}
	took, _ := time.ParseDuration(argument)
	select {
	case <-time.After(took):
		return stdout("begun\n" + argument + "\n"), nil
	case <-ctx.Done():
		return runtime.Result{ExitCode: -1, Stdout: runtime.Stream{Data: []byte("begun\n")}}, &runtime.CancelledError{Skill: "x", Err: context.Cause(ctx)}
	}
}

// clerk is a client that makes calls by number.
type clerk struct {
	*conversation
	server *mcpserver.Server
	calls  int
}

func serveWork(t *testing.T, config string, w work, options mcpserver.Options) *clerk {
	t.Helper()
	options.Skills, options.Caller = parse(t, t.TempDir(), config), mcpserver.Caller{Policy: baseline(t), Runner: w}
	server, err := mcpserver.New(options)
	if err != nil {
		t.Fatal(err)
	}
	return &clerk{conversation: converse(t, server), server: server}
}

// ask makes a call that is answered at once.
func (c *clerk) ask(tool string, arguments map[string]any) result {
	c.t.Helper()
	c.send(tool, arguments)
	answers := c.answers()
	r, ok := answers[fmt.Sprint(c.calls)]
	if !ok {
		c.t.Fatalf("%s %v is not answered", tool, arguments)
	}
	return r
}

func (c *clerk) send(tool string, arguments map[string]any) {
	c.t.Helper()
	c.calls++
	line, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": c.calls, "method": "tools/call", "params": map[string]any{"name": tool, "arguments": arguments}})
	if err != nil {
		c.t.Fatal(err)
	}
	c.say(string(line))
}

// answers are those that have come since, by id.
func (c *clerk) answers() map[string]result {
	c.t.Helper()
	all := map[string]result{}
	for _, line := range c.heard() {
		var answer struct {
			ID     json.RawMessage
			Result result
			Error  any
		}
		if err := json.Unmarshal([]byte(line), &answer); err != nil || answer.Error != nil {
			c.t.Fatalf("%s: %v", line, err)
		}
		all[string(answer.ID)] = answer.Result
	}
	return all
}

// report is what is said of a job.
type report struct {
	Job, State, Tool string
	Elapsed          float64 `json:"elapsed_seconds"`
	Percent          float64
	ExitCode         *int   `json:"exit_code"`
	LastLine         string `json:"last_line"`
	Stdout, Stderr   string
	StdoutBefore     int64 `json:"stdout_before_bytes"`
}

func (r result) report(t *testing.T) (one report) {
	t.Helper()
	if err := json.Unmarshal(r.StructuredContent, &one); err != nil {
		t.Fatalf("%+v: %v", r, err)
	}
	return one
}

func (c *clerk) job(argument string) string {
	c.t.Helper()
	r := c.ask("x", map[string]any{"text": argument})
	one := r.report(c.t)
	if one.Job == "" || r.IsError || !strings.Contains(r.texts(), one.Job) {
		c.t.Fatalf("got %+v", r)
	}
	return one.Job
}

func (c *clerk) state(job string) string {
	c.t.Helper()
	return c.ask("job_status", map[string]any{"job": job}).report(c.t).State
}
