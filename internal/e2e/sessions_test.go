package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const sessionSh = `
[skills.e2e_sh]
session = true
session_idle = "30s"
timeout = "5s"
[skills.e2e_sh.docker]
image = "debian:bookworm-slim"
entrypoint = "sh"
volumes = ["${SKILL_WORKDIR}:/workdir"]
working_dir = "/workdir"
memory = "64m"
`

func scriptIn(session, text string) map[string]any {
	return map[string]any{"args": []string{"-c", text}, "session": session}
}

func sessionOf(t *testing.T, result *mcp.CallToolResult) string {
	t.Helper()
	structured, _ := result.StructuredContent.(map[string]any)
	handle, _ := structured["session"].(string)
	if handle == "" || result.IsError {
		t.Fatalf("no session in %v: %s", result.StructuredContent, texts(result))
	}
	return handle
}

// A tree that is checked out, a process that serves, an end.
func TestASessionKeepsItsContainerBetweenCalls(t *testing.T) {
	s := serve(t, sessionSh)
	opened := s.call(t, "e2e_sh", scriptIn("new", "mkdir /tmp/tree; echo one >/tmp/tree/file; sleep 600 & echo $! >/tmp/pid"))
	handle := sessionOf(t, opened)
	if !strings.Contains(texts(opened), handle) {
		t.Errorf("a model does not see the session: %s", texts(opened))
	}
	for range 3 {
		got := s.call(t, "e2e_sh", scriptIn(handle, "cat /tmp/tree/file; kill -0 $(cat /tmp/pid) && echo runs"))
		if texts(got) != "one\nruns\n" || sessionOf(t, got) != handle {
			t.Errorf("got %q", texts(got))
		}
	}
	if got := texts(s.call(t, "e2e_sh", script("ls /tmp"))); got != "The program ended well and wrote nothing." {
		t.Errorf("a call beside it sees %q", got)
	}
	other := sessionOf(t, s.call(t, "e2e_sh", scriptIn("new", "echo two >/tmp/other")))
	if got := texts(s.call(t, "e2e_sh", scriptIn(other, "ls /tmp"))); got != "other\n" {
		t.Errorf("another session sees %q", got)
	}
	if got := s.call(t, "session_end", map[string]any{"session": handle}); got.IsError {
		t.Error(texts(got))
	}
	if got := s.call(t, "e2e_sh", scriptIn(handle, "true")); !got.IsError || !strings.Contains(texts(got), "has ended") {
		t.Errorf("after the end: %s", texts(got))
	}
	if got := s.call(t, "e2e_sh", scriptIn(other, "sleep 60")); !got.IsError || !strings.Contains(texts(got), "The session has ended") {
		t.Errorf("after a call that took too long: %s", texts(got))
	}
}

// The example, with an image that is here.
func TestTheExamplesInterpreterRemembers(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "examples/sessions.toml"))
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, strings.NewReplacer("skills.repl", "skills.e2e_repl", "skills.bench", "skills.e2e_bench", "python:3.12-slim", "skillet/python").
		Replace(string(text)))
	run := func(code, session string) *mcp.CallToolResult {
		t.Helper()
		return s.call(t, "e2e_repl", map[string]any{"code": code, "session": session})
	}
	handle := sessionOf(t, run("import math\ndef double(x):\n    return 2 * x\ny = 21", "new"))
	for code, want := range map[string]string{
		"print(double(y), math.pi > 3)":      "42 True\n",
		"1 / 0":                              "ZeroDivisionError",
		"import sys; sys.exit(3)":            "SystemExit: 3",
		"print('z' * 200_000)":               strings.Repeat("z", 200_000) + "\n",
		"print(sorted(n for n in dir()))":    "'double', 'math', ",
		"import os; print(os.getcwd() != 0)": "True\n",
	} {
		if got := texts(run(code, handle)); !strings.Contains(got, want) {
			t.Errorf("%s gave %.300q", code, got)
		}
	}
	if got := texts(run("print('y' in dir())", "")); got != "False\n" {
		t.Errorf("without a session: %q", got)
	}
	bench := sessionOf(t, s.call(t, "e2e_bench", map[string]any{"script": "cp /workdir/skills.toml $HOME/copy", "session": "new"}))
	if got := texts(s.call(t, "e2e_bench", map[string]any{"script": "head -c 7 $HOME/copy", "session": bench})); got != "# Tools" {
		t.Errorf("the workbench has %q", got)
	}
}

func TestASessionEndsWhenItsSkillChangesAndNotOtherwise(t *testing.T) {
	s := serve(t, sessionSh)
	handle := sessionOf(t, s.call(t, "e2e_sh", scriptIn("new", "echo kept >/tmp/file")))
	change := func(old, now string) {
		file := filepath.Join(s.workdir, "skills.toml")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		before := strings.Count(s.stderr.String(), "reloaded")
		if err := os.WriteFile(file, []byte(strings.Replace(string(text), old, now, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "the reload", func() bool { return strings.Count(s.stderr.String(), "reloaded") > before })
	}
	change("session = true", "description = \"A shell\"\nsession = true")
	if got := texts(s.call(t, "e2e_sh", scriptIn(handle, "cat /tmp/file"))); got != "kept\n" {
		t.Errorf("after a change of words: %s", got)
	}
	// The call that is under way ends before its session.
	done := make(chan string, 1)
	go func() { done <- texts(s.call(t, "e2e_sh", scriptIn(handle, "touch begun; sleep 2; cat /tmp/file"))) }()
	waitFor(t, "the program", func() bool { return exists(filepath.Join(s.workdir, "begun")) })
	change(`memory = "64m"`, `memory = "65m"`)
	if got := <-done; !strings.HasPrefix(got, "kept\n") || !strings.Contains(got, "its skill was changed") {
		t.Errorf("the call that was under way: %s", got)
	}
	if got := s.call(t, "e2e_sh", scriptIn(handle, "cat /tmp/file")); !got.IsError || !strings.Contains(texts(got), "its skill was changed") {
		t.Errorf("after a change of the container: %s", texts(got))
	}
}

func TestClientsOverHTTPHaveSessionsOfTheirOwn(t *testing.T) {
	tokens := filepath.Join(t.TempDir(), "tokens")
	const anna, bert = "anna-0123456789abcdef0123456789abcdef", "bert-0123456789abcdef0123456789abcdef"
	if err := os.WriteFile(tokens, []byte("anna "+anna+"\nbert "+bert+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serveHTTP(t, sessionSh, nil, "--max-idle", "0", "--http-token-file", tokens, "--max-sessions", "2")
	for _, version := range []string{older, newer} {
		call := func(token, tool string, arguments map[string]any) *mcp.CallToolResult {
			t.Helper()
			result, err := s.connect(t, version, token).CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: arguments})
			if err != nil {
				t.Fatal(err)
			}
			return result
		}
		handle := sessionOf(t, call(anna, "e2e_sh", scriptIn("new", "echo secret >/tmp/file")))
		// Each request is a connection of its own here: the client is who the token says.
		if got := texts(call(anna, "e2e_sh", scriptIn(handle, "cat /tmp/file"))); got != "secret\n" {
			t.Errorf("%s: %q", version, got)
		}
		stolen, invented := call(bert, "e2e_sh", scriptIn(handle, "cat /tmp/file")), call(bert, "e2e_sh", scriptIn("AAAA", "cat /tmp/file"))
		if !stolen.IsError || texts(stolen) != texts(invented) {
			t.Errorf("%s: another client: %s", version, texts(stolen))
		}
		if got := call(bert, "session_end", map[string]any{"session": handle}); !got.IsError {
			t.Errorf("%s: another client has ended it", version)
		}
		second := sessionOf(t, call(anna, "e2e_sh", scriptIn("new", "true")))
		if got := call(anna, "e2e_sh", scriptIn("new", "true")); !got.IsError || !strings.Contains(texts(got), "may have 2") || !strings.Contains(texts(got), handle) {
			t.Errorf("%s: a third session: %s", version, texts(got))
		}
		full := call(bert, "e2e_sh", scriptIn("new", "true"))
		if got := call(bert, "session_end", map[string]any{"session": sessionOf(t, full)}); got.IsError {
			t.Errorf("%s: %s", version, texts(got))
		}
		for _, one := range []string{handle, second} {
			if got := call(anna, "session_end", map[string]any{"session": one}); got.IsError {
				t.Errorf("%s: %s", version, texts(got))
			}
		}
		waitFor(t, "the sessions' containers to go", func() bool { return len(s.containers(t)) == 0 })
	}
}

func TestALongCallOfASessionGoesOnAsAJob(t *testing.T) {
	s := serve(t, strings.Replace(sessionSh, "session = true", "session = true\nwait = \"1s\"", 1))
	handle := sessionOf(t, s.call(t, "e2e_sh", scriptIn("new", "echo kept >/tmp/file")))
	begun := s.call(t, "e2e_sh", scriptIn(handle, "sleep 3; cat /tmp/file"))
	structured, _ := begun.StructuredContent.(map[string]any)
	if structured["job"] == nil {
		t.Fatalf("no job: %v %s", structured, texts(begun))
	}
	if got := s.call(t, "e2e_sh", scriptIn(handle, "echo second")); !got.IsError || !strings.Contains(texts(got), "busy with another call") {
		t.Errorf("a second call: %s", texts(got))
	}
	ended := s.call(t, "job_output", map[string]any{"job": structured["job"], "wait": 20})
	if texts(ended) != "kept\n" || sessionOf(t, ended) != handle {
		t.Errorf("got %s", texts(ended))
	}
	long := s.call(t, "e2e_sh", scriptIn(handle, "sleep 60"))
	structured, _ = long.StructuredContent.(map[string]any)
	s.call(t, "job_cancel", map[string]any{"job": structured["job"]})
	if got := s.call(t, "e2e_sh", scriptIn(handle, "true")); !got.IsError || !strings.Contains(texts(got), "has ended: its last call was cancelled") {
		t.Errorf("after a job that was cancelled: %s", texts(got))
	}
}

// Who does nothing any more, ends nothing: the containers do so by themselves.
func TestSessionsOfAFrozenSkilletEndByThemselves(t *testing.T) {
	s := serve(t, strings.Replace(sessionSh, `"30s"`, `"2s"`, 1)+"\n[defaults]\nwarm = 0\n")
	handle := sessionOf(t, s.call(t, "e2e_sh", scriptIn("new", "sleep 600 & echo on")))
	if containers(t) == "" {
		t.Fatal("no container is kept")
	}
	if err := s.process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	waitFor(t, "the container to end", func() bool { return containers(t) == "" })
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	if err := s.process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if got := s.call(t, "e2e_sh", scriptIn(handle, "true")); !got.IsError || !strings.Contains(texts(got), "had no call for 2s") {
		t.Errorf("got %s", texts(got))
	}
}
