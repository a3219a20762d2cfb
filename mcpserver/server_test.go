package mcpserver_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"skillet/mcpserver"
	"skillet/policy"
	"skillet/runtime"
	"skillet/skills"
)

var update = flag.Bool("update", false, "write the snapshots anew")

// runner stands in for the engine: the real one is met in internal/e2e.
type runner func(policy.Container) (runtime.Result, error)

func (r runner) Run(_ context.Context, plan policy.Plan, _ runtime.IO) (runtime.Result, error) {
	return r(plan.Container())
}

// ends is a runner whose program ends with this result.
func ends(result runtime.Result) runner {
	return func(policy.Container) (runtime.Result, error) { return result, nil }
}

func stdout(text string) runtime.Result {
	return runtime.Result{Stdout: runtime.Stream{Data: []byte(text)}, Duration: 5 * time.Millisecond}
}

// content is a block of a result as it is on the wire.
type content struct {
	Type, Text, Data, MimeType, URI, Name string
	Size                                  *int64
	Resource                              struct{ URI, MimeType, Text, Blob string }
}

type result struct {
	Content           []content
	StructuredContent json.RawMessage
	IsError           bool
}

func (r result) texts() string {
	var texts []string
	for _, c := range r.Content {
		if c.Type == "text" {
			texts = append(texts, c.Text)
		}
	}
	return strings.Join(texts, "|")
}

func newServer(t *testing.T, workdir, config string, run runner) *mcpserver.Server {
	t.Helper()
	p, err := policy.New(policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server, err := mcpserver.New(mcpserver.Options{Skills: parse(t, workdir, config), Caller: mcpserver.Caller{Policy: p, Runner: run}, Workdir: workdir, Version: "test", Grace: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return server
}

func parse(t *testing.T, workdir, config string) []*skills.Skill {
	t.Helper()
	set, err := skills.Parse(filepath.Join(workdir, "skills.toml"), []byte(config), skills.Environment{
		Workdir: workdir, Lookup: func(string) (string, bool) { return "", false },
	})
	if err != nil {
		t.Fatal(err)
	}
	return set.Skills
}

// request sends one request and returns the response.
func request(t *testing.T, server *mcpserver.Server, method string, params any) (response struct {
	Result json.RawMessage
	Error  *struct {
		Code    int
		Message string
	}
}) {
	t.Helper()
	message, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := json.Marshal(server.Handle(t.Context(), message))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(answer, &response); err != nil {
		t.Fatal(err)
	}
	return response
}

func call(t *testing.T, server *mcpserver.Server, tool string, arguments any) result {
	t.Helper()
	response := request(t, server, "tools/call", map[string]any{"name": tool, "arguments": arguments})
	if response.Error != nil {
		t.Fatalf("protocol error: %+v", response.Error)
	}
	var r result
	if err := json.Unmarshal(response.Result, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

const echo = `
[skills.x]
args = ["{text}"]
parameters.text = { type = "string", required = true }
docker = { image = "debian" }
`

func TestAResultHasTextAndTheSameStructured(t *testing.T) {
	run := runtime.Result{
		Stdout: runtime.Stream{Data: []byte("out\n")}, Stderr: runtime.Stream{Data: []byte("err\n")}, Duration: 5 * time.Millisecond,
	}
	r := call(t, newServer(t, t.TempDir(), echo, ends(run)), "x", map[string]any{"text": "a"})
	if r.IsError || r.texts() != "out\n|Standard error:\nerr\n" {
		t.Errorf("got %+v", r)
	}
	const want = `{"exit_code":0,"stdout":"out\n","stderr":"err\n","duration_ms":5,"truncated":false}`
	if string(r.StructuredContent) != want {
		t.Errorf("got %s", r.StructuredContent)
	}
}

func TestAProgramWithoutOutputStillHasText(t *testing.T) {
	r := call(t, newServer(t, t.TempDir(), echo, ends(stdout(""))), "x", map[string]any{"text": "a"})
	if r.IsError || r.texts() == "" {
		t.Errorf("got %+v", r)
	}
}

func TestWhatAModelCanMendIsAToolErrorAndRunsNothing(t *testing.T) {
	nothing := runner(func(policy.Container) (runtime.Result, error) { panic("was run") })
	server := newServer(t, t.TempDir(), echo+"[skills.evil.docker]\nimage = \"debian\"\nextra_args = [\"--privileged\"]\n", nothing)
	for _, test := range []struct {
		tool      string
		arguments any
		want      []string
	}{
		{"x", map[string]any{}, []string{"text: is required"}},
		{"x", map[string]any{"text": 7, "txt": "a"}, []string{"text: got number, expected string", "txt: is no parameter"}},
		{"x", map[string]any{"text": "--option"}, []string{`begins with "-"`}},
		{"x", []string{"a"}, []string{"have to be a JSON object"}},
		{"evil", map[string]any{}, []string{"block_privileged", "remove it"}},
	} {
		r := call(t, server, test.tool, test.arguments)
		for _, want := range test.want {
			if !r.IsError || !strings.Contains(r.texts(), want) {
				t.Errorf("%v: got %+v, expected %q in an error", test.arguments, r, want)
			}
		}
	}
}

func TestAnUnknownToolIsAProtocolError(t *testing.T) {
	response := request(t, newServer(t, t.TempDir(), echo, nil), "tools/call", map[string]any{"name": "y"})
	if response.Error == nil || response.Error.Code != -32602 {
		t.Errorf("got %+v", response)
	}
}

func TestAFailedProgramIsAToolErrorWithAllItWrote(t *testing.T) {
	for _, test := range []struct {
		run        runner
		text, json string
	}{
		{ends(runtime.Result{ExitCode: 5, Stderr: runtime.Stream{Data: []byte("no")}}), "x failed with exit code 5.|Standard error:\nno", `"exit_code":5`},
		{ends(runtime.Result{ExitCode: 139, Signal: "SIGSEGV"}), "exit code 139 (SIGSEGV)", `"signal":"SIGSEGV"`},
		{ends(runtime.Result{ExitCode: 137, OOMKilled: true}), "ran out of memory", `"oom_killed":true`},
		{func(policy.Container) (runtime.Result, error) {
			return runtime.Result{ExitCode: -1, Stdout: runtime.Stream{Data: []byte("part")}}, &runtime.TimeoutError{Skill: "x", After: time.Second}
		}, "follows.|part", `"timed_out":true`},
	} {
		r := call(t, newServer(t, t.TempDir(), echo, test.run), "x", map[string]any{"text": "a"})
		if !r.IsError || !strings.Contains(r.texts(), test.text) || !strings.Contains(string(r.StructuredContent), test.json) {
			t.Errorf("got %+v %s", r, r.StructuredContent)
		}
	}
}

func TestAnEngineThatDoesNotAnswerIsAToolError(t *testing.T) {
	run := runner(func(policy.Container) (runtime.Result, error) {
		return runtime.Result{ExitCode: -1}, &runtime.EngineError{Address: "unix:///x", Doing: "creating the container", Err: syscall.ECONNREFUSED}
	})
	r := call(t, newServer(t, t.TempDir(), echo, run), "x", map[string]any{"text": "a"})
	if !r.IsError || !strings.Contains(r.texts(), "unix:///x") || r.StructuredContent != nil {
		t.Errorf("got %+v", r)
	}
}

func TestExitCodesNamedBySuccessAreNoFailure(t *testing.T) {
	config := strings.Replace(echo, "[skills.x]", "[skills.x]\nsuccess = [0, 1]", 1)
	if r := call(t, newServer(t, t.TempDir(), config, ends(runtime.Result{ExitCode: 1})), "x", map[string]any{"text": "a"}); r.IsError {
		t.Errorf("got %+v", r)
	}
}

func TestAPanicIsAnAnsweredCallThatTellsNothing(t *testing.T) {
	run := runner(func(policy.Container) (runtime.Result, error) { panic("hunter2") })
	r := call(t, newServer(t, t.TempDir(), echo, run), "x", map[string]any{"text": "a"})
	if !r.IsError || strings.Contains(r.texts(), "hunter2") || r.texts() == "" {
		t.Errorf("got %+v", r)
	}
}

var png, _ = base64.StdEncoding.DecodeString("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")

func TestBinaryOutputComesBackByteForByte(t *testing.T) {
	random := []byte{0x80, 0xfe, 0, 1, 2, 0xff}
	for _, test := range []struct {
		stream   runtime.Stream
		kind     string
		mimeType string
	}{
		{runtime.Stream{Data: png}, "image", "image/png"},
		{runtime.Stream{Data: append([]byte("RIFF\x04\x00\x00\x00WAVE"), 0xff)}, "audio", "audio/wave"},
		{runtime.Stream{Data: random}, "resource", "application/octet-stream"},
		{runtime.Stream{Data: []byte("text with \x00")}, "resource", "application/octet-stream"},
		{runtime.Stream{Data: bytes.Repeat([]byte{0x1b}, 100)}, "resource", "text/plain"},
		{runtime.Stream{Data: png, Dropped: 1}, "resource", "image/png"}, // half a picture is none
	} {
		r := call(t, newServer(t, t.TempDir(), echo, ends(runtime.Result{Stdout: test.stream})), "x", map[string]any{"text": "a"})
		got := r.Content[0]
		encoded, mimeType := got.Data, got.MimeType
		if got.Type == "resource" {
			encoded, mimeType = got.Resource.Blob, got.Resource.MimeType
		}
		data, _ := base64.StdEncoding.DecodeString(encoded)
		if got.Type != test.kind || mimeType != test.mimeType || string(data) != string(test.stream.Data) {
			t.Errorf("got %s %s %q, expected %s %s", got.Type, mimeType, data, test.kind, test.mimeType)
		}
		if !strings.Contains(string(r.StructuredContent), `"stdout":"","stderr"`) || !strings.Contains(string(r.StructuredContent), fmt.Sprintf("%q:%q", "stdout_type", test.mimeType)) {
			t.Errorf("got %s", r.StructuredContent)
		}
	}
}

func TestTextThatWasCutInsideACharacterStaysText(t *testing.T) {
	r := call(t, newServer(t, t.TempDir(), echo, ends(runtime.Result{Stdout: runtime.Stream{Data: []byte("grün\xe2\x82"), Dropped: 10, Tail: []byte("\xac grün")}})), "x", map[string]any{"text": "a"})
	if r.Content[0].Text != "grün\n[… 10 bytes are left out here …]\n grün" || !strings.Contains(r.texts(), "10 bytes of standard output") || !strings.Contains(string(r.StructuredContent), `"truncated":true`) {
		t.Errorf("got %+v", r)
	}
}

const promise = `
[skills.x]
output = "json"
docker = { image = "debian" }
[skills.x.output_schema]
type = "object"
required = ["n"]
properties.n = { type = "integer" }
`

func TestPromisedJSONBecomesTheStructuredContent(t *testing.T) {
	r := call(t, newServer(t, t.TempDir(), promise, ends(stdout("{\"n\": 12345678901234567890}\n"))), "x", nil)
	if r.IsError || string(r.StructuredContent) != `{"n":12345678901234567890}` {
		t.Errorf("got %+v %s", r, r.StructuredContent)
	}
	for _, broken := range []string{"hello", `{"n": "x"}`, `{}`, ``, `{"n": 1} {"n": 2}`, "{\"n\": 1, \"s\": \"\xff\"}"} {
		if r := call(t, newServer(t, t.TempDir(), promise, ends(stdout(broken))), "x", nil); !r.IsError || r.StructuredContent != nil {
			t.Errorf("%q: got %+v", broken, r)
		}
	}
}

const maker = `
[skills.x]
args = ["{output}"]
outputs = ["{output}"]
parameters.output = { type = "string", format = "path", required = true }
docker = { image = "debian", volumes = ["${SKILL_WORKDIR}:/workdir"], working_dir = "/workdir" }
`

// made calls a skill that makes a file by doing make.
func made(t *testing.T, name string, make func(path string) error) result {
	t.Helper()
	dir := t.TempDir()
	server := newServer(t, dir, maker, func(policy.Container) (runtime.Result, error) {
		return runtime.Result{}, make(filepath.Join(dir, name))
	})
	return call(t, server, "x", map[string]any{"output": name})
}

func write(data []byte) func(string) error {
	return func(path string) error { return os.WriteFile(path, data, 0o644) }
}

func TestFilesThatACallMadeComeBack(t *testing.T) {
	large := make([]byte, 5<<20)
	copy(large, png)
	for _, test := range []struct {
		name     string
		data     []byte
		kind     string
		mimeType string
	}{
		{"a.png", png, "image", "image/png"},
		{"a.svg", []byte("<svg xmlns=\"http://www.w3.org/2000/svg\"/>"), "resource", "image/svg+xml"},
		{"a.json", []byte("{}"), "resource", "application/json"},
		{"a.zip", []byte("PK\x03\x04\xff"), "resource", "application/zip"},
		{"large.zip", append([]byte("PK\x03\x04\xff"), make([]byte, 16<<10)...), "resource_link", "application/zip"},
		{"large.png", large, "resource_link", "image/png"},
	} {
		r := made(t, test.name, write(test.data))
		last := r.Content[len(r.Content)-1]
		mimeType := last.MimeType + last.Resource.MimeType
		if r.IsError || last.Type != test.kind || mimeType != test.mimeType {
			t.Errorf("%s: got %s %s in %+v", test.name, last.Type, mimeType, r)
		}
		if want := fmt.Sprintf(`"files":[{"path":%q,"bytes":%d,"mime_type":%q,"uri":"skillet://files/%s"}]`, test.name, len(test.data), test.mimeType, test.name); !strings.Contains(string(r.StructuredContent), want) {
			t.Errorf("got %s, expected %s", r.StructuredContent, want)
		}
	}
}

func TestNothingOutsideTheWorkingDirectoryIsEverRead(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, make := range map[string]func(string) error{
		"symlink":   func(path string) error { return os.Symlink(secret, path) },
		"pipe":      func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"directory": func(path string) error { return os.Mkdir(path, 0o700) },
		"missing":   func(string) error { return nil },
	} {
		r := made(t, "out", make)
		all, _ := json.Marshal(r)
		if strings.Contains(string(all), "hunter2") || strings.Contains(string(all), base64.StdEncoding.EncodeToString([]byte("hunter2"))) {
			t.Errorf("%s: the secret came back: %s", name, all)
		}
		if !strings.HasPrefix(r.texts(), "out: ") {
			t.Errorf("%s: got %q, expected to be told what is wrong", name, r.texts())
		}
	}
}

func TestTheDefaultToolsAreWhatTheirSnapshotsSay(t *testing.T) {
	set, err := skills.Load("../skills.toml", skills.Environment{Workdir: "/work", Lookup: os.LookupEnv})
	if err != nil {
		t.Fatal(err)
	}
	tools, err := mcpserver.Tools(set.Skills, skills.ListAll)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, tool := range tools {
		file := filepath.Join("testdata", "tools", tool.Name+".json")
		known[file] = true
		var got strings.Builder
		encoder := json.NewEncoder(&got)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(tool); err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(got.String()), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s has changed; if that is meant, run go test ./mcpserver -update:\n%s", file, diff)
		}
	}
	files, _ := filepath.Glob("testdata/tools/*.json")
	for _, file := range files {
		if !known[file] {
			t.Errorf("%s is the snapshot of no tool: remove it", file)
		}
	}
}
