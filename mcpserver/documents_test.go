package mcpserver

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skillet/runtime"
)

const documented = `
[skills.x]
title = "Convert"
description = "Converts a file.\nSlowly"
docs = "guide.md"
examples = [{ title = "To HTML", arguments = { format = "html" } }]
output = "auto"
args = ["{format}", ["{input}"]]
parameters.format = { type = "string", enum = ["html", "pdf"], default = "html" }
parameters.input = { type = "string", format = "path" }
docker = { image = "debian", volumes = ["${SKILL_WORKDIR}:/workdir"], working_dir = "/workdir" }

[skills.plain.docker]
image = "debian"

[skills.evil]
args = ["{format}"]
parameters.format = { type = "string", enum = ["secret"], default = "secret" }
docker = { image = "debian", extra_args = ["--privileged"] }

[prompts.summary]
title = "Sum up"
description = "Sum a file up"
text = "Sum up {file} as {format}{other}."
arguments.file = { description = "the file", required = true, tool = "x", parameter = "input" }
arguments.format = { tool = "x" }
arguments.other = { tool = "evil", parameter = "format" }
`

func nothing(runtime.IO) runtime.Result { return runtime.Result{} }

// answer is a result that has to be there.
func (h *house) answer(method string, params any, into any) {
	h.t.Helper()
	answer := h.ask("", method, params)
	if answer.Error != nil {
		h.t.Fatalf("%s: %+v", method, answer.Error)
	}
	if err := json.Unmarshal(answer.Result, into); err != nil {
		h.t.Fatal(err)
	}
}

func TestTheDocumentationOfSkillsIsAResource(t *testing.T) {
	h := newHouse(t, documented, nothing)
	var list struct {
		Resources []struct {
			URI, Name, Title, Description, MimeType string
			Size                                    int
		}
	}
	h.answer("resources/list", map[string]any{}, &list)
	if len(list.Resources) != 1 {
		t.Fatalf("got %+v", list)
	}
	listed := list.Resources[0]
	if listed.URI != "skillet://docs/x" || listed.Name != "x" || listed.Description != "Converts a file." || listed.MimeType != "text/markdown" {
		t.Errorf("got %+v", listed)
	}
	got := h.read("", listed.URI)
	for _, want := range []string{"# Convert (x)", "How to use it.", "To HTML:", `{"name": "x", "arguments": {"format":"html"}}`} {
		if !strings.Contains(*got.Text, want) {
			t.Errorf("%q is not in %q", want, *got.Text)
		}
	}
	if len(*got.Text) != listed.Size {
		t.Errorf("got %d bytes of %d", len(*got.Text), listed.Size)
	}
	h.refused("", "skillet://docs/plain", -32002)
	if err := h.Replace(Offer{Policy: h.options.Caller.Policy}); err != nil {
		t.Fatal(err)
	}
	h.refused("", listed.URI, -32002)
}

func TestPromptsAreListedAndFilledIn(t *testing.T) {
	h := newHouse(t, documented, nothing)
	var list struct {
		Prompts []struct {
			Name, Title, Description string
			Arguments                []struct {
				Name, Description string
				Required          bool
			}
		}
	}
	h.answer("prompts/list", map[string]any{}, &list)
	if p := list.Prompts; len(p) != 1 || p[0].Name != "summary" || p[0].Title != "Sum up" || len(p[0].Arguments) != 3 || !p[0].Arguments[0].Required || p[0].Arguments[1].Required {
		t.Fatalf("got %+v", list)
	}
	var got struct {
		Messages []struct {
			Role    string
			Content struct{ Type, Text string }
		}
	}
	h.answer("prompts/get", map[string]any{"name": "summary", "arguments": map[string]string{"file": "a.md", "format": "pdf"}}, &got)
	if m := got.Messages; len(m) != 1 || m[0].Role != "user" || m[0].Content.Text != "Sum up a.md as pdf." {
		t.Errorf("got %+v", got)
	}
	for want, params := range map[string]any{
		"file is required": map[string]any{"name": "summary"},
		`"fil" is no`:      map[string]any{"name": "summary", "arguments": map[string]string{"file": "a", "fil": "b"}},
		"not found":        map[string]any{"name": "summery"},
	} {
		if answer := h.ask("", "prompts/get", params); answer.Error == nil || answer.Error.Code != -32602 || !strings.Contains(answer.Error.Message, want) {
			t.Errorf("%v: got %+v", params, answer.Error)
		}
	}
}

func TestArgumentsOfPromptsAndPathsOfFilesAreCompleted(t *testing.T) {
	h := newHouse(t, documented, nil)
	h.options.Caller.Runner = writing(func() string { return h.workdir }, map[string]string{"made/a.txt": "a", "made/\xff": "b"})
	if err := h.Replace(Offer{Skills: (*h.skills.Load())[:2], Prompts: *h.prompts.Load(), Policy: h.options.Caller.Policy}); err != nil { // the policy has refused the last
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h.workdir, "notes.md"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	h.call("me")
	prompt, file := map[string]string{"type": "ref/prompt", "name": "summary"}, map[string]string{"type": "ref/resource", "uri": fileTemplate}
	for _, test := range []struct {
		client         string
		ref            map[string]string
		argument, text string
		want           string
	}{
		{"", prompt, "format", "", "html pdf"},
		{"", prompt, "format", "p", "pdf"},
		{"", prompt, "file", "", "guide.md made/ notes.md"},
		{"", prompt, "file", "made/", "made/a.txt"},
		{"", prompt, "file", "../", ""},
		{"", prompt, "other", "", ""},
		{"", prompt, "nothing", "", ""},
		{"", map[string]string{"type": "ref/prompt", "name": "nothing"}, "file", "", ""},
		{"me", file, "path", "", "made/a.txt"},
		{"me", file, "path", "x", ""},
		{"me", file, "offset", "", ""},
		{"you", file, "path", "", ""},
		{"me", map[string]string{"type": "ref/resource", "uri": "file:///{path}"}, "path", "", ""},
	} {
		answer := h.ask(test.client, "completion/complete", map[string]any{"ref": test.ref, "argument": map[string]string{"name": test.argument, "value": test.text}})
		var got struct{ Completion struct{ Values []string } }
		if err := json.Unmarshal(answer.Result, &got); err != nil || answer.Error != nil || strings.Join(got.Completion.Values, " ") != test.want || got.Completion.Values == nil {
			t.Errorf("%+v: got %q, %+v", test, got.Completion.Values, answer.Error)
		}
	}
}
