package mcpserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"skillet/mcpserver"
	"skillet/policy"
	"skillet/runtime"
)

// program stands in for the engine and lives while its call does.
type program func(ctx context.Context, live runtime.IO)

func (p program) Run(ctx context.Context, _ policy.Plan, live runtime.IO) (runtime.Result, error) {
	p(ctx, live)
	return runtime.Result{}, ctx.Err()
}

func serveProgram(t *testing.T, config string, p program, concurrent int) *conversation {
	t.Helper()
	server, err := mcpserver.New(mcpserver.Options{
		Skills: parse(t, t.TempDir(), config), Caller: mcpserver.Caller{Policy: baseline(t), Runner: p}, MaxConcurrent: concurrent, Grace: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	return converse(t, server)
}

func callX(id, meta string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":"x","arguments":{"text":"a"},%s}}`, id, meta)
}

func token(text string) string { return `"_meta":{"progressToken":` + text + `}` }

// modernToken is a progress token in the newer era, whose requests say of themselves what that needs.
func modernToken(text string) string {
	return strings.Replace(modern, `"_meta":{`, `"_meta":{"progressToken":`+text+`,`, 1)
}

// news is one notification of progress, or a response.
type news struct {
	ID     json.RawMessage
	Method string
	Params struct {
		Token    json.RawMessage `json:"progressToken"`
		Progress float64
		Total    float64
		Message  string
	}
}

func (c *conversation) news() (all []news) {
	c.t.Helper()
	for _, line := range c.heard() {
		var one news
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			c.t.Fatalf("%s: %v", line, err)
		}
		all = append(all, one)
	}
	return all
}

func writes(w interface{ Write([]byte) (int, error) }, format string, args ...any) {
	_, _ = fmt.Fprintf(w, format, args...)
}

func TestARunningCallTellsItsTimeAndItsLastLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serveProgram(t, echo, func(_ context.Context, live runtime.IO) {
			time.Sleep(705 * time.Millisecond)
			for i := range 100 {
				writes(live.Stdout, "\x1b[32mline\x1b[0m %d\n", i)
				time.Sleep(20 * time.Millisecond)
			}
			time.Sleep(25 * time.Second)
			writes(live.Stderr, "%s", strings.Repeat("long ", 100))
			time.Sleep(time.Second)
		}, 0)
		defer c.in.Close()
		c.say(callX("1", token(`"t"`)))
		time.Sleep(time.Minute)
		want := []string{
			"running for 0 s", "running for 1 s: line 14", "running for 1 s: line 39", "running for 2 s: line 64", "running for 2 s: line 89",
			"running for 3 s: line 99", "running for 13 s: line 99", "running for 23 s: line 99", "running for 28 s: long long",
		}
		all := c.news()
		if len(all) != len(want)+1 || string(all[len(all)-1].ID) != "1" {
			t.Fatalf("got %+v", all)
		}
		last := 0.0
		for i, prefix := range want {
			got := all[i].Params
			if all[i].Method != "notifications/progress" || string(got.Token) != `"t"` || !strings.HasPrefix(got.Message, prefix) || len(got.Message) > 202 {
				t.Errorf("got %+v, want %s", all[i], prefix)
			}
			if got.Progress <= last || got.Total != 0 {
				t.Errorf("%v after %v of %v", got.Progress, last, got.Total)
			}
			last = got.Progress
		}
	})
}

func TestOnlyWhoAsksIsToldAndHearsTheTokenAsItWasWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serveProgram(t, echo, func(context.Context, runtime.IO) { time.Sleep(30 * time.Second) }, 0)
		defer c.in.Close()
		tokens := map[string]string{largeID: token(largeID), `"0"`: token(`"0"`), `"modern"`: modernToken(`"modern"`), "-7": modernToken("-7")}
		c.say(callX("1", `"_meta":{}`), callX("2", token("null")), callX("3", token("{}")), callX("4", modern))
		id := 10
		for _, meta := range tokens {
			c.say(callX(fmt.Sprint(id), meta))
			id++
		}
		time.Sleep(time.Minute)
		heard, answered := map[string]int{}, 0
		for _, one := range c.news() {
			if one.Method == "" {
				answered++
			} else if answered > 0 {
				t.Errorf("after a response: %+v", one)
			} else {
				heard[string(one.Params.Token)]++
			}
		}
		if answered != 4+len(tokens) || len(heard) != len(tokens) {
			t.Errorf("%d answers; heard %v", answered, heard)
		}
		for text := range tokens {
			if heard[text] != 3 { // at once, and after 10 and 20 seconds
				t.Errorf("%s: heard %d times", text, heard[text])
			}
		}
	})
}

func TestACallInTheQueueTellsItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serveProgram(t, echo, func(context.Context, runtime.IO) { time.Sleep(5 * time.Second) }, 1)
		defer c.in.Close()
		c.say(callX("1", `"_meta":{}`), callX("2", `"_meta":{}`), callX("3", token("3")))
		time.Sleep(time.Minute)
		var messages []string
		for _, one := range c.news() {
			if one.Method != "" {
				messages = append(messages, one.Params.Message)
			}
		}
		want := "waiting for a turn, number 2 in the queue, for 0 s|waiting for a turn, number 1 in the queue, for 5 s|running for 0 s"
		if got := strings.Join(messages, "|"); got != want {
			t.Errorf("got %s", got)
		}
	})
}

func TestTheGettingOfAnImageIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serveProgram(t, echo, func(_ context.Context, live runtime.IO) {
			for _, line := range []string{"pulling debian", "11MB of 40MB, 1 of 3 layers", "Step 2/3 : RUN apt-get update", "Get:1 somewhere"} {
				writes(live.Progress, "%s\n", line)
				time.Sleep(time.Second)
			}
			live.ImageReady()
			time.Sleep(time.Second)
		}, 0)
		defer c.in.Close()
		c.say(callX("1", token("1")))
		time.Sleep(time.Minute)
		var messages []string
		last := 0.0
		for _, one := range c.news() {
			if one.Method != "" {
				messages = append(messages, one.Params.Message)
				if one.Params.Progress <= last {
					t.Errorf("%v after %v", one.Params.Progress, last)
				}
				last = one.Params.Progress
			}
		}
		for i, want := range []string{
			"getting the image, for 0 s: pulling debian", "getting the image, for 1 s: 11MB of 40MB, 1 of 3 layers",
			"getting the image, step 2/3, for 2 s: RUN apt-get update", "getting the image, step 2/3, for 3 s: Get:1 somewhere", "running for 0 s",
		} {
			if i >= len(messages) || messages[i] != want {
				t.Errorf("got %q, want %s", messages, want)
				break
			}
		}
	})
}

const measured = `
[skills.x]
args = ["{text}"]
progress = { pattern = 'time=(?<current>[\d:.]+)', total = 'Duration: (?<total>[\d:.]+)' }
parameters.text = { type = "string", required = true }
docker = { image = "debian" }
`

func TestAPercentageThatTheOutputSaysIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serveProgram(t, measured, func(_ context.Context, live runtime.IO) {
			time.Sleep(12 * time.Second)
			writes(live.Stderr, "  Duration: 00:00:10.00, start\n")
			writes(live.Stdout, "%s", strings.Repeat("\x00\xff\n", 1<<20)) // does not push out what the other stream says
			for i := range 11 {
				writes(live.Stderr, "frame=1 time=00:00:%02d.00 speed=1x\r", i)
				time.Sleep(time.Second)
			}
			writes(live.Stderr, "time=00:00:02.00\n") // a second pass
			time.Sleep(30 * time.Second)
		}, 0)
		defer c.in.Close()
		c.say(callX("1", token("1")))
		time.Sleep(2 * time.Minute)
		last, known := 0.0, 0
		var messages []string
		for _, one := range c.news() {
			if one.Method == "" {
				continue
			}
			got := one.Params
			messages = append(messages, got.Message)
			if got.Progress <= last || got.Total != 0 && (got.Total != 100 || got.Progress >= 100) || got.Total == 0 && (got.Progress > 0.1 || known > 0) {
				t.Errorf("%v of %v after %v", got.Progress, got.Total, last)
			}
			last = got.Progress
			if got.Total != 0 {
				known++
			}
		}
		if text := strings.Join(messages, "|"); known < 13 || !strings.Contains(text, "|50 %, running for 17 s: frame=1 time=00:00:05.00 speed=1x|") || last < 99 {
			t.Errorf("last %v of %d, %s", last, known, text)
		}
	})
}

func TestACancelledCallIsToldOfNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serveProgram(t, echo, func(ctx context.Context, _ runtime.IO) { <-ctx.Done(); time.Sleep(30 * time.Second) }, 0)
		defer c.in.Close()
		c.say(callX("1", token("1")))
		time.Sleep(time.Second)
		if got := c.news(); len(got) != 1 {
			t.Errorf("before: %+v", got)
		}
		c.say(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
		time.Sleep(time.Minute)
		if got := c.news(); len(got) != 0 {
			t.Errorf("after: %+v", got)
		}
	})
}
