package mcpserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"skillet/mcpserver"
	"skillet/policy"
	"skillet/runtime"
	"skillet/skills"
)

// fakeSession stands in for a container that is kept: it counts its calls, and does what its calls say.
type fakeSession struct {
	plan  policy.Plan
	ended chan struct{}

	mu    sync.Mutex
	calls int
	why   string
}

func (s *fakeSession) Run(_ context.Context, plan policy.Plan, _ runtime.IO) (runtime.Result, error) {
	s.mu.Lock()
	s.calls++
	calls := s.calls
	s.mu.Unlock()
	switch word := plan.Container().Command[0]; word {
	case "time out":
		s.End(context.Background(), "its last call was killed at its time limit")
		return runtime.Result{ExitCode: -1}, &runtime.TimeoutError{Skill: "x"}
	case "refuse":
		return runtime.Result{ExitCode: -1}, &runtime.StartError{Skill: "x"}
	case "fail":
		return runtime.Result{ExitCode: 7}, nil
	}
	return stdout(fmt.Sprint("call ", calls)), nil
}

func (s *fakeSession) Fits(plan policy.Plan) bool {
	a, b := s.plan.Container(), plan.Container()
	a.Command, b.Command = nil, nil
	return reflect.DeepEqual(a, b)
}

func (s *fakeSession) Ended() <-chan struct{} { return s.ended }

func (s *fakeSession) Why() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.why
}

func (s *fakeSession) End(_ context.Context, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why == "" {
		s.why = why
		close(s.ended)
	}
}

// fakeOpener opens them.
type fakeOpener struct{ opened []*fakeSession }

func (o *fakeOpener) open(plan policy.Plan) (mcpserver.Session, error) {
	s := &fakeSession{plan: plan, ended: make(chan struct{})}
	o.opened = append(o.opened, s)
	return s, nil
}

const withSessions = `
[skills.x]
session = true
args = ["{text}"]
parameters.text = { type = "string", required = true }
docker = { image = "debian" }
[skills.y]
session = true
session_idle = "1m"
docker = { image = "debian" }
[skills.z.docker]
image = "debian"
`

func newSessionServer(t *testing.T, config string) (*mcpserver.Server, *fakeOpener) {
	t.Helper()
	p, err := policy.New(policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	opener := &fakeOpener{}
	alone := runner(func(policy.Container) (runtime.Result, error) { return stdout("alone"), nil })
	server, err := mcpserver.New(mcpserver.Options{
		Skills: parse(t, t.TempDir(), config), Caller: mcpserver.Caller{Policy: p, Runner: alone}, OpenSession: opener.open, MaxSessions: 3,
	})
	if err != nil {
		t.Fatal(err)
	}
	return server, opener
}

// opens opens a session, and returns its handle.
func opens(t *testing.T, server *mcpserver.Server) string {
	t.Helper()
	r := call(t, server, "x", map[string]any{"text": "a", "session": "new"})
	handle := sessionOf(t, r)
	if r.IsError || handle == "" || !strings.Contains(r.texts(), handle) || !strings.Contains(r.texts(), "10m0s") {
		t.Fatalf("got %+v %s", r, r.StructuredContent)
	}
	return handle
}

func sessionOf(t *testing.T, r result) string {
	t.Helper()
	var content struct{ Session string }
	if err := json.Unmarshal(r.StructuredContent, &content); err != nil {
		t.Fatalf("%v in %+v", err, r)
	}
	return content.Session
}

// refused wants a call to be refused with these words.
func refused(t *testing.T, server *mcpserver.Server, tool string, arguments any, words ...string) {
	t.Helper()
	r := call(t, server, tool, arguments)
	for _, word := range words {
		if !r.IsError || !strings.Contains(r.texts(), word) {
			t.Errorf("%s %v: got %+v, expected %q in an error", tool, arguments, r, word)
		}
	}
}

func TestACallWithASessionContinuesInItsContainer(t *testing.T) {
	server, opener := newSessionServer(t, withSessions)
	handle := opens(t, server)
	if other := opens(t, server); other == handle || len(handle) < 20 {
		t.Errorf("two handles are %q and %q", handle, other)
	}
	r := call(t, server, "x", map[string]any{"text": "b", "session": handle})
	if r.texts() != "call 2" || sessionOf(t, r) != handle || len(opener.opened) != 2 {
		t.Errorf("got %+v %s", r, r.StructuredContent)
	}
	for _, arguments := range []map[string]any{{"text": "b"}, {"text": "b", "session": ""}} {
		if r := call(t, server, "x", arguments); r.texts() != "alone" || sessionOf(t, r) != "" {
			t.Errorf("without a session: %+v", r)
		}
	}
	refused(t, server, "x", map[string]any{"text": "b", "session": "nonesuch"}, "no such session", `"new"`)
	refused(t, server, "y", map[string]any{"args": []string{"b"}, "session": handle}, "belongs to the tool x")
	refused(t, server, "z", map[string]any{"session": handle}, "session: is no parameter")
	refused(t, server, "x", map[string]any{"session": handle}, "text: is required")
	if r := call(t, server, "x", map[string]any{"text": "fail", "session": handle}); !r.IsError || sessionOf(t, r) != handle {
		t.Errorf("a program that fails: %+v", r)
	}
	if r := call(t, server, "x", map[string]any{"text": "b", "session": handle}); r.texts() != "call 4" {
		t.Errorf("after that: %+v", r)
	}
}

func TestASessionThatHasEndedSaysSo(t *testing.T) {
	server, opener := newSessionServer(t, withSessions)
	handle := opens(t, server)
	refused(t, server, "x", map[string]any{"text": "time out", "session": handle}, "The session has ended: its last call was killed", `"new"`)
	refused(t, server, "x", map[string]any{"text": "b", "session": handle}, "the session has ended: its last call was killed")
	refused(t, server, "x", map[string]any{"text": "refuse", "session": "new"}, "its first call has failed")
	if why := opener.opened[1].Why(); why == "" {
		t.Error("a session whose first call failed is kept")
	}
	handle = opens(t, server)
	opener.opened[2].End(t.Context(), "it had no call for 10m0s")
	refused(t, server, "x", map[string]any{"text": "b", "session": handle}, "it had no call for 10m0s")
	refused(t, server, "session_end", map[string]any{}, "it takes one")
	refused(t, server, "session_end", map[string]any{"session": handle, "more": 1}, "it takes one")
	refused(t, server, "session_end", map[string]any{"session": "nonesuch"}, "no such session")
	handle = opens(t, server)
	for range 2 {
		if r := call(t, server, "session_end", map[string]any{"session": handle}); r.IsError || !strings.Contains(r.texts(), "is over") {
			t.Errorf("got %+v", r)
		}
	}
	refused(t, server, "x", map[string]any{"text": "b", "session": handle}, "ended with session_end")
}

func TestAClientHasSoManySessionsAndNoMore(t *testing.T) {
	server, opener := newSessionServer(t, withSessions)
	var handles []string
	for range 3 {
		handles = append(handles, opens(t, server))
	}
	refused(t, server, "x", map[string]any{"text": "a", "session": "new"}, "has 3, and may have 3", handles[0]+" (x)", handles[2], "session_end")
	if len(opener.opened) != 3 {
		t.Error("a session was opened")
	}
	call(t, server, "session_end", map[string]any{"session": handles[1]})
	opens(t, server)
}

func TestTheToolThatEndsSessionsIsThereWhereThereAreSome(t *testing.T) {
	names := func(server *mcpserver.Server) (names []string) {
		var list struct{ Tools []struct{ Name string } }
		if err := json.Unmarshal(request(t, server, "tools/list", struct{}{}).Result, &list); err != nil {
			t.Fatal(err)
		}
		for _, tool := range list.Tools {
			names = append(names, tool.Name)
		}
		slices.Sort(names)
		return names
	}
	server, _ := newSessionServer(t, withSessions)
	if got := names(server); !slices.Equal(got, []string{"session_end", "x", "y", "z"}) {
		t.Errorf("got %v", got)
	}
	p, err := policy.New(policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	offer := mcpserver.Offer{Skills: parse(t, t.TempDir(), withSessions), Policy: p, Listing: skills.ListSearch}
	if err := server.Replace(offer); err != nil {
		t.Fatal(err)
	}
	if got := names(server); !slices.Equal(got, []string{"call_skill", "find_skill", "session_end"}) {
		t.Errorf("with two tools for all: %v", got)
	}
	r := call(t, server, "call_skill", map[string]any{"name": "x", "arguments": map[string]any{"text": "a", "session": "new"}})
	if handle := sessionOf(t, r); handle == "" {
		t.Errorf("by another name: %+v", r)
	}
	server, _ = newSessionServer(t, echo)
	if got := names(server); !slices.Equal(got, []string{"x"}) {
		t.Errorf("without sessions: %v", got)
	}
}

func TestSessionsOutliveAReloadUnlessTheirContainersWouldBeOthers(t *testing.T) {
	server, opener := newSessionServer(t, withSessions)
	p, err := policy.New(policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	opens(t, server)
	reload := func(config string, by *policy.Policy) {
		t.Helper()
		if err := server.Replace(mcpserver.Offer{Skills: parse(t, t.TempDir(), config), Policy: by}); err != nil {
			t.Fatal(err)
		}
	}
	reload(strings.Replace(withSessions, `["{text}"]`, `["--verbose", "{text}"]`, 1), p)
	if why := opener.opened[0].Why(); why != "" {
		t.Errorf("after a change of the arguments: %s", why)
	}
	for name, config := range map[string]string{
		"another image": strings.Replace(withSessions, `"debian"`, `"debian:12"`, 1),
		"no sessions":   strings.Replace(withSessions, "session = true", "", 1),
		"no skill":      "[skills.other.docker]\nimage = 'debian'",
	} {
		reload(withSessions, p)
		handle := opens(t, server)
		reload(config, p)
		if why := opener.opened[len(opener.opened)-1].Why(); !strings.Contains(why, "changed or removed") {
			t.Errorf("%s: %q", name, why)
		}
		reload(withSessions, p)
		refused(t, server, "x", map[string]any{"text": "a", "session": handle}, "changed or removed")
	}
	strict, err := policy.Parse("p", []byte("block_sessions = true"), policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	opens(t, server)
	reload(withSessions, strict)
	if why := opener.opened[len(opener.opened)-1].Why(); why == "" {
		t.Error("a session that the policy refuses goes on")
	}
	refused(t, server, "x", map[string]any{"text": "a", "session": "new"}, "block_sessions")
}

func TestNoSessionIsAskedOfACallThatNobodyCanContinue(t *testing.T) {
	p, err := policy.New(policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	skill := parse(t, t.TempDir(), withSessions)[0]
	_, err = mcpserver.Caller{Policy: p, Runner: ends(stdout("x"))}.Call(t.Context(), skill, json.RawMessage(`{"text": "a", "session": "new"}`), runtime.IO{})
	if err == nil || !strings.Contains(err.Error(), "skillet serve") {
		t.Errorf("got %v", err)
	}
}
