//go:build foreign

package foreign

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func TestTheTypeScriptSDKCallsEveryDefaultTool(t *testing.T) {
	calls := defaultCalls(t)
	eachKind(t, func(t *testing.T, k kind) {
		d := connect(t, k, samples(t), "--config", filepath.Join(root, "skills.toml"))
		schemas := d.tools(t, toolNames(calls))
		seen := map[string]int{}
		for _, call := range calls {
			d.callOne(t, call, schemas[call.Tool], seen)
		}
		for _, want := range []string{"text", "image/png", "image/webp", "resource", "resource_link", "structured"} {
			if seen[want] == 0 {
				t.Errorf("no call returned %s, only %v", want, seen)
			}
		}
		d.mistakes(t)
		d.quiet(t)
	})
}

// tools lists the tools, and returns the schemas of their results. With these in hand the SDK itself checks every result, too,
// but it would say nothing if it had no schemas.
func (d *driver) tools(t *testing.T, names []string) map[string]*jsonschema.Schema {
	t.Helper()
	list := d.ask(t, "list")
	if list.Error != nil {
		t.Fatalf("tools/list: %+v", *list.Error)
	}
	schemas := map[string]*jsonschema.Schema{}
	var listed []string
	for _, tool := range parse[struct {
		Tools []struct {
			Name, Title, Description  string
			InputSchema, OutputSchema json.RawMessage
		}
	}](t, list.Result).Tools {
		listed = append(listed, tool.Name)
		if tool.Title == "" || tool.Description == "" {
			t.Errorf("%s has no title or no description", tool.Name)
		}
		compile(t, tool.Name, tool.InputSchema)
		schemas[tool.Name] = compile(t, tool.Name, tool.OutputSchema)
	}
	slices.Sort(listed)
	if !slices.Equal(listed, names) {
		t.Errorf("the tools are %q, the calls are of %q", listed, names)
	}
	return schemas
}

func compile(t *testing.T, tool string, schema json.RawMessage) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		t.Fatalf("a schema of %s: %v: %s", tool, err, schema)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("tool:schema", document); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("tool:schema")
	if err != nil {
		t.Fatalf("a schema of %s: %v", tool, err)
	}
	return compiled
}

// callOne makes a call, checks all of its result, and counts what is in it.
func (d *driver) callOne(t *testing.T, call toolCall, schema *jsonschema.Schema, seen map[string]int) {
	t.Helper()
	result := d.result(t, d.call(t, call))
	if result.IsError || len(result.Content) == 0 {
		t.Errorf("%s %s: %s", call.Tool, call.Arguments, result.texts())
	}
	if err := schema.Validate(result.StructuredContent); err != nil {
		t.Errorf("%s %s: %v", call.Tool, call.Arguments, err)
	} else {
		seen["structured"]++
	}
	for _, content := range result.Content {
		seen[content.Type]++
		switch content.Type {
		case "image":
			seen[content.MimeType]++
			decode(t, content.MimeType, decoded(t, content.Data))
		case "resource_link":
			d.follow(t, content)
		}
	}
}

// follow reads what a result links to.
func (d *driver) follow(t *testing.T, link content) {
	t.Helper()
	e := d.answer(t, d.order(t, "read", map[string]any{"params": map[string]string{"uri": link.URI}}))
	if e.Error != nil {
		t.Errorf("%s: %+v", link.URI, *e.Error)
		return
	}
	contents := parse[struct {
		Contents []struct{ URI, MimeType, Text, Blob string }
	}](t, e.Result).Contents
	if len(contents) != 1 || contents[0].URI != link.URI || contents[0].MimeType != link.MimeType || contents[0].Text+contents[0].Blob == "" {
		t.Errorf("%s has %+v", link.URI, contents)
		return
	}
	decode(t, link.MimeType, decoded(t, contents[0].Blob))
}

func decoded(t *testing.T, text string) []byte {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Error(err)
	}
	return data
}

// mistakes are answered with words that a model can act on where a model made them, and with an error where a client did.
func (d *driver) mistakes(t *testing.T) {
	t.Helper()
	wrong := d.result(t, d.call(t, toolCall{"jq", json.RawMessage(`{"fitler": "."}`)}))
	if text := wrong.texts(); !wrong.IsError || !strings.Contains(text, "filter: is required") || !strings.Contains(text, `did you mean "filter"?`) {
		t.Errorf("wrong arguments: %+v", wrong)
	}
	failing := d.result(t, d.call(t, toolCall{"shell", json.RawMessage(`{"args": ["-c", "echo so far; echo why >&2; exit 3"]}`)}))
	if text := failing.texts(); !failing.IsError || !strings.Contains(text, "so far") || !strings.Contains(text, "why") || !strings.Contains(text, "3") {
		t.Errorf("a program that fails: %+v", failing)
	}
	unknown := d.answer(t, d.call(t, toolCall{Tool: "nobody"}))
	if unknown.Error == nil || unknown.Error.Code != -32602.0 || !strings.Contains(unknown.Error.Message, "nobody") {
		t.Errorf("an unknown tool: %+v %s", unknown.Error, unknown.Result)
	}
	pong := d.ask(t, "ping")
	if d.version == "2026-07-28" { // which has no ping
		if pong.Error == nil || pong.Error.Code != "METHOD_NOT_SUPPORTED_BY_PROTOCOL_VERSION" {
			t.Errorf("ping: %+v %s", pong.Error, pong.Result)
		}
	} else if pong.Error != nil {
		t.Errorf("ping: %+v", *pong.Error)
	}
}

// sh is a skill that makes containers do what a test needs.
const sh = `
[skills.foreign_sh]
timeout = "60s"
warm = 0
[skills.foreign_sh.docker]
image = "debian:bookworm-slim"
entrypoint = "sh"
volumes = ["${SKILL_WORKDIR}:/workdir"]
working_dir = "/workdir"
memory = "64m"
`

func connectShell(t *testing.T, k kind) (d *driver, workdir string) {
	t.Helper()
	workdir = t.TempDir()
	file := filepath.Join(workdir, "skills.toml")
	if err := os.WriteFile(file, []byte(sh), 0o644); err != nil {
		t.Fatal(err)
	}
	return connect(t, k, workdir, "--config", file), workdir
}

func (d *driver) script(t *testing.T, text string) int {
	t.Helper()
	return d.call(t, script(t, text))
}

func script(t *testing.T, text string) toolCall {
	t.Helper()
	arguments, err := json.Marshal(map[string][]string{"args": {"-c", text}})
	if err != nil {
		t.Fatal(err)
	}
	return toolCall{"foreign_sh", arguments}
}

func TestTheTypeScriptSDKIsToldOfProgress(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		t.Parallel() // it waits most of the time
		d, _ := connectShell(t, k)
		long, other := d.script(t, "for i in 1 2 3 4 5 6; do echo part $i of 6; sleep 0.6; done"), d.script(t, "sleep 1.2; echo other")
		if got := d.result(t, other).texts(); got != "other\n" {
			t.Errorf("got %q", got)
		}
		if got := d.result(t, long).texts(); !strings.HasSuffix(got, "part 6 of 6\n") {
			t.Errorf("got %q", got)
		}
		d.mu.Lock()
		told, before := fmt.Sprintf("%+v", d.heard[long]), len(d.heard[long])
		if before < 4 || !strings.Contains(told, "part 3 of 6") && !strings.Contains(told, "part 4 of 6") {
			t.Errorf("the SDK heard %s", told)
		}
		for i, one := range d.heard[long] {
			if i > 0 && one.Progress <= d.heard[long][i-1].Progress {
				t.Errorf("progress does not increase: %s", told)
			}
		}
		if told := fmt.Sprintf("%+v", d.heard[other]); strings.Contains(told, "part") || len(d.heard[other]) == 0 {
			t.Errorf("of the other call the SDK heard %s", told)
		}
		d.mu.Unlock()
		d.quiet(t) // the SDK complains of progress of a call that is over
	})
}

func TestACallThatTheTypeScriptSDKAbortsEndsAtOnce(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		d, workdir := connectShell(t, k)
		call := d.script(t, "trap '' TERM; touch started; sleep 600")
		waitFor(t, 20*time.Second, "the program to start", func() bool { return exists(filepath.Join(workdir, "started")) })
		// The engine knows of it a little later.
		waitFor(t, 20*time.Second, "its container to be listed", func() bool { return len(containers(t, d.pid)) == 1 })
		d.answer(t, d.order(t, "abort", map[string]any{"call": call}))
		aborted, looked := time.Now(), time.Time{}
		waitFor(t, 20*time.Second, "the container to die", func() bool {
			looked = time.Now()
			return len(containers(t, d.pid)) == 0
		})
		if took := looked.Sub(aborted); took > time.Second {
			t.Errorf("the container was there %v later", took)
		}
		if e := d.answer(t, call); e.Error == nil {
			t.Errorf("the call has a result: %s", e.Result)
		}
		if got := d.result(t, d.script(t, "echo on")).texts(); got != "on\n" {
			t.Errorf("the next call gave %q", got)
		}
		d.quiet(t) // the SDK complains of an answer to a call that is over
	})
}

func TestProgressKeepsTheTypeScriptSDKFromGivingUp(t *testing.T) {
	eachKind(t, func(t *testing.T, k kind) {
		t.Parallel() // it waits most of the time
		d, _ := connectShell(t, k)
		call := script(t, "for i in 1 2 3 4 5 6 7 8 9 10; do echo $i; sleep 0.5; done")
		patient := d.callWith(t, call, map[string]any{"timeout": 3000, "resetTimeoutOnProgress": true})
		hasty := d.callWith(t, script(t, "sleep 600"), map[string]any{"timeout": 3000})
		if e := d.answer(t, hasty); e.Error == nil || !strings.Contains(e.Error.Message, "timed out") {
			t.Errorf("after its time limit the SDK has %+v %s", e.Error, e.Result)
		}
		if got := d.result(t, patient).texts(); !strings.HasSuffix(got, "10\n") {
			t.Errorf("got %q", got)
		}
		waitFor(t, 10*time.Second, "the containers of both to die", func() bool { return len(containers(t, d.pid)) == 0 })
		d.quiet(t)
	})
}

func TestTheTypeScriptSDKIsNotLetInWithoutTheToken(t *testing.T) {
	url, _ := serveHTTP(t, samples(t), []string{"--config", filepath.Join(root, "skills.toml")})
	for _, k := range kinds {
		for _, wrong := range []string{"", "mallory-has-another-token"} {
			_, hello := start(t, k, map[string]any{"library": k.Library, "mode": k.Mode, "url": url, "token": wrong})
			if hello.Error == nil || hello.Error.Status != 401.0 {
				t.Errorf("%s %s with %q: %+v", k.Library, k.version, wrong, hello.Error)
			}
		}
	}
}
