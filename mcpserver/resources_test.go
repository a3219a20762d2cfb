package mcpserver

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"skillet/policy"
	"skillet/runtime"
	"skillet/skills"
)

// program stands in for the engine: it does what a program does in the working directory, and writes.
type program func(io runtime.IO) runtime.Result

func (p program) Run(_ context.Context, _ policy.Plan, io runtime.IO) (runtime.Result, error) {
	return p(io), nil
}

// house is a server with one skill, and its working directory.
type house struct {
	*Server
	t       *testing.T
	workdir string
}

const auto = `
[skills.x]
output = "auto"
docker = { image = "debian", volumes = ["${SKILL_WORKDIR}:/workdir"], working_dir = "/workdir" }
`

func newHouse(t *testing.T, config string, run program) *house {
	t.Helper()
	workdir := t.TempDir()
	if err := os.WriteFile(filepath.Join(workdir, "guide.md"), []byte("How to use it.\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	set, err := skills.Parse(filepath.Join(workdir, "skills.toml"), []byte(config), skills.Environment{Workdir: workdir})
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.New(policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server, err := New(Options{Skills: set.Skills, Prompts: set.Prompts, Caller: Caller{Policy: p, Runner: run}, Workdir: workdir, Grace: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return &house{Server: server, t: t, workdir: workdir}
}

// ask sends a request of a client and returns the answer as it is on the wire.
func (h *house) ask(client, method string, params any) (answer struct {
	Result json.RawMessage
	Error  *struct {
		Code    int
		Message string
	}
}) {
	h.t.Helper()
	message, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		h.t.Fatal(err)
	}
	raw, err := json.Marshal(h.Handle(withClient(h.t.Context(), client), message))
	if err == nil {
		err = json.Unmarshal(raw, &answer)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return answer
}

// reply is the result of a call.
type reply struct {
	Content []struct {
		Type, Text, URI, MimeType string
		Size                      int64
	}
	StructuredContent struct {
		Stdout, StdoutType string
		StdoutDropped      int64 `json:"stdout_dropped_bytes"`
		Truncated          bool
		JSON               json.RawMessage
		Files              []file
	}
}

func (r reply) texts() string {
	var all []string
	for _, c := range r.Content {
		all = append(all, c.Text)
	}
	return strings.Join(all, "|")
}

// link is the URI of the first resource link.
func (r reply) link() string {
	for _, c := range r.Content {
		if c.Type == "resource_link" {
			return c.URI
		}
	}
	return ""
}

func (h *house) call(client string) (r reply) {
	h.t.Helper()
	answer := h.ask(client, "tools/call", map[string]any{"name": "x", "arguments": map[string]any{}})
	if answer.Error != nil {
		h.t.Fatalf("%+v", answer.Error)
	}
	if err := json.Unmarshal(answer.Result, &r); err != nil {
		h.t.Fatal(err)
	}
	return r
}

// contents is what a read returns.
type contents struct {
	URI, MimeType string
	Text, Blob    *string
	Meta          struct {
		Size int64  `json:"skillet/size"`
		Next string `json:"skillet/next"`
	} `json:"_meta"`
}

func (c contents) data(t *testing.T) []byte {
	t.Helper()
	if c.Text != nil {
		return []byte(*c.Text)
	}
	data, err := base64.StdEncoding.DecodeString(*c.Blob)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// read reads a resource, which is there.
func (h *house) read(client, uri string) contents {
	h.t.Helper()
	answer := h.ask(client, "resources/read", map[string]any{"uri": uri})
	if answer.Error != nil {
		h.t.Fatalf("%s: %+v", uri, answer.Error)
	}
	var result struct{ Contents []contents }
	if err := json.Unmarshal(answer.Result, &result); err != nil || len(result.Contents) != 1 {
		h.t.Fatalf("%s: %s", uri, answer.Result)
	}
	return result.Contents[0]
}

// refused expects a read to fail, and returns why.
func (h *house) refused(client, uri string, code int) string {
	h.t.Helper()
	answer := h.ask(client, "resources/read", map[string]any{"uri": uri})
	if answer.Error == nil || answer.Error.Code != code {
		h.t.Fatalf("%s: got %+v %.200s, expected the code %d", uri, answer.Error, answer.Result, code)
	}
	return answer.Error.Message
}

// writing is a program that makes files.
func writing(directory func() string, files map[string]string) program {
	return func(runtime.IO) runtime.Result {
		for name, text := range files {
			path := filepath.Join(directory(), name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
				panic(err)
			}
		}
		return runtime.Result{}
	}
}

func TestFilesThatWereFoundCanBeReadByWhoseCallMadeThem(t *testing.T) {
	var h *house
	large := bytes.Repeat([]byte("0123456789äöü\n"), 1<<19)
	h = newHouse(t, auto, writing(func() string { return h.workdir }, map[string]string{"sub/large.txt": string(large), "\xff\n.bin": "\x00\xff"}))
	if err := os.WriteFile(filepath.Join(h.workdir, "there-before"), []byte("private"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := h.call("me")
	if files := r.StructuredContent.Files; len(files) != 2 || files[0].Path != "sub/large.txt" || files[1].Path != `\xff\n.bin` {
		t.Fatalf("got %+v", files)
	}
	if !strings.Contains(r.texts(), `Result file \xff\n.bin`) {
		t.Errorf("got %q", r.texts())
	}
	if got := h.read("me", r.StructuredContent.Files[1].URI); string(got.data(t)) != "\x00\xff" || got.Text != nil {
		t.Errorf("got %+v", got)
	}
	uri := r.StructuredContent.Files[0].URI
	if reason := h.refused("me", uri, -32602); !strings.Contains(reason, "?offset=0&length=4194304") {
		t.Errorf("got %q", reason)
	}
	var all []byte
	for next := uri + "?length=1000003"; next != ""; {
		piece := h.read("me", next)
		if piece.Text == nil || piece.Meta.Size != int64(len(large)) || piece.MimeType != "text/plain" {
			t.Fatalf("%s is no text: %.100v", next, piece)
		}
		all = append(all, piece.data(t)...)
		next = piece.Meta.Next
	}
	if !bytes.Equal(all, large) {
		t.Errorf("%d bytes came back, expected %d", len(all), len(large))
	}
	// A range is a range: half a character is no text, and is no other character either.
	if got := h.read("me", uri+"?offset=11&length=3"); got.Blob == nil || string(got.data(t)) != string(large[11:14]) {
		t.Errorf("got %q", got.data(t))
	}
	if got := h.read("me", uri+fmt.Sprintf("?offset=%d", len(large))); len(got.data(t)) != 0 || got.Meta.Next != "" {
		t.Errorf("got %+v", got)
	}
	h.refused("me", uri+fmt.Sprintf("?offset=%d", len(large)+1), -32602)
	for _, foreign := range []string{uri, uri + "?length=1"} {
		h.refused("you", foreign, -32002)
	}
	h.refused("me", "skillet://files/there-before", -32002)
	h.refused("me", "skillet://files/sub/../there-before", -32602)
	h.refused("me", "skillet://nothing/x", -32002)
}

// What a call has returned may be read as it was then: what becomes of the name later is another's, perhaps.
func TestAFileThatHasChangedSinceIsNotRead(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(string) error{
		"content": func(path string) error { return os.WriteFile(path, []byte("hunter2"), 0o644) },
		"symlink": func(path string) error { return os.Symlink(secret, path) },
		"pipe":    func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"gone":    func(path string) error { return nil },
		"parent": func(path string) error {
			return errors.Join(os.Remove(filepath.Dir(path)), os.Symlink(filepath.Dir(secret), filepath.Dir(path)))
		},
	} {
		var h *house
		h = newHouse(t, auto, writing(func() string { return h.workdir }, map[string]string{"d/secret": "mine"}))
		uri := h.call("me").StructuredContent.Files[0].URI
		if got := h.read("me", uri); string(got.data(t)) != "mine" {
			t.Errorf("%s: got %q", name, got.data(t))
		}
		path := filepath.Join(h.workdir, "d/secret")
		if err := errors.Join(os.Remove(path), change(path)); err != nil {
			t.Fatal(err)
		}
		h.refused("me", uri, -32002)
	}
}

func TestAFileThatWasThereAndDidNotChangeIsNotNamed(t *testing.T) {
	const config = `
[skills.x]
outputs = ["out"]
docker = { image = "debian", volumes = ["${SKILL_WORKDIR}:/workdir"], working_dir = "/workdir" }
`
	h := newHouse(t, config, func(runtime.IO) runtime.Result { return runtime.Result{} })
	if err := os.WriteFile(filepath.Join(h.workdir, "out"), []byte("private"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := h.call("")
	if len(r.StructuredContent.Files) != 0 || !strings.Contains(r.texts(), "out: was there before") || strings.Contains(r.texts(), "private") {
		t.Errorf("got %+v", r)
	}
	h.refused("", "skillet://files/out", -32002)
}

func TestAResultNamesABoundedNumberOfFiles(t *testing.T) {
	files := map[string]string{}
	for i := range 2 * maxFiles {
		files[fmt.Sprintf("%03d.txt", i)] = strings.Repeat("x", maxText)
	}
	for i := range 3 {
		files[fmt.Sprintf("%03d.png", i)] = "\x89PNG\r\n\x1a\n" + strings.Repeat("x", maxMedia-8)
	}
	var h *house
	h = newHouse(t, auto, writing(func() string { return h.workdir }, files))
	r := h.call("")
	inline := 0
	for _, c := range r.Content {
		if c.Type == "image" {
			inline++
		}
	}
	if len(r.StructuredContent.Files) != maxFiles || !strings.Contains(r.texts(), fmt.Sprintf("%d more files", maxFiles+3)) || inline > 2 {
		t.Errorf("%d files are named, %d images are in it: %.300s", len(r.StructuredContent.Files), inline, r.texts())
	}
}

func TestLongTextKeepsItsHeadAndItsTailAndCanBeReadInFull(t *testing.T) {
	full := "begin " + strings.Repeat("é", 500_000) + " end"
	h := newHouse(t, auto, func(io runtime.IO) runtime.Result {
		_, _ = io.Stdout.Write([]byte(full))
		return runtime.Result{Stdout: runtime.Stream{Data: []byte(full[:101]), Dropped: int64(len(full)) - 202, Tail: []byte(full[len(full)-101:])}}
	})
	r := h.call("me")
	note := fmt.Sprintf("\n[… %d bytes are left out here …]\n", len(full)-202)
	if want := full[:100] + note + full[len(full)-100:]; r.StructuredContent.Stdout != want || r.Content[0].Text != want {
		t.Errorf("got %q", r.StructuredContent.Stdout)
	}
	uri := r.link()
	if !strings.Contains(r.texts(), uri+"?offset=0&length=65536") || !r.StructuredContent.Truncated {
		t.Errorf("got %q and %q", r.texts(), uri)
	}
	if got := h.read("me", uri); string(got.data(t)) != full || got.MimeType != "text/plain" {
		t.Errorf("%d bytes came back", len(got.data(t)))
	}
	h.refused("you", uri, -32002)
	h.refused("", "skillet://output/AAAA", -32002)
	if entries, err := os.ReadDir(h.workdir); err != nil || len(entries) != 1 { // guide.md
		t.Errorf("the working directory has %v %v", entries, err)
	}
	h.Close()
	h.refused("me", uri, -32002)
}

func TestWhatIsBinaryAndTooLongComesAsItsBeginningAndIsThereInFull(t *testing.T) {
	full := append([]byte("\x89PNG\r\n\x1a\n\xff\x00"), bytes.Repeat([]byte{0xfe}, 200_000)...)
	h := newHouse(t, auto, func(io runtime.IO) runtime.Result {
		_, _ = io.Stdout.Write(full)
		return runtime.Result{Stdout: runtime.Stream{Data: full[:100], Dropped: int64(len(full)) - 200, Tail: full[len(full)-100:]}}
	})
	r := h.call("")
	if r.StructuredContent.Stdout != "" || r.StructuredContent.StdoutDropped != int64(len(full))-100 {
		t.Errorf("got %+v", r.StructuredContent)
	}
	if got := h.read("", r.link()); !bytes.Equal(got.data(t), full) || got.MimeType != "image/png" {
		t.Errorf("%d bytes of %s came back", len(got.data(t)), got.MimeType)
	}
}

func TestShortOutputIsKeptNowhere(t *testing.T) {
	h := newHouse(t, auto, func(io runtime.IO) runtime.Result {
		_, _ = io.Stdout.Write([]byte("short"))
		return runtime.Result{Stdout: runtime.Stream{Data: []byte("short")}}
	})
	if r := h.call(""); r.link() != "" {
		t.Errorf("got %+v", r)
	}
}

func TestAnAutomaticResultHasJSONWhereThereIsSome(t *testing.T) {
	for text, isJSON := range map[string]bool{
		"{\"a\": [1]}\n": true, " [1, 2]": true, "{}": true, "7": false, "true": false, "{\"a\": 1} {}": false, "{a": false, "text": false,
	} {
		h := newHouse(t, auto, func(runtime.IO) runtime.Result {
			return runtime.Result{Stdout: runtime.Stream{Data: []byte(text)}}
		})
		r := h.call("")
		structured := r.StructuredContent
		if isJSON != (structured.JSON != nil) || isJSON == (structured.Stdout == text) || r.Content[0].Text != text {
			t.Errorf("%q: got %+v", text, r)
		}
	}
}

func TestAReadThatPanicsIsAnsweredAndTellsNothing(t *testing.T) {
	h := newHouse(t, auto, nil)
	h.ledger = nil
	if reason := h.refused("", "skillet://files/a", -32603); strings.Contains(reason, "nil pointer") {
		t.Errorf("got %q", reason)
	}
}
