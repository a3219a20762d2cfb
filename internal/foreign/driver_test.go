//go:build foreign

package foreign

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"skillet/internal/testlog"
)

// kind is a way for the TypeScript SDK to speak to skillet.
type kind struct {
	Library string `json:"library"`
	Mode    string `json:"mode"` // of the second generation: whether it tries 2026-07-28
	HTTP    bool   `json:"-"`
	version string // of the protocol, that is agreed upon
}

var kinds = []kind{
	{Library: "@modelcontextprotocol/sdk", version: "2025-11-25"},
	{Library: "@modelcontextprotocol/client", Mode: "legacy", version: "2025-11-25"},
	{Library: "@modelcontextprotocol/client", Mode: "auto", version: "2026-07-28"},
}

// eachKind runs a test over stdio and HTTP with each.
func eachKind(t *testing.T, test func(*testing.T, kind)) {
	for _, k := range kinds {
		for _, transport := range []string{"stdio", "HTTP"} {
			k.HTTP = transport == "HTTP"
			t.Run(fmt.Sprintf("%s %s %s", filepath.Base(k.Library), k.version, transport), func(t *testing.T) { test(t, k) })
		}
	}
}

// event is what client.mjs writes.
type event struct {
	ID       int
	Result   json.RawMessage
	Error    *failure
	Progress *progress
	Trouble  string // an error of the SDK that no request is to blame for
	PID      int    // of skillet over stdio; the last two come with the connection
	Version  string
}

type failure struct {
	Name, Message string
	Code, Status  any // numbers of JSON-RPC and HTTP, or words of the SDK
}

type progress struct {
	Progress, Total float64
	Message         string
}

// driver is a running client.mjs: it takes orders, and says what came of them.
type driver struct {
	kind
	pid    int // of skillet
	stdin  io.WriteCloser
	stderr *testlog.Buffer

	mu      sync.Mutex
	last    int
	answers map[int]chan event // by the order's number
	heard   map[int][]progress
	trouble []string
}

// connect starts a client and skillet with these flags, one by the other or each by itself. Both end with the test, and then no
// container may be left.
func connect(t *testing.T, k kind, workdir string, flags ...string) *driver {
	t.Helper()
	settings := map[string]any{"library": k.Library, "mode": k.Mode}
	pid := 0
	t.Cleanup(func() { // the last of all
		waitFor(t, 20*time.Second, "the last containers to go", func() bool { return len(containers(t, pid, "-a")) == 0 })
	})
	if k.HTTP {
		settings["url"], pid = serveHTTP(t, workdir, flags)
		settings["token"] = token
	} else {
		settings["command"], settings["args"] = skillet, append([]string{"serve", "--workdir", workdir}, flags...)
	}
	d, hello := start(t, k, settings)
	if hello.Error != nil {
		t.Fatalf("connecting: %+v", *hello.Error)
	}
	if !k.HTTP {
		pid = hello.PID
	}
	d.pid = pid
	if hello.Version != k.version {
		t.Errorf("%q is spoken", hello.Version)
	}
	return d
}

// start starts client.mjs and returns its first event.
func start(t *testing.T, k kind, settings map[string]any) (*driver, event) {
	t.Helper()
	argument, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(installed("node"), filepath.Join(*clients, "client.mjs"), string(argument))
	d := &driver{kind: k, stderr: &testlog.Buffer{}, answers: map[int]chan event{}, heard: map[int][]progress{}}
	command.Stderr = d.stderr
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if d.stdin, err = command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	hello, ended := make(chan event, 1), make(chan struct{})
	go d.read(stdout, hello, ended)
	first := <-hello
	t.Cleanup(func() {
		d.stdin.Close()
		stop := time.AfterFunc(20*time.Second, func() { _ = command.Process.Kill() })
		<-ended
		if err := command.Wait(); err != nil && first.Error == nil {
			t.Errorf("the client ended with %v", err)
		}
		stop.Stop()
		if t.Failed() {
			t.Logf("standard error:\n%s", d.stderr)
		}
	})
	return d, first
}

// read takes in the events: the first is for the connection, the others go to those who gave the order.
func (d *driver) read(stdout io.Reader, hello chan<- event, ended chan<- struct{}) {
	defer close(ended)
	first := true
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			e.Trouble = fmt.Sprintf("%q: %v", lines.Text(), err)
		}
		switch {
		case e.Trouble != "":
			d.mu.Lock()
			d.trouble = append(d.trouble, e.Trouble)
			d.mu.Unlock()
		case first:
			first = false
			hello <- e
		case e.Progress != nil:
			d.mu.Lock()
			d.heard[e.ID] = append(d.heard[e.ID], *e.Progress)
			d.mu.Unlock()
		default:
			d.mu.Lock()
			d.answers[e.ID] <- e
			d.mu.Unlock()
		}
	}
	if first {
		hello <- event{Error: &failure{Message: "the client ended before it had said anything"}}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, answer := range d.answers {
		select {
		case answer <- event{Error: &failure{Message: "the client ended before it had answered"}}:
		default:
		}
	}
}

// order has the client do something, and returns the order's number.
func (d *driver) order(t *testing.T, do string, more map[string]any) int {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last++
	d.answers[d.last] = make(chan event, 1)
	order := map[string]any{"id": d.last, "do": do}
	for key, value := range more {
		order[key] = value
	}
	line, err := json.Marshal(order)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.stdin.Write(append(line, '\n')); err != nil {
		t.Fatalf("the client takes no orders: %v\n%s", err, d.stderr)
	}
	return d.last
}

// answer waits for what came of an order.
func (d *driver) answer(t *testing.T, order int) event {
	t.Helper()
	d.mu.Lock()
	answer := d.answers[order]
	d.mu.Unlock()
	select {
	case e := <-answer:
		return e
	case <-time.After(2 * time.Minute):
		t.Fatalf("order %d had no answer\n%s", order, d.stderr)
		return event{}
	}
}

func (d *driver) ask(t *testing.T, do string) event {
	t.Helper()
	return d.answer(t, d.order(t, do, nil))
}

// call begins a call of a tool.
func (d *driver) call(t *testing.T, call toolCall) int {
	t.Helper()
	return d.callWith(t, call, nil)
}

// callWith gives the SDK options for the call.
func (d *driver) callWith(t *testing.T, call toolCall, options map[string]any) int {
	t.Helper()
	return d.order(t, "call", map[string]any{"params": call, "options": options})
}

// result is a tool's result.
type result struct {
	Content           []content
	StructuredContent any
	IsError           bool
}

type content struct{ Type, Text, Data, MimeType, URI string }

// result waits for the result of a call.
func (d *driver) result(t *testing.T, order int) result {
	t.Helper()
	e := d.answer(t, order)
	if e.Error != nil {
		t.Fatalf("the call failed: %+v\n%s", *e.Error, d.stderr)
	}
	return parse[result](t, e.Result)
}

func parse[T any](t *testing.T, data []byte) T {
	t.Helper()
	var value T
	if err := json.Unmarshal(data, &value); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	return value
}

func (r result) texts() string {
	var all string
	for _, content := range r.Content {
		all += content.Text
	}
	return all
}

// quiet waits for what may come too late, and reports all that the SDK complained of.
func (d *driver) quiet(t *testing.T) {
	t.Helper()
	time.Sleep(time.Second)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, trouble := range d.trouble {
		t.Errorf("the SDK complains: %s", trouble)
	}
}
