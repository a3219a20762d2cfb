package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// auto is sh, with whatever it makes in the results.
var auto = strings.Replace(sh, "[skills.e2e_sh]\n", "[skills.e2e_sh]\noutput = \"auto\"\n", 1)

// links are the URIs of a result's resource links, by name.
func links(result *mcp.CallToolResult) map[string]string {
	all := map[string]string{}
	for _, content := range result.Content {
		if link, ok := content.(*mcp.ResourceLink); ok {
			all[link.Name] = link.URI
		}
	}
	return all
}

// readAll reads a resource piece by piece.
func (s *server) readAll(t *testing.T, uri string, length int) []byte {
	t.Helper()
	var all []byte
	for next := fmt.Sprintf("%s?offset=0&length=%d", uri, length); next != ""; {
		result, err := s.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: next})
		if err != nil || len(result.Contents) != 1 {
			t.Fatalf("%s: %v", next, err)
		}
		piece := result.Contents[0]
		all = append(append(all, piece.Text...), piece.Blob...)
		next, _ = piece.Meta["skillet/next"].(string)
	}
	return all
}

func TestWhatACallMakesComesBackAndTheRestStaysWhereItIs(t *testing.T) {
	s := serve(t, auto)
	private := filepath.Join(s.workdir, "private.txt")
	if err := os.WriteFile(private, []byte("private"), 0o644); err != nil {
		t.Fatal(err)
	}
	result := s.call(t, "e2e_sh", script(`echo '{"rows": 2}'; mkdir out; echo a,b >out/small.csv; seq 2000000 >large.txt
		printf '\211PNG\r\n\032\n\377' >dot.png; ln -s /etc/passwd link; mkfifo pipe; cat private.txt >/dev/null`))
	structured, err := json.Marshal(result.StructuredContent)
	if err != nil || result.IsError {
		t.Fatalf("%v %s", err, texts(result))
	}
	var got struct {
		Stdout string
		JSON   json.RawMessage
		Files  []struct{ Path, URI string }
	}
	if err := json.Unmarshal(structured, &got); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, file := range got.Files {
		paths = append(paths, file.Path)
	}
	if strings.Join(paths, " ") != "dot.png large.txt out/small.csv" || string(got.JSON) != `{"rows":2}` || got.Stdout != "" {
		t.Fatalf("got %s", structured)
	}
	kinds := map[string]int{}
	for _, content := range result.Content {
		kinds[fmt.Sprintf("%T", content)]++
	}
	if kinds["*mcp.ImageContent"] != 1 || kinds["*mcp.EmbeddedResource"] != 1 || kinds["*mcp.ResourceLink"] != 1 {
		t.Errorf("got %v", kinds)
	}
	want, err := os.ReadFile(filepath.Join(s.workdir, "large.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if all := s.readAll(t, links(result)["large.txt"], 3<<20); !bytes.Equal(all, want) {
		t.Errorf("%d of %d bytes came back", len(all), len(want))
	}
	for _, uri := range []string{"skillet://files/private.txt", "skillet://files/link", "skillet://files/pipe", "skillet://files/out/../private.txt",
		"skillet://files/%2e%2e/etc/passwd", "file://" + private, "file:///etc/passwd"} {
		read, err := s.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: uri})
		var failed *jsonrpc.Error
		if !errors.As(err, &failed) || failed.Code != -32002 && failed.Code != jsonrpc.CodeInvalidParams {
			t.Errorf("%s: got %+v, %v", uri, read, err)
		}
	}
	if again := s.call(t, "e2e_sh", script("cat large.txt | wc -l")); len(again.Content) != 1 {
		t.Errorf("a call that changes nothing returned %+v", again.Content)
	}
}

func TestOutputThatIsTooLongCanBeReadInFull(t *testing.T) {
	s := serve(t, sh)
	result := s.call(t, "e2e_sh", script("seq 1000000; echo oops >&2"))
	text := result.Content[0].(*mcp.TextContent).Text
	if len(text) > 1<<20+100 || !strings.HasPrefix(text, "1\n2\n") || !strings.HasSuffix(text, "\n999999\n1000000\n") || !strings.Contains(text, "bytes are left out here") {
		t.Errorf("got %d bytes, %.20q … %q", len(text), text, text[max(len(text)-20, 0):])
	}
	var want bytes.Buffer
	for i := range 1000000 {
		fmt.Fprintln(&want, i+1)
	}
	if all := s.readAll(t, links(result)["standard-output"], 4<<20); !bytes.Equal(all, want.Bytes()) {
		t.Errorf("%d of %d bytes came back", len(all), want.Len())
	}
	if entries, err := os.ReadDir(s.workdir); err != nil || len(entries) != 1 { // skills.toml
		t.Errorf("the working directory has %v, %v", entries, err)
	}
}

// Half of a calls' files would be the other's if a call were given all that has changed while it ran.
func TestCallsAtTheSameTimeAreNotGivenEachOthersFiles(t *testing.T) {
	s := serve(t, auto)
	meet := "touch %[1]s.there; for i in $(seq 600); do [ -e a.there ] && [ -e b.there ] && break; sleep 0.05; done; echo %[1]s >%[1]s.txt; sleep 0.5"
	results := make(chan *mcp.CallToolResult, 2)
	for _, name := range []string{"a", "b"} {
		go func() {
			result, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "e2e_sh", Arguments: script(fmt.Sprintf(meet, name))})
			if err != nil {
				t.Error(err)
			}
			results <- result
		}()
	}
	for range 2 {
		result := <-results
		if structured, _ := json.Marshal(result.StructuredContent); strings.Contains(string(structured), `"files"`) {
			t.Errorf("got %s", structured)
		}
		if !strings.Contains(texts(result), "may be the others'") {
			t.Errorf("nothing is said of it: %q", texts(result))
		}
	}
	if result := s.call(t, "e2e_sh", script("echo c >c.txt")); !strings.Contains(texts(result), "c.txt") {
		t.Errorf("alone: %q", texts(result))
	}
}

func TestBytesThatAreNoTextComeBackAsTheyAre(t *testing.T) {
	s := serve(t, sh)
	result := s.call(t, "e2e_sh", script(`printf 'caf\351\n'; printf '\200\377' >&2`))
	var blobs []string
	for _, content := range result.Content {
		if embedded, ok := content.(*mcp.EmbeddedResource); ok {
			blobs = append(blobs, string(embedded.Resource.Blob))
		}
	}
	raw, _ := json.Marshal(result)
	if len(blobs) != 2 || blobs[0] != "caf\xe9\n" || blobs[1] != "\x80\xff" || bytes.Contains(raw, []byte("\ufffd")) {
		t.Errorf("got %q in %s", blobs, raw)
	}
}

func TestDocumentationPromptsAndCompletionReachAForeignClient(t *testing.T) {
	workdir := t.TempDir()
	if err := os.CopyFS(workdir, os.DirFS(filepath.Join(root, "examples"))); err != nil {
		t.Fatal(err)
	}
	s := serveFile(t, filepath.Join(workdir, "prompts.toml"), filepath.Join(workdir, "samples"))
	resources, err := s.ListResources(t.Context(), nil)
	if err != nil || len(resources.Resources) != 1 {
		t.Fatalf("got %+v, %v", resources, err)
	}
	read, err := s.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: resources.Resources[0].URI})
	if err != nil || !strings.Contains(read.Contents[0].Text, "## Examples") || !strings.Contains(read.Contents[0].Text, "awk") {
		t.Errorf("got %+v, %v", read, err)
	}
	complete := func(ref *mcp.CompleteReference, argument, value string) string {
		result, err := s.Complete(t.Context(), &mcp.CompleteParams{Ref: ref, Argument: mcp.CompleteParamsArgument{Name: argument, Value: value}})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(result.Completion.Values, " ")
	}
	prompt := &mcp.CompleteReference{Type: "ref/prompt", Name: "table"}
	if files, by := complete(prompt, "file", "s"), complete(prompt, "separator", ""); files != "sales.csv" || by != "comma semicolon tab" {
		t.Errorf("got %q and %q", files, by)
	}
	got, err := s.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "table", Arguments: map[string]string{"file": "sales.csv"}})
	if err != nil || !strings.Contains(got.Messages[0].Content.(*mcp.TextContent).Text, "sales.csv") {
		t.Errorf("got %+v, %v", got, err)
	}
	templates, err := s.ListResourceTemplates(t.Context(), nil)
	if err != nil || len(templates.ResourceTemplates) != 2 {
		t.Errorf("got %+v, %v", templates, err)
	}
	if result := s.call(t, "columns", map[string]any{"file": "sales.csv", "column": 1}); result.IsError {
		t.Error(texts(result))
	}
}

func TestSkillsThatAreNotListedAreFoundAndCalled(t *testing.T) {
	s := serve(t, auto+"[server]\ntools = \"search\"\n[skills.e2e_other.docker]\nimage = \"debian:bookworm-slim\"\n")
	list, err := s.ListTools(t.Context(), nil)
	if err != nil || len(list.Tools) != 2 {
		t.Fatalf("got %+v, %v", list, err)
	}
	found, _ := json.Marshal(s.call(t, "find_skill", map[string]any{"query": "e2e sh"}).StructuredContent)
	if !bytes.Contains(found, []byte(`"name":"e2e_sh"`)) || !bytes.Contains(found, []byte(`"input_schema":{`)) {
		t.Errorf("got %s", found)
	}
	result := s.call(t, "call_skill", map[string]any{"name": "e2e_sh", "arguments": script("echo made >made.txt; echo done")})
	if structured, _ := json.Marshal(result.StructuredContent); result.IsError || !bytes.Contains(structured, []byte(`"path":"made.txt"`)) {
		t.Errorf("got %s: %s", structured, texts(result))
	}
	if all := s.readAll(t, "skillet://files/made.txt", 100); string(all) != "made\n" {
		t.Errorf("got %q", all)
	}
	if result := s.call(t, "call_skill", map[string]any{"name": "e2e_sh", "arguments": script("exit 3")}); !result.IsError || !strings.Contains(texts(result), "exit code 3") {
		t.Errorf("got %q", texts(result))
	}
}

// Over HTTP there are several clients, in either era. What the calls of one have returned is for none of the others.
func TestClientsOverHTTPReadWhatTheirOwnCallsHaveReturned(t *testing.T) {
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, []byte("alice 0123456789abcdef\nbob fedcba9876543210\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serveHTTP(t, auto, nil, "--http-token-file", tokens)
	call := &mcp.CallToolParams{Name: "e2e_sh", Arguments: script("echo secret >file.txt; seq 400000")}
	result, err := s.connect(t, older, "0123456789abcdef").CallTool(t.Context(), call)
	if err != nil {
		t.Fatal(err)
	}
	uris := []string{"skillet://files/file.txt", links(result)["standard-output"] + "?length=10"}
	for i, want := range []string{"secret\n", "1\n2\n3\n4\n5\n"} {
		for _, era := range []string{older, newer} {
			read, err := s.connect(t, era, "0123456789abcdef").ReadResource(t.Context(), &mcp.ReadResourceParams{URI: uris[i]})
			if err != nil || read.Contents[0].Text != want {
				t.Errorf("%s, alice, %s: got %+v, %v", era, uris[i], read, err)
			}
			read, err = s.connect(t, era, "fedcba9876543210").ReadResource(t.Context(), &mcp.ReadResourceParams{URI: uris[i]})
			var failed *jsonrpc.Error
			if code := map[string]int64{older: -32002, newer: -32602}[era]; !errors.As(err, &failed) || failed.Code != code {
				t.Errorf("%s, bob, %s: got %+v, %v", era, uris[i], read, err)
			}
		}
	}
}
