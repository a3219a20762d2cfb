package mcpserver_test

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"skillet/mcpserver"
	"skillet/policy"
	"skillet/skills"
)

// conversation is a client that stays. It lives in a bubble, where all that is to come has come when everything waits.
type conversation struct {
	t  *testing.T
	in *io.PipeWriter

	ended chan struct{} // closed when the server is

	mu    sync.Mutex
	lines []string // that came since the last heard
}

func converse(t *testing.T, server *mcpserver.Server) *conversation {
	return converseUntil(t.Context(), t, server)
}

func converseUntil(ctx context.Context, t *testing.T, server *mcpserver.Server) *conversation {
	inRead, inWrite := io.Pipe()
	outRead, outWrite := io.Pipe()
	c := &conversation{t: t, in: inWrite, ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		_ = server.ServeStdio(ctx, inRead, outWrite)
		outWrite.Close()
	}()
	go func() {
		for scanner := bufio.NewScanner(outRead); scanner.Scan(); {
			c.mu.Lock()
			c.lines = append(c.lines, scanner.Text())
			c.mu.Unlock()
		}
	}()
	return c
}

func (c *conversation) say(lines ...string) {
	c.t.Helper()
	if _, err := io.WriteString(c.in, strings.Join(lines, "\n")+"\n"); err != nil {
		c.t.Fatal(err)
	}
}

// heard is all that has come since it was last called.
func (c *conversation) heard() []string {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := c.lines
	c.lines = nil
	return lines
}

// changes counts the news of a changed list by their tags, as they are written; "" for none.
func (c *conversation) changes() map[string]int {
	c.t.Helper()
	count := map[string]int{}
	for _, line := range c.heard() {
		var message struct {
			Method string
			Params struct {
				Meta map[string]json.RawMessage `json:"_meta"`
			}
		}
		if err := json.Unmarshal([]byte(line), &message); err != nil {
			c.t.Fatalf("%s: %v", line, err)
		}
		if message.Method == "notifications/tools/list_changed" {
			count[string(message.Params.Meta["io.modelcontextprotocol/subscriptionId"])]++
		}
	}
	return count
}

func (c *conversation) expect(when string, tags ...string) {
	c.t.Helper()
	want := map[string]int{}
	for _, tag := range tags {
		want[tag]++
	}
	if got := c.changes(); !maps.Equal(got, want) {
		c.t.Errorf("%s: heard %v, expected %v", when, got, want)
	}
}

func listen(id, notifications string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"subscriptions/listen","params":{%s,"notifications":{%s}}}`, id, modern, notifications)
}

func list(id, meta string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/list","params":{%s}}`, id, meta)
}

const (
	initialize  = `{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`
	initialized = `{"jsonrpc":"2.0","method":"notifications/initialized"}`
)

// A number that floating point changes.
const largeID = "12345678901234567891"

func TestWhoAskedHearsOfAChangedListAndNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newServer(t, t.TempDir(), echo, nil)
		change := changer(t, server)

		both := converse(t, server) // eras on one connection
		both.say(initialize, initialized, list("1", ""), list("2", modern),
			listen(`"asked"`, `"toolsListChanged":true`),
			listen(largeID, `"toolsListChanged":true,"promptsListChanged":true`),
			listen(`"asked for something else"`, `"promptsListChanged":true`),
			listen(`"asked for nothing"`, ``))
		older := converse(t, server)
		older.say(initialize, initialized)
		newer := converse(t, server)
		newer.say(list("1", modern), listen(`"asked for something else"`, `"resourcesListChanged":true`))
		silent := converse(t, server)
		all := []*conversation{both, older, newer, silent}
		for _, c := range all {
			c.expect("before a change")
		}

		change()
		both.expect("a change", "", `"asked"`, largeID)
		older.expect("a change", "")
		newer.expect("a change")
		silent.expect("a change")

		both.say(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"asked"}}`)
		both.expect("the cancel")
		change()
		both.expect("a change after a cancel", "", largeID)
		older.expect("a second change", "")

		both.say(listen(`"asked"`, `"toolsListChanged":true`)) // the id is free again
		silent.say(listen(`1`, `"toolsListChanged":true`))
		both.heard()
		silent.heard()
		change()
		change()
		both.expect("two changes", "", "", `"asked"`, `"asked"`, largeID, largeID)
		silent.expect("two changes", "1", "1")
		for _, c := range all {
			c.in.Close()
		}
	})
}

func baseline(t *testing.T) *policy.Policy {
	t.Helper()
	p, err := policy.New(policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// changer returns a function that changes the list of a server's tools.
func changer(t *testing.T, server *mcpserver.Server) func() {
	count := 0
	return func() {
		t.Helper()
		count++
		if err := server.Replace(mcpserver.Offer{Skills: parse(t, t.TempDir(), strings.Replace(echo, "skills.x", fmt.Sprintf("skills.x%d", count), 1)), Policy: baseline(t)}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestASubscriptionIsAcknowledgedFirstAndEndsWithItsID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newServer(t, t.TempDir(), echo, nil)
		change := changer(t, server)
		c := converse(t, server)
		c.say(listen(largeID, `"toolsListChanged":true,"resourceSubscriptions":["skillet://files/a"]`)) // of which one is offered
		change()                                                                                        // at any moment of the request
		change()
		lines := c.heard()
		if len(lines) == 0 || !strings.Contains(lines[0], `"notifications/subscriptions/acknowledged"`) ||
			!strings.Contains(lines[0], `"notifications":{"toolsListChanged":true}`) {
			t.Errorf("got %s", lines)
		}
		for _, line := range lines {
			if !strings.Contains(line, `"io.modelcontextprotocol/subscriptionId":`+largeID) {
				t.Errorf("not tagged: %s", line)
			}
		}
		c.in.Close()
		lines = c.heard()
		if len(lines) != 1 || !strings.Contains(lines[0], `"id":`+largeID) || !strings.Contains(lines[0], `"io.modelcontextprotocol/subscriptionId":`+largeID) {
			t.Errorf("the end: got %s", lines)
		}
	})
}

func TestNobodyHearsOfAChangeBeforeTheAnswerToTheirIntroduction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newServer(t, t.TempDir(), echo, nil)
		change := changer(t, server)
		c := converse(t, server)
		c.say(initialize)
		change()
		lines := c.heard()
		if len(lines) == 0 || !strings.Contains(lines[0], `"id":"hello"`) {
			t.Errorf("got %s", lines)
		}
		change()
		c.expect("a change", "")
		c.in.Close()
	})
}

func TestBothErasAreToldThatTheListMayChange(t *testing.T) {
	answers := talk(t, nil, initialize, `{"jsonrpc":"2.0","id":"discover","method":"server/discover","params":{`+modern+`}}`)
	for _, id := range []string{`"hello"`, `"discover"`} {
		if !strings.Contains(string(answers[id]), `"tools":{"listChanged":true}`) {
			t.Errorf("%s: got %s", id, answers[id])
		}
	}
}

func TestSkillsAreReplacedAllAtOnceOrNotAtAll(t *testing.T) {
	server := newServer(t, t.TempDir(), echo+strings.Replace(echo, "skills.x", "skills.y", 1), ends(stdout("old")))
	names := func() (names []string) {
		var listed struct{ Tools []struct{ Name string } }
		if err := json.Unmarshal(request(t, server, "tools/list", struct{}{}).Result, &listed); err != nil {
			t.Fatal(err)
		}
		for _, tool := range listed.Tools {
			names = append(names, tool.Name)
		}
		slices.SortFunc(names, cmp.Compare[string])
		return names
	}
	broken := append(parse(t, t.TempDir(), strings.Replace(echo, "skills.x", "skills.z", 1)), &skills.Skill{Name: "broken", InputSchema: json.RawMessage("{")})
	if err := server.Replace(mcpserver.Offer{Skills: broken, Policy: baseline(t)}); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("got %v", err)
	}
	if got := names(); !slices.Equal(got, []string{"x", "y"}) {
		t.Errorf("after a failure: got %v", got)
	}
	if err := server.Replace(mcpserver.Offer{Skills: broken[:1], Policy: baseline(t)}); err != nil {
		t.Fatal(err)
	}
	if got := names(); !slices.Equal(got, []string{"z"}) {
		t.Errorf("got %v", got)
	}
	if r := call(t, server, "z", map[string]any{"text": "a"}); r.IsError {
		t.Errorf("got %+v", r)
	}
	if response := request(t, server, "tools/call", map[string]any{"name": "x"}); response.Error == nil || response.Error.Code != -32602 {
		t.Errorf("a tool that is no more: got %+v", response)
	}
}
