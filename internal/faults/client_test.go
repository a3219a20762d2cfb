//go:build faults

package faults

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// client speaks MCP over a server's standard streams and keeps account of what it is owed: each request has one answer,
// a cancelled one has none. It is written by hand because client libraries hide what is counted here: an answer after a
// cancel, a second answer, an answer to nothing.
type client struct {
	writing sync.Mutex    // held while a line is written
	in      *os.File      // the server's standard input
	out     *os.File      // its standard output
	reading chan struct{} // full while the client does not read
	ended   chan struct{} // closed at the end of the server's output

	// crossing is how long after its cancel an answer may come: that to a program that ends by itself can be under way. The
	// programs of the faults do not end by themselves, and so it is 0.
	crossing time.Duration

	mu       sync.Mutex
	requests map[int]*request
	wrongs   []string // what a server must never do
}

// request is one request and what became of it.
type request struct {
	id        int
	sent      time.Time
	cancelled time.Time     // zero: it was not
	answered  chan struct{} // closed when the answer is there
	reply     reply         // to be read after answered
}

// reply is an answer.
type reply struct {
	at     time.Time
	failed bool   // the tool's own isError, or an error of the protocol
	text   string // all text of the result, or the protocol error's
	result result
}

// result is the structured content of a tool's result.
type result struct {
	ExitCode      int    `json:"exit_code"`
	Stdout        string `json:"stdout"`
	OOMKilled     bool   `json:"oom_killed"`
	TimedOut      bool   `json:"timed_out"`
	Truncated     bool   `json:"truncated"`
	StdoutDropped int64  `json:"stdout_dropped_bytes"`
	StdoutType    string `json:"stdout_type"`
	Session       string `json:"session"`
}

func newClient(in, out *os.File) *client {
	c := &client{in: in, out: out, reading: make(chan struct{}, 1), ended: make(chan struct{}), requests: map[int]*request{}}
	go c.read()
	return c
}

// wrong enters what a server must never do. It is called with c.mu held.
func (c *client) wrong(format string, args ...any) {
	c.wrongs = append(c.wrongs, fmt.Sprintf(format, args...))
}

// send sends a request. One that cannot be written is owed an answer all the same.
func (c *client) send(method string, params any) *request {
	r := &request{sent: time.Now(), answered: make(chan struct{})}
	c.mu.Lock()
	r.id = len(c.requests) + 1
	c.requests[r.id] = r
	c.mu.Unlock()
	c.write(map[string]any{"jsonrpc": "2.0", "id": r.id, "method": method, "params": params})
	return r
}

func (c *client) cancel(r *request) {
	c.mu.Lock()
	r.cancelled = time.Now()
	c.mu.Unlock()
	c.write(map[string]any{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": map[string]any{"requestId": r.id}})
}

func (c *client) write(message any) {
	line, err := json.Marshal(message)
	if err != nil {
		panic(err)
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	_, _ = c.in.Write(append(line, '\n')) // a server that is gone is found out by its answers
}

// read takes in the server's lines until they end.
func (c *client) read() {
	var taking sync.WaitGroup
	defer close(c.ended)
	defer taking.Wait()
	lines := bufio.NewReaderSize(c.out, 1<<20)
	for {
		c.reading <- struct{}{}
		<-c.reading
		line, err := lines.ReadBytes('\n')
		at := time.Now()
		if err != nil {
			return
		}
		// Not here: a ping must not look slow because a long answer before it takes its time to parse.
		taking.Go(func() { c.take(line, at) })
	}
}

// take enters an answer.
func (c *client) take(line []byte, at time.Time) {
	var message struct {
		ID     *int
		Method string
		Result json.RawMessage
		Error  *struct{ Message string }
	}
	err := json.Unmarshal(line, &message)
	answer := newReply(message.Result)
	if message.Error != nil {
		answer = reply{failed: true, text: message.Error.Message}
	}
	answer.at = at
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.wrong("a line that is no message: %v: %.80q", err, line)
		return
	}
	if !utf8.Valid(line) {
		c.wrong("a line that is no UTF-8: %.80q", line)
	}
	if message.Method != "" {
		return // a notification
	}
	if message.ID == nil || c.requests[*message.ID] == nil {
		c.wrong("an answer to nothing: %.80q", line)
		return
	}
	r := c.requests[*message.ID]
	if r.done() {
		c.wrong("a second answer to request %d", r.id)
		return
	}
	if late := at.Sub(r.cancelled); !r.cancelled.IsZero() && late > c.crossing {
		c.wrong("an answer to request %d, %s after its cancel", r.id, late)
	}
	r.reply = answer
	close(r.answered)
}

func newReply(raw json.RawMessage) reply {
	var tool struct {
		IsError bool
		Content []struct{ Text string }
		Result  result `json:"structuredContent"`
	}
	_ = json.Unmarshal(raw, &tool) // other results have none of it
	var texts []string
	for _, content := range tool.Content {
		texts = append(texts, content.Text)
	}
	return reply{failed: tool.IsError, text: strings.Join(texts, "\n"), result: tool.Result}
}

// done tells whether the answer is there.
func (r *request) done() bool {
	select {
	case <-r.answered:
		return true
	default:
		return false
	}
}

// wait tells whether the answer comes before the deadline.
func (r *request) wait(deadline time.Time) bool {
	select {
	case <-r.answered:
		return true
	case <-time.After(time.Until(deadline)):
		return r.done()
	}
}

func (r *request) took() time.Duration { return r.reply.at.Sub(r.sent) }

// misdeeds lists what the server must never have done.
func (c *client) misdeeds() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.wrongs)
}

// hello introduces the client, and tells whether the server has answered.
func (c *client) hello() bool {
	greeting := c.send("initialize", map[string]any{
		"protocolVersion": "2025-06-18", "capabilities": map[string]any{},
		"clientInfo": map[string]any{"name": "faults", "version": "1"},
	})
	c.write(map[string]any{"jsonrpc": "2.0", "method": "notifications/initialized"})
	return greeting.wait(time.Now().Add(20 * time.Second))
}

// call calls a tool that is a shell.
func (c *client) call(tool, script, stdin string) *request {
	arguments := map[string]any{"args": []string{"-c", script}}
	if stdin != "" {
		arguments["stdin"] = stdin
	}
	return c.send("tools/call", map[string]any{"name": tool, "arguments": arguments})
}

// stopReading leaves the server's output where it is, until the returned function is called.
func (c *client) stopReading() (resume func()) {
	c.reading <- struct{}{}
	return func() { <-c.reading }
}

// repeat makes one request after the other, until stop is called, which waits for the answer to the last one, as long as its
// patience lasts, and returns the times to the answers.
func repeat(pause time.Duration, ask func() *request) (stop func(patience time.Duration) ([]time.Duration, error)) {
	end := make(chan struct{})
	var asked []*request
	var asking sync.WaitGroup
	asking.Go(func() {
		for {
			next := ask()
			asked = append(asked, next)
			select {
			case <-next.answered:
			case <-end:
				return
			}
			select {
			case <-time.After(pause):
			case <-end:
				return
			}
		}
	})
	return func(patience time.Duration) (took []time.Duration, err error) {
		close(end)
		asking.Wait()
		last := asked[len(asked)-1]
		if patience > 0 && !last.wait(time.Now().Add(patience)) {
			err = fmt.Errorf("no answer after %s", time.Since(last.sent))
		}
		for _, one := range asked {
			if one.done() {
				took = append(took, one.took())
			}
		}
		return took, err
	}
}
