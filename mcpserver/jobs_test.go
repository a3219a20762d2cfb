package mcpserver_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"skillet/mcpserver"
	"skillet/runtime"
)

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
		if text := strings.Join(c.heard(), "|"); !strings.Contains(text, `"id":1,`) || strings.Contains(text, `"job"`) || !strings.Contains(text, "running for 10 s: begun") {
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
		time.Sleep(1500 * time.Millisecond) // both places are free again
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
