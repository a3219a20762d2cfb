package mcpserver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

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

func TestAJobIsAskedForAndGivesWhatTheCallWouldHave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serveWork(t, withJobs("background = true"), sleeps, mcpserver.Options{MaxConcurrent: 1})
		defer c.in.Close()
		first, second := c.job("20s"), c.job("10s")
		if first == second || !regexp.MustCompile(`^job-[a-z2-7]{8}-[A-Z2-7]{26}$`).MatchString(first) {
			t.Errorf("the handles are %s and %s", first, second)
		}
		time.Sleep(5 * time.Second)
		status := c.ask("job_status", map[string]any{"job": first})
		if got, want := status.report(t), (report{Job: first, State: "running", Tool: "x", Elapsed: 5, LastLine: "begun"}); !cmp.Equal(got, want) || status.texts() != "x: running for 5 s: begun." {
			t.Errorf("got %+v %s", got, status.texts())
		}
		status = c.ask("job_status", map[string]any{"job": second})
		if got := status.report(t); got.State != "queued" || status.texts() != "x: waiting for a turn, number 1 in the queue, for 5 s." {
			t.Errorf("got %+v %s", got, status.texts())
		}
		output := c.ask("job_output", map[string]any{"job": first})
		if got := output.report(t); output.IsError || got.State != "running" || got.Stdout != "begun\n" || !strings.HasSuffix(output.texts(), "Standard output so far:\nbegun\n") {
			t.Errorf("got %+v %s", got, output.texts())
		}
		c.send("job_output", map[string]any{"job": first, "wait": 20})
		c.send("job_output", map[string]any{"job": second, "wait": 20})
		time.Sleep(15 * time.Second)
		answers := c.answers()
		if r := answers[fmt.Sprint(c.calls-1)]; r.IsError || r.texts() != "begun\n20s\n" || !strings.HasPrefix(string(r.StructuredContent), `{"exit_code":0,"stdout":"begun\n20s\n",`) {
			t.Errorf("got %+v", answers)
		}
		time.Sleep(5 * time.Second)
		if r := c.answers()[fmt.Sprint(c.calls)]; r.report(t).State != "running" {
			t.Errorf("got %+v", r)
		}
		time.Sleep(time.Minute)
		status = c.ask("job_status", map[string]any{"job": second})
		if got := status.report(t); got.State != "done" || got.Elapsed != 30 || got.ExitCode == nil || *got.ExitCode != 0 || got.LastLine != "begun" ||
			status.texts() != "x: done after 30 s, exit code 0, last line: begun. job_output has its result for another 59 min 5 s." {
			t.Errorf("got %+v %s", got, status.texts())
		}
		for range 2 {
			if r := c.ask("job_output", map[string]any{"job": second}); r.texts() != "begun\n10s\n" {
				t.Errorf("got %+v", r)
			}
		}
	})
}

func TestACallBecomesAJobWhenItLastsLongerThanWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serveWork(t, withJobs(`wait = "20s"`), sleeps, mcpserver.Options{})
		defer c.in.Close()
		c.send("x", map[string]any{"text": "19s"})
		c.say(`{"jsonrpc":"2.0","id":"long","method":"tools/call","params":{"name":"x","arguments":{"text":"60s"},"_meta":{"progressToken":"p"}}}`)
		time.Sleep(19*time.Second + 500*time.Millisecond)
		var before []string
		for _, line := range c.heard() {
			before = append(before, line)
		}
		if text := strings.Join(before, "|"); !strings.Contains(text, `"id":1,`) || strings.Contains(text, `"job"`) || !strings.Contains(text, "running for 10 s: begun") {
			t.Errorf("got %s", text)
		}
		time.Sleep(time.Minute)
		after := c.heard() // the handle, and no progress any more
		if len(after) != 1 || !strings.Contains(after[0], `"state":"running"`) || !strings.Contains(after[0], `"elapsed_seconds":20`) {
			t.Fatalf("got %s", after)
		}
		handle := regexp.MustCompile(`job-\w+-\w+`).FindString(after[0])
		if r := c.ask("job_output", map[string]any{"job": handle}); r.texts() != "begun\n60s\n" {
			t.Errorf("got %+v", r)
		}
	})
}

func TestAJobThatIsCancelledSaysWhatItHadWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serveWork(t, withJobs("background = true"), sleeps, mcpserver.Options{MaxConcurrent: 1})
		defer c.in.Close()
		first, second, third := c.job("1h"), c.job("2h"), c.job("1s")
		if r := c.ask("job_cancel", map[string]any{"job": second}); r.IsError || r.report(t).State != "cancelled" || r.report(t).ExitCode != nil {
			t.Errorf("queued: got %+v", r)
		}
		if r := c.ask("job_cancel", map[string]any{"job": first}); r.IsError || r.report(t).State != "cancelled" {
			t.Errorf("got %+v", r)
		}
		if r := c.ask("job_output", map[string]any{"job": first}); !r.IsError || r.texts() != "The call was cancelled.|On standard output it had written:\nbegun\n" {
			t.Errorf("got %+v", r)
		}
		time.Sleep(time.Second) // both places are free again
		if r := c.ask("job_cancel", map[string]any{"job": third}); r.report(t).State != "done" || !strings.Contains(r.texts(), "had ended before") {
			t.Errorf("got %+v", r)
		}
	})
}

func TestCancellingTheRequestEndsTheCallUntilItsHandleWasGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended []string
		c := serveWork(t, withJobs(`wait = "10s"`), func(ctx context.Context, argument string, live runtime.IO) (runtime.Result, error) {
			result, err := sleeps(ctx, argument, live)
			ended = append(ended, fmt.Sprint(argument, " ", err == nil))
			return result, err
		}, mcpserver.Options{MaxConcurrent: 1})
		defer c.in.Close()
		cancel := func(id int) {
			c.say(fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%d}}`, id))
		}
		c.send("x", map[string]any{"text": "61s"})
		time.Sleep(9 * time.Second)
		cancel(c.calls)
		synctest.Wait()
		c.send("x", map[string]any{"text": "62s"})
		time.Sleep(11 * time.Second)
		cancel(c.calls)
		time.Sleep(time.Hour)
		synctest.Wait()
		if diff := cmp.Diff([]string{"61s false", "62s true"}, ended); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWhatIsWrongWithACallIsSaidAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, keys := range []string{"background = true", `wait = "10s"`} {
			c := serveWork(t, withJobs(keys), func(context.Context, string, runtime.IO) (runtime.Result, error) { panic("was run") },
				mcpserver.Options{MaxConcurrent: 1})
			if r := c.ask("x", map[string]any{"text": 7}); !r.IsError || !strings.Contains(r.texts(), "text: got number, expected string") {
				t.Errorf("%s: got %+v", keys, r)
			}
			c.in.Close()
		}
	})
}

func TestAJobThatPanicsHasFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serveWork(t, withJobs("background = true"), func(context.Context, string, runtime.IO) (runtime.Result, error) { panic("secret") }, mcpserver.Options{MaxConcurrent: 1})
		defer c.in.Close()
		for range 2 { // the place is free again
			job := c.job("x")
			if r := c.ask("job_output", map[string]any{"job": job, "wait": 1}); !r.IsError || !strings.Contains(r.texts(), "skillet itself failed") || c.state(job) != "failed" {
				t.Errorf("got %+v", r)
			}
		}
	})
}

func TestAHandleThatIsGoodForNothingIsExplained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := serveWork(t, withJobs("background = true"), sleeps, mcpserver.Options{})
		old := before.job("1s")
		before.in.Close()
		c := serveWork(t, withJobs("background = true"), sleeps, mcpserver.Options{})
		defer c.in.Close()
		job := c.job("1s")
		time.Sleep(59 * time.Minute)
		if c.state(job) != "done" {
			t.Errorf("got %s", c.state(job))
		}
		time.Sleep(time.Minute + time.Second)
		for _, tool := range []string{"job_status", "job_output", "job_cancel"} {
			for handle, want := range map[string]string{
				job: "or not any more: a result is kept for 60 minutes after the end", job + "A": "is not the handle of a job of yours", "": "job: expected a string",
				"7": "is not the handle", old: "its program was ended with it, and its result is lost",
			} {
				r := c.ask(tool, map[string]any{"job": handle})
				lost := handle == old && tool != "job_output"
				if r.IsError == lost || !strings.Contains(r.texts(), want) || lost && r.report(t) != (report{Job: old, State: "lost"}) {
					t.Errorf("%s %s: got %+v %s", tool, handle, r, r.StructuredContent)
				}
			}
		}
		for arguments, want := range map[string]string{
			`{}`: "job: is required", `{"job":7,"jobb":"x"}`: "job: expected a string: the handle of a job\n- jobb: is no parameter",
			`{"job":"x","wait":51}`: "wait: expected a number of seconds, 0 to 50", `{"job":"x","wait":"1"}`: "wait: expected", `[]`: "have to be a JSON object",
		} {
			c.say(`{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"job_output","arguments":` + arguments + `}}`)
			if r := c.answers()[`"a"`]; !r.IsError || !strings.Contains(r.texts(), want) {
				t.Errorf("%s: got %+v", arguments, r)
			}
		}
	})
}

func TestWhatIsKeptOfJobsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		large := func(_ context.Context, argument string, _ runtime.IO) (runtime.Result, error) {
			if argument == "large" {
				return stdout(strings.Repeat("x", 8<<20)), nil
			}
			return stdout(argument), nil
		}
		c := serveWork(t, withJobs("background = true\nmax_output = '8MiB'"), large, mcpserver.Options{})
		defer c.in.Close()
		known := func(jobs []string) (n int) {
			for _, job := range jobs {
				if !c.ask("job_status", map[string]any{"job": job}).IsError {
					n++
				}
			}
			return n
		}
		var small, big []string
		for i := range 120 {
			small = append(small, c.job(fmt.Sprint("small", i)))
		}
		if got := known(small); got != 100 || known(small[20:]) != 100 {
			t.Errorf("%d results are kept", got)
		}
		for range 10 {
			big = append(big, c.job("large"))
		}
		if got := known(big); got != 3 || known(big[7:]) != 3 || known(small) != 0 { // twice 8 MiB each: what was written, and the text of it
			t.Errorf("%d large results are kept, %d small ones", got, known(small))
		}
	})
}

func TestAClientHasNoMoreThanSoManyJobsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serveWork(t, withJobs("background = true")+strings.ReplaceAll(withJobs(`wait = "5s"`), "skills.x]", "skills.y]"), sleeps, mcpserver.Options{MaxConcurrent: 200})
		defer c.in.Close()
		var jobs []string
		for range 100 {
			jobs = append(jobs, c.job("10m"))
		}
		if r := c.ask("x", map[string]any{"text": "1s"}); !r.IsError || !strings.Contains(r.texts(), "100 jobs under way already") {
			t.Errorf("got %+v", r)
		}
		c.send("y", map[string]any{"text": "1m"}) // is waited for, as there is nothing better
		time.Sleep(time.Minute)
		if r := c.answers()[fmt.Sprint(c.calls)]; r.texts() != "begun\n1m\n" {
			t.Errorf("got %+v", r)
		}
		c.ask("job_cancel", map[string]any{"job": jobs[0]})
		c.job("1s")
	})
}

func TestJobsHaveTheGracePeriodAndNoMore(t *testing.T) {
	for name, stop := range map[string]func(*clerk, context.CancelFunc){
		"the client leaves":  func(c *clerk, _ context.CancelFunc) { c.in.Close() },
		"the server is told": func(_ *clerk, cancel context.CancelFunc) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				ended := map[string]time.Duration{}
				begun := time.Now()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				server, err := mcpserver.New(mcpserver.Options{
					Skills: parse(t, t.TempDir(), withJobs("background = true")), Grace: 10 * time.Second, MaxConcurrent: 2,
					Caller: mcpserver.Caller{Policy: baseline(t), Runner: work(func(ctx context.Context, argument string, live runtime.IO) (runtime.Result, error) {
						result, err := sleeps(ctx, argument, live)
						mu.Lock()
						defer mu.Unlock()
						ended[argument] = time.Since(begun)
						return result, err
					})},
				})
				if err != nil {
					t.Fatal(err)
				}
				c := &clerk{conversation: converseUntil(ctx, t, server), server: server}
				defer c.in.Close()
				c.job("9s")
				c.job("11s")
				c.job("12s") // begins at 9 seconds
				stop(c, cancel)
				<-c.ended
				want := map[string]time.Duration{"9s": 9 * time.Second, "11s": 10 * time.Second, "12s": 10 * time.Second}
				if diff := cmp.Diff(want, ended); diff != "" || time.Since(begun) != 10*time.Second {
					t.Errorf("ended after %s: %s", time.Since(begun), diff)
				}
			})
		})
	}
}

func TestTheToolsForJobsComeAndGoWithTheSkillsThatHaveThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serveWork(t, echo, sleeps, mcpserver.Options{})
		defer c.in.Close()
		tools := func() string {
			c.say(`{"jsonrpc":"2.0","id":"list","method":"tools/list"}`)
			return strings.Join(regexp.MustCompile(`"name":"\w+"`).FindAllString(strings.Join(c.heard(), "\n"), -1), " ")
		}
		change := func(config string) {
			if err := c.server.SetSkills(parse(t, t.TempDir(), config), baseline(t)); err != nil {
				t.Fatal(err)
			}
		}
		const none, all = `"name":"x"`, `"name":"job_cancel" "name":"job_output" "name":"job_status" "name":"x"`
		if got := tools(); got != none {
			t.Errorf("got %s", got)
		}
		change(withJobs("background = true"))
		if got := tools(); got != all {
			t.Errorf("got %s", got)
		}
		change(echo)
		if got := tools(); got != none {
			t.Errorf("got %s", got)
		}
		change(withJobs("background = true"))
		job := c.job("10m")
		change(echo) // the job goes on, and can be asked for
		if got := tools(); got != all || c.state(job) != "running" {
			t.Errorf("got %s, %s", got, c.state(job))
		}
		time.Sleep(2 * time.Hour)
		change(echo)
		if got := tools(); got != none {
			t.Errorf("got %s", got)
		}
		change(strings.ReplaceAll(echo, "skills.x", "skills.job_status")) // its name is nobody else's then
		if r := c.ask("job_status", map[string]any{"text": "0s"}); r.IsError {
			t.Errorf("got %+v", r)
		}
	})
}

func TestTheResultsOfToolsWithJobsAreWhatTheirSchemasSay(t *testing.T) {
	jsonOutput := "output = 'json'\noutput_schema = { type = 'object', required = ['a'], properties.a = { type = 'integer' } }\n"
	references := "output = 'json'\noutput_schema = { type = 'object', properties.a = { \"$ref\" = '#/$defs/n' }, \"$defs\".n = { type = 'integer' } }\n"
	for name, test := range map[string]struct{ keys, wants string }{
		"background": {"background = true", `"state"`}, "background, JSON": {jsonOutput + "background = true", `"state"`},
		"wait": {`wait = "5s"`, `"stdout"`}, "wait, JSON": {jsonOutput + `wait = "5s"`, `"integer"`}, "wait, references": {references + `wait = "5s"`, `"object"`},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := serveWork(t, withJobs(test.keys), func(ctx context.Context, argument string, live runtime.IO) (runtime.Result, error) {
				_, err := sleeps(ctx, argument, live)
				return stdout(`{"a": 1}`), err
			}, mcpserver.Options{})
			defer c.in.Close()
			c.say(`{"jsonrpc":"2.0","id":"list","method":"tools/list"}`)
			var list struct {
				Result struct {
					Tools []struct {
						Name         string
						OutputSchema json.RawMessage
					}
				}
			}
			if err := json.Unmarshal([]byte(c.heard()[0]), &list); err != nil {
				t.Fatal(err)
			}
			schemas := map[string]json.RawMessage{}
			for _, tool := range list.Result.Tools {
				schemas[tool.Name] = tool.OutputSchema
			}
			if !strings.Contains(string(schemas["x"]), test.wants) || schemas["job_output"] != nil {
				t.Errorf("%s: got %s", name, schemas)
			}
			c.send("x", map[string]any{"text": "1s"})
			c.send("x", map[string]any{"text": "1h"})
			time.Sleep(time.Minute)
			for id, r := range c.answers() {
				if err := conforms(schemas["x"], r.StructuredContent); err != nil || r.IsError {
					t.Errorf("%s: call %s: %+v: %v", name, id, r, err)
				}
				if job := r.report(t).Job; job != "" {
					for _, tool := range []string{"job_status", "job_cancel"} {
						if r := c.ask(tool, map[string]any{"job": job}); conforms(schemas[tool], r.StructuredContent) != nil {
							t.Errorf("%s: %s: %s", name, tool, r.StructuredContent)
						}
					}
				}
			}
		})
	}
}

func conforms(schema, value json.RawMessage) error {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return err
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("https://skillet.invalid/x", document); err != nil {
		return err
	}
	compiled, err := compiler.Compile("https://skillet.invalid/x")
	instance, bad := jsonschema.UnmarshalJSON(bytes.NewReader(value))
	if err = errors.Join(err, bad); err != nil {
		return err
	}
	return compiled.Validate(instance)
}

func TestAClientKnowsNobodyElsesJobs(t *testing.T) {
	url := serveOverHTTP(t, mcpserver.Options{
		Skills: parse(t, t.TempDir(), withJobs("background = true")), Caller: mcpserver.Caller{Policy: baseline(t), Runner: work(sleeps)},
	})
	call := func(token, tool, arguments string) string {
		_, messages := post(t, url, token, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"`+tool+`","arguments":`+arguments+`}}`)
		return <-messages
	}
	job := regexp.MustCompile(`job-\w+-\w+`).FindString(call(alice, "x", `{"text":"1h"}`))
	for _, tool := range []string{"job_status", "job_output", "job_cancel"} {
		other, unknown := call(bob, tool, `{"job":"`+job+`"}`), call(bob, tool, `{"job":"`+strings.Repeat("x", len(job))+`"}`)
		if !strings.Contains(other, `"isError":true`) || strings.ReplaceAll(other, job, "") != strings.ReplaceAll(unknown, strings.Repeat("x", len(job)), "") {
			t.Errorf("%s: bob hears %s", tool, other)
		}
	}
	if got := call(alice, "job_status", `{"job":"`+job+`"}`); !strings.Contains(got, `"state":"running"`) {
		t.Errorf("alice hears %s", got)
	}
	if got := call(alice, "job_cancel", `{"job":"`+job+`"}`); !strings.Contains(got, `"state":"cancelled"`) {
		t.Errorf("alice hears %s", got)
	}
}
