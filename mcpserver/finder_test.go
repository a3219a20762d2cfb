package mcpserver

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"skillet/policy"
	"skillet/runtime"
	"skillet/skills"
)

const findable = `
[server]
tools = "search"

[skills.resize]
title = "Resize"
description = "Change the size of a picture"
args = ["{input}", "--width={width}"]
parameters.input = { type = "string", required = true }
parameters.width = { type = "integer", default = 100 }
docker.image = "debian"

[skills.query]
description = "Query JSON"
output = "json"
docker.image = "debian"

[skills.evil]
description = "A picture of evil"
docker = { image = "debian", extra_args = ["--privileged"] }
`

// findHouse is a server that lists two tools.
func findHouse(t *testing.T, config string, run Runner) *house {
	t.Helper()
	workdir := t.TempDir()
	set, err := skills.Parse(filepath.Join(workdir, "skills.toml"), []byte(config), skills.Environment{Workdir: workdir})
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.New(policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server, err := New(Options{
		Skills: set.Skills, Listing: set.Listing, Caller: Caller{Policy: p, Runner: run}, Workdir: workdir, Grace: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return &house{Server: server, t: t, workdir: workdir}
}

// toolCall calls a tool and returns what is on the wire.
func (h *house) toolCall(name string, arguments any) (r struct {
	IsError           bool
	Content           []struct{ Type, Text string }
	StructuredContent json.RawMessage
}) {
	h.t.Helper()
	h.answer("tools/call", map[string]any{"name": name, "arguments": arguments}, &r)
	return r
}

// find asks find_skill, and returns the names.
func (h *house) find(arguments map[string]any) (names string, all matches) {
	h.t.Helper()
	r := h.toolCall(findName, arguments)
	if err := json.Unmarshal(r.StructuredContent, &all); err != nil || r.IsError {
		h.t.Fatalf("%v: %+v", arguments, r)
	}
	var text matches
	if err := json.Unmarshal([]byte(r.Content[0].Text), &text); err != nil || len(text.Skills) != len(all.Skills) {
		h.t.Errorf("the text says something else: %s", r.Content[0].Text)
	}
	for _, one := range all.Skills {
		names += one.Name + " "
	}
	return strings.TrimSpace(names), all
}

func TestOnlyTwoToolsAreListedAndTheyLeadToAll(t *testing.T) {
	h := findHouse(t, findable, program(nothing))
	var list struct {
		Tools []struct {
			Name                      string
			InputSchema, OutputSchema json.RawMessage
		}
	}
	h.answer("tools/list", map[string]any{}, &list)
	if len(list.Tools) != 2 || list.Tools[0].Name != callName || list.Tools[1].Name != findName {
		t.Fatalf("got %+v", list)
	}
	names, all := h.find(map[string]any{"query": "make a picture smaller, resize it"})
	if names != "resize evil" || all.More != 0 || all.Names != nil {
		t.Errorf("got %q", names)
	}
	resize := (*h.skills.Load())[0]
	if first := all.Skills[0]; first.Description != resize.Description || string(first.InputSchema) != string(resize.InputSchema) {
		t.Errorf("got %+v", first)
	}
	if names, all := h.find(map[string]any{"query": "picture", "limit": 1}); len(all.Skills) != 1 || all.More != 1 {
		t.Errorf("got %q and %d more", names, all.More)
	}
	if names, all := h.find(map[string]any{"query": "zebra"}); names != "" || strings.Join(all.Names, " ") != "resize query evil" {
		t.Errorf("got %q and %q", names, all.Names)
	}
	for _, wrong := range []any{map[string]any{}, map[string]any{"query": 3}, map[string]any{"query": ""}, map[string]any{"query": "a", "limit": 0},
		map[string]any{"query": "a", "limit": 21}, map[string]any{"qeury": "a"}, nil, []string{"a"}} {
		if r := h.toolCall(findName, wrong); !r.IsError || !strings.Contains(r.Content[0].Text, "give a query") {
			t.Errorf("%v: got %+v", wrong, r)
		}
	}
	if answer := h.ask("", "tools/call", map[string]any{"name": "resize", "arguments": map[string]any{"input": "a"}}); answer.Error == nil || answer.Error.Code != -32602 {
		t.Errorf("a tool that is not listed was called: %s", answer.Result)
	}
}

// Whatever a call comes to, it is the same under both listings.
func TestACallOfAFoundSkillGoesTheVeryWayOfATool(t *testing.T) {
	run := program(func(runtime.IO) runtime.Result {
		return runtime.Result{Stdout: runtime.Stream{Data: []byte(`{"a": 12345678901234567890}`)}, Duration: time.Second}
	})
	listed := findHouse(t, strings.Replace(findable, "search", "all", 1), run)
	found := findHouse(t, findable, run)
	for _, test := range []struct {
		name      string
		arguments any
	}{
		{"resize", map[string]any{"input": "a"}},
		{"resize", map[string]any{"input": "a", "width": 12345678901234567}},
		{"resize", map[string]any{"input": "-a"}},
		{"resize", map[string]any{"width": "a", "x": 1}},
		{"resize", nil},
		{"query", map[string]any{"args": []string{"."}}},
		{"evil", map[string]any{}},
	} {
		direct := listed.toolCall(test.name, test.arguments)
		called := found.toolCall(callName, map[string]any{"name": test.name, "arguments": test.arguments})
		if fmt.Sprintf("%+v", direct) != fmt.Sprintf("%+v", called) {
			t.Errorf("%+v:\n got %+v\nwant %+v", test, called, direct)
		}
	}
	if r := found.toolCall(callName, map[string]any{"name": "query"}); r.IsError {
		t.Errorf("without arguments: %+v", r)
	}
	for want, arguments := range map[string]any{
		`did you mean "resize"`:  map[string]any{"name": "resise"},
		"find_skill finds":       map[string]any{"name": "nothing of this kind"},
		"give the name":          map[string]any{"arguments": map[string]any{}},
		"have to be a JSON obje": map[string]any{"name": "query", "arguments": `{"args": []}`},
	} {
		if r := found.toolCall(callName, arguments); !r.IsError || !strings.Contains(r.Content[0].Text, want) {
			t.Errorf("%v: got %+v", arguments, r)
		}
	}
}

// A call of a found skill waits in the same queue: more calls than may run at a time do not run.
func TestFoundSkillsWaitForTheirTurn(t *testing.T) {
	h := findHouse(t, findable, program(nothing))
	h.queue.maxRunning, h.queue.maxWaiting = 1, 1
	if _, err := h.queue.enter(); err != nil {
		t.Fatal(err)
	}
	ctx, leave := h.takePlace(t.Context(), "tools/call", nil)
	defer leave()
	full, _ := h.takePlace(t.Context(), "tools/call", nil)
	message := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"call_skill","arguments":{"name":"query"}}}`
	if answer, _ := json.Marshal(h.Handle(full, []byte(message))); !strings.Contains(string(answer), "skillet is busy") {
		t.Errorf("got %s", answer)
	}
	done := make(chan struct{})
	go func() {
		h.Handle(ctx, []byte(message))
		close(done)
	}()
	select {
	case <-done:
		t.Error("the call did not wait")
	case <-time.After(50 * time.Millisecond):
	}
	h.queue.mu.Lock()
	h.queue.running--
	h.queue.run(h.queue.waiting[0])
	h.queue.waiting = nil
	h.queue.mu.Unlock()
	<-done
}

// The default tools are what models are asked to find: each is among the first three for what people would say.
func TestTheDefaultToolsAreFound(t *testing.T) {
	text, err := os.ReadFile("../skills.toml")
	if err != nil {
		t.Fatal(err)
	}
	h := findHouse(t, string(text)+"\n[server]\ntools = \"search\"\n", nil)
	for question, want := range map[string]string{
		"convert a video to gif": "ffmpeg", "duration of a media file": "ffprobe", "draw a graph": "graphviz", "make a photo smaller": "imagemagick",
		"filter JSON": "jq", "run javascript": "node", "run a python script": "python", "word document from markdown": "pandoc_write",
		"text of a PDF": "pdftotext", "picture of a PDF page": "pdf_page", "search for a word in files": "ripgrep", "shell script": "shell",
		"SQL query of a database": "sqlite_query", "SQL over a CSV table": "sqlite_csv", "read the text in a scan": "tesseract",
	} {
		if names, _ := h.find(map[string]any{"query": question, "limit": 3}); !strings.Contains(" "+names+" ", " "+want+" ") {
			t.Errorf("%q finds %q, not %s", question, names, want)
		}
	}
}
