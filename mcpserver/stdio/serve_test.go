package stdio_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"skillet/mcpserver/stdio"
)

// echo answers each request with its method as the result, when the method says so: "wait" never ends by itself.
type echo struct {
	started  chan string // gets the id of each request that has begun to run; nil for none
	ended    atomic.Int64
	notified atomic.Int64
	size     int // of each result, beside the method
}

func (e *echo) Accept(ctx context.Context, method string, raw json.RawMessage, notify stdio.Notify) stdio.Request {
	return stdio.Request{Answer: func() any {
		defer e.ended.Add(1)
		var request struct{ ID json.RawMessage }
		_ = json.Unmarshal(raw, &request)
		if e.started != nil {
			e.started <- string(request.ID)
		}
		switch method {
		case "wait", "listen":
			<-ctx.Done()
		case "second":
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		case "panic":
			panic("hunter2")
		case "unencodable":
			return map[string]any{"result": math.NaN()}
		case "unencodable panic":
			return panics{}
		case "tell":
			_ = notify(context.Background(), map[string]any{"jsonrpc": "2.0", "method": "told"})
			<-ctx.Done()
			_ = notify(context.Background(), map[string]any{"jsonrpc": "2.0", "method": "told after its cancel"})
		}
		return map[string]any{"jsonrpc": "2.0", "id": request.ID, "result": method + strings.Repeat("x", e.size)}
	}}
}

// panics cannot be encoded.
type panics struct{}

func (panics) MarshalJSON() ([]byte, error) { panic("hunter2") }

func (e *echo) Begin(stdio.Notify)                        {}
func (e *echo) Notified(context.Context, json.RawMessage) { e.notified.Add(1) }
func (e *echo) Endless(method string) bool                { return method == "listen" }

// client is the other end of a connection.
type client struct {
	t    *testing.T
	in   *io.PipeWriter
	out  *bufio.Reader
	done chan error // what Serve returned
}

func connect(t *testing.T, ctx context.Context, handler stdio.Handler, options stdio.Options) *client {
	inRead, inWrite := io.Pipe()
	outRead, outWrite := io.Pipe()
	c := &client{t: t, in: inWrite, out: bufio.NewReaderSize(outRead, 1<<20), done: make(chan error, 1)}
	go func() {
		c.done <- stdio.Serve(ctx, handler, inRead, outWrite, options)
		outWrite.Close()
	}()
	return c
}

func (c *client) send(lines ...string) {
	c.t.Helper()
	for _, line := range lines {
		if _, err := io.WriteString(c.in, line+"\n"); err != nil {
			c.t.Fatal(err)
		}
	}
}

type response struct {
	ID     json.RawMessage
	Method string // of a notification
	Result string
	Error  *struct {
		Code    int
		Message string
	}
}

func (c *client) read() response {
	c.t.Helper()
	line, err := c.out.ReadString('\n')
	if err != nil {
		c.t.Fatal(err)
	}
	var r response
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		c.t.Fatalf("%q: %v", line, err)
	}
	return r
}

// rest closes the input and returns all responses that still come.
func (c *client) rest() []response {
	c.t.Helper()
	c.in.Close()
	var all []response
	for {
		line, err := c.out.ReadString('\n')
		if err != nil {
			return all
		}
		var r response
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			c.t.Fatalf("%q: %v", line, err)
		}
		all = append(all, r)
	}
}

func request(id any, method string) string {
	encoded, _ := json.Marshal(id)
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":%q}`, encoded, method)
}

func cancel(id any) string {
	encoded, _ := json.Marshal(id)
	return fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%s}}`, encoded)
}

func TestARequestIsAnsweredWhileOthersRun(t *testing.T) {
	c := connect(t, t.Context(), &echo{}, stdio.Options{})
	for i := range 500 {
		c.send(request(i, "wait"))
	}
	c.send(request("ping", "ping"))
	if r := c.read(); string(r.ID) != `"ping"` || r.Result != "ping" {
		t.Errorf("got %+v", r)
	}
}

func TestACancelledRequestEndsAndGetsNoResponse(t *testing.T) {
	handler := &echo{started: make(chan string, 10)}
	c := connect(t, t.Context(), handler, stdio.Options{Grace: time.Minute})
	c.send(request(1, "wait"), request("1", "wait"))
	<-handler.started
	<-handler.started
	c.send(cancel(1), cancel(99), cancel(nil), cancel("1"), request(1, "again"))
	if rest := c.rest(); len(rest) != 1 || rest[0].Result != "again" {
		t.Errorf("got %+v", rest)
	}
}

func TestAnIDThatIsInFlightIsRefused(t *testing.T) {
	handler := &echo{started: make(chan string, 10)}
	c := connect(t, t.Context(), handler, stdio.Options{})
	c.send(request(7, "wait"), request(7, "twice"))
	if r := c.read(); string(r.ID) != "7" || r.Error == nil || r.Error.Code != -32600 {
		t.Errorf("got %+v", r)
	}
	if got := <-handler.started; got != "7" || len(handler.started) > 0 {
		t.Errorf("%q has run, and %d more", got, len(handler.started))
	}
}

func TestWhatIsNoMessageGetsAnErrorAndTheServerGoesOn(t *testing.T) {
	handler := &echo{}
	c := connect(t, t.Context(), handler, stdio.Options{})
	for _, test := range []struct {
		line string
		id   string
		code int
	}{
		{`hello`, "null", -32700},
		{`{"jsonrpc":"2.0","id":1,"method":"x"`, "null", -32700},
		{`{"jsonrpc":"2.0","id":1,"method":"x"} {}`, "null", -32700},
		{`[{"jsonrpc":"2.0","id":1,"method":"x"}]`, "null", -32600},
		{`[]`, "null", -32600},
		{`5`, "null", -32600},
		{`null`, "null", -32600},
		{`{}`, "null", -32600},
		{`{"jsonrpc":"1.0","id":1,"method":"x"}`, "1", -32600},
		{`{"id":"a","method":"x"}`, `"a"`, -32600},
		{`{"jsonrpc":"2.0","id":null,"method":"x"}`, "null", -32600},
		{`{"jsonrpc":"2.0","id":[1],"method":"x"}`, "null", -32600},
		{`{"jsonrpc":"2.0","id":3}`, "3", -32600},
		{`{"jsonrpc":"2.0","id":3,"method":""}`, "3", -32600},
		{`{"jsonrpc":"2.0","id":3,"method":5}`, "null", -32600},
	} {
		c.send(test.line)
		if r := c.read(); string(r.ID) != test.id || r.Error == nil || r.Error.Code != test.code {
			t.Errorf("%s: got %s %+v, expected %s %d", test.line, r.ID, r.Error, test.id, test.code)
		}
	}
	c.send("", "   ", `{"jsonrpc":"2.0","method":"notifications/initialized"}`, `{"jsonrpc":"2.0","id":9,"result":{}}`, request(1, "on"))
	// A line of blanks is no JSON; an empty one is nothing.
	blanks, on := c.read(), c.read()
	if on.Error != nil { // they may come in either order
		blanks, on = on, blanks
	}
	if blanks.Error == nil || on.Result != "on" || handler.notified.Load() != 2 {
		t.Errorf("got %+v and %+v after %d notifications", blanks, on, handler.notified.Load())
	}
}

func TestAMessageAboveTheLimitIsRefusedByItsID(t *testing.T) {
	c := connect(t, t.Context(), &echo{}, stdio.Options{MaxMessage: 100_000})
	long := strings.Repeat("x", 1_000_000)
	for _, test := range []struct{ line, id string }{
		{`{"jsonrpc":"2.0","id":1,"method":"x","params":"` + long + `"}`, "1"},
		{`{"method":"x","params":{"id":5,"a":"` + long + `"},"jsonrpc":"2.0","id":"two"}`, `"two"`},
		{`{"method":"x","params":{"a":"` + long + `","id":5}}`, "null"},
		{`{"method":"x","params":{"id":5,"a":"` + long + `"}}`, "null"},
		{long, "null"},
	} {
		c.send(test.line)
		if r := c.read(); string(r.ID) != test.id || r.Error == nil || r.Error.Code != -32600 || !strings.Contains(r.Error.Message, "100000") {
			t.Errorf("got %s %+v, expected %s", r.ID, r.Error, test.id)
		}
	}
	exact := request(1, "")
	exact = request(1, strings.Repeat("m", 100_000-len(exact)))
	c.send(exact)
	if r := c.read(); r.Error != nil {
		t.Errorf("a message at the limit: %+v", r)
	}
}

func TestAMessageAboveTheLimitIsNotHeldInMemory(t *testing.T) {
	c := connect(t, t.Context(), &echo{}, stdio.Options{})
	part := bytes.Repeat([]byte("x"), 1<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 300 {
		if _, err := c.in.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	// Up to the limit it has to be taken in. What comes after that, and has to be collected, is held as well for a while.
	if took := after.TotalAlloc - before.TotalAlloc; took > 24<<20 {
		t.Errorf("300 MB have taken %d MiB", took>>20)
	}
	c.send("", request(1, "on"))
	refused, on := c.read(), c.read()
	if on.Error != nil { // they may come in either order
		refused, on = on, refused
	}
	if refused.Error == nil || on.Result != "on" {
		t.Errorf("got %+v and %+v", refused, on)
	}
}

func TestAtTheEndOfTheInputRequestsMayFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := connect(t, t.Context(), &echo{}, stdio.Options{Grace: 10 * time.Second})
		for i := range 20 {
			c.send(request(i, "second"))
		}
		// The last line has no end, and counts.
		if _, err := io.WriteString(c.in, request("last", "second")); err != nil {
			t.Fatal(err)
		}
		if rest := c.rest(); len(rest) != 21 {
			t.Errorf("%d of 21 were answered", len(rest))
		}
		if err := <-c.done; err != nil {
			t.Error(err)
		}
	})
}

func TestAfterTheGracePeriodRequestsAreCancelledAndStillAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		c := connect(t, t.Context(), &echo{}, stdio.Options{Grace: 10 * time.Second})
		c.send(request(1, "wait"), request(2, "listen"))
		if rest := c.rest(); len(rest) != 2 {
			t.Errorf("got %+v", rest)
		}
		if took := time.Since(begun); took != 10*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestARequestThatNeverEndsByItselfIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		c := connect(t, t.Context(), &echo{}, stdio.Options{Grace: 10 * time.Second})
		c.send(request(2, "listen"))
		c.rest()
		if took := time.Since(begun); took > time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestTheEndOfTheContextDrainsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		c := connect(t, ctx, &echo{}, stdio.Options{Grace: 10 * time.Second})
		c.send(request(1, "second"))
		synctest.Wait()
		stop()
		if r := c.read(); r.Result != "second" {
			t.Errorf("got %+v", r)
		}
		if err := <-c.done; err != nil {
			t.Error(err)
		}
		c.in.Close()
	})
}

// heap is what is in use.
func waitFor(t *testing.T, what string, reached func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !reached(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestAClientThatIsGoneEndsTheConnection(t *testing.T) {
	inRead, inWrite := io.Pipe()
	outRead, outWrite := io.Pipe()
	outRead.Close()
	done := make(chan error, 1)
	go func() { done <- stdio.Serve(t.Context(), &echo{}, inRead, outWrite, stdio.Options{Grace: time.Hour}) }()
	go func() { _, _ = io.WriteString(inWrite, request(1, "wait")+"\n"+request(2, "x")+"\n") }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Error("the connection goes on")
	}
}

func TestAClientThatWasKilledEndsItsRequests(t *testing.T) {
	inRead, inWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	outRead, outWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- stdio.Serve(t.Context(), &echo{}, inRead, outWrite, stdio.Options{Grace: time.Hour}) }()
	if _, err := io.WriteString(inWrite, request(1, "wait")+"\n"); err != nil {
		t.Fatal(err)
	}
	inWrite.Close()
	select {
	case <-done:
		t.Fatal("a client that only ended its input was taken for dead")
	case <-time.After(500 * time.Millisecond):
	}
	outRead.Close()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Error("the request goes on")
	}
}

func TestTheGracePeriodEndsInAHurry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		hurry := make(chan struct{})
		c := connect(t, t.Context(), &echo{}, stdio.Options{Grace: time.Hour, Hurry: hurry})
		c.send(request(1, "wait"))
		time.AfterFunc(time.Second, func() { close(hurry) })
		if rest := c.rest(); len(rest) != 1 {
			t.Errorf("got %+v", rest)
		}
		if took := time.Since(begun); took != time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestAPanicIsAnErrorThatTellsNothing(t *testing.T) {
	c := connect(t, t.Context(), &echo{}, stdio.Options{})
	c.send(request(1, "panic"), request(2, "on"))
	for range 2 {
		if r := c.read(); string(r.ID) == "1" && (r.Error == nil || strings.Contains(r.Error.Message, "hunter2")) {
			t.Errorf("got %+v", r)
		}
	}
}
