package mcpserver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"skillet/mcpserver"
	"skillet/runtime"
	"skillet/skills"
)

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
				job: "or not any more: a result is kept for 60 minutes after the end", job + "A": "not the handle of a job of yours", "": "job: expected a string",
				"7": "not the handle", old: "its program was ended with it, and its result is lost",
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
		c := serveWork(t, withJobs("background = true")+strings.ReplaceAll(withJobs(`wait = "5s"`), "skills.x]", "skills.y]"), sleeps, mcpserver.Options{MaxConcurrent: 200, MaxJobs: 10})
		defer c.in.Close()
		var jobs []string
		for range 10 {
			jobs = append(jobs, c.job("10m"))
		}
		if r := c.ask("x", map[string]any{"text": "1s"}); !r.IsError || !strings.Contains(r.texts(), "10 jobs under way already") {
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

func TestTheToolsForJobsComeAndGoWithTheSkillsThatHaveThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serveWork(t, echo, sleeps, mcpserver.Options{})
		defer c.in.Close()
		tools := func() string {
			c.say(`{"jsonrpc":"2.0","id":"list","method":"tools/list"}`)
			return strings.Join(regexp.MustCompile(`"name":"\w+"`).FindAllString(strings.Join(c.heard(), "\n"), -1), " ")
		}
		change := func(config string) {
			if err := c.server.Replace(mcpserver.Offer{Skills: parse(t, t.TempDir(), config), Policy: baseline(t)}); err != nil {
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
		time.Sleep(69 * time.Minute)
		if got := tools(); got != all {
			t.Errorf("got %s", got)
		}
		time.Sleep(2 * time.Minute)
		if got := tools(); got != none {
			t.Errorf("got %s", got)
		}
		change(strings.ReplaceAll(echo, "skills.x", "skills.job_status")) // its name is nobody else's then
		if r := c.ask("job_status", map[string]any{"text": "0s"}); r.IsError {
			t.Errorf("got %+v", r)
		}
	})
}

func TestJobsOfSkillsThatAreFoundAreAskedForInTheSameWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serveWork(t, withJobs("background = true"), sleeps, mcpserver.Options{Listing: skills.ListSearch})
		defer c.in.Close()
		c.say(`{"jsonrpc":"2.0","id":"list","method":"tools/list"}`)
		if got := strings.Join(regexp.MustCompile(`"name":"\w+"`).FindAllString(strings.Join(c.heard(), "\n"), -1), " "); got !=
			`"name":"call_skill" "name":"find_skill" "name":"job_cancel" "name":"job_output" "name":"job_status"` {
			t.Errorf("got %s", got)
		}
		if r := c.ask("find_skill", map[string]any{"query": "x"}); !strings.Contains(r.texts(), "returns the handle of a job at once") {
			t.Errorf("got %s", r.texts())
		}
		job := c.ask("call_skill", map[string]any{"name": "x", "arguments": map[string]any{"text": "1s"}}).report(t).Job
		time.Sleep(1500 * time.Millisecond) // not at the very moment of its end
		if r := c.ask("job_output", map[string]any{"job": job}); r.texts() != "begun\n1s\n" {
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
