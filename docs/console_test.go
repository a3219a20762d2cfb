package docs

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"skillet/mcpserver/streamable"
)

// TestCommandsWriteWhatIsShown needs the engine and the images of the default skills, which `make test` provides, and
// fails without them.
func TestCommandsWriteWhatIsShown(t *testing.T) {
	for _, file := range documents(t) {
		all := blocks(t, file)
		dir := checkout(t, all)
		for _, b := range all {
			if b.kind == "console" {
				t.Run(b.at(), func(t *testing.T) { expect(t, b, session(t, b, dir)) })
			}
		}
	}
}

// session runs the commands of a block and returns what the block should look like.
func session(t *testing.T, b *block, dir string) string {
	t.Helper()
	var shown strings.Builder
	for _, line := range b.lines {
		if text, isCommand := strings.CutPrefix(line, "$ "); isCommand {
			if !regexp.MustCompile(`\bskillet\b`).MatchString(text) {
				t.Errorf("%s: %q does not run skillet", b.at(), text)
			}
			shown.WriteString(line + "\n" + output(t, command(dir, "sh", "-c", text)))
		}
	}
	return shown.String()
}

// TestCallsHaveTheResultsThatAreShown speaks MCP with a server.
func TestCallsHaveTheResultsThatAreShown(t *testing.T) {
	eachBlock(t, func(t *testing.T, b *block) {
		if b.next == nil || b.next.kind != "json result" {
			t.Fatal("no ```json result block follows")
		}
		dir := checkout(t, nil)
		answers := converse(t, command(dir, skillet, "serve", "--workdir", "examples/samples"), b.text())
		var want, got any
		if err := json.Unmarshal(answers, &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(b.next.text()), &want); err != nil {
			t.Fatal(err)
		}
		if sameResult(want, got) {
			return
		}
		text, err := json.MarshalIndent(got, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		expect(t, b.next, strings.ReplaceAll(string(text), dir, project)+"\n")
	}, "json call")
}

func TestToolsAreToldToClientsAsShown(t *testing.T) {
	for _, file := range documents(t) {
		var last *block
		for _, b := range blocks(t, file) {
			switch b.kind {
			case "toml":
				last = b
			case "json tool":
				t.Run(b.at(), func(t *testing.T) { tool(t, last, b) })
			}
		}
	}
}

func tool(t *testing.T, source, b *block) {
	t.Helper()
	if source == nil {
		t.Fatal("no ```toml block comes before")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "skills.toml"), []byte(source.text()), 0o644); err != nil {
		t.Fatal(err)
	}
	var list struct {
		Tools []map[string]any `json:"tools"`
	}
	if err := json.Unmarshal([]byte(output(t, command(dir, skillet, "list", "--json"))), &list); err != nil {
		t.Fatal(err)
	}
	got := list.Tools[0]
	delete(got, "outputSchema")
	var want map[string]any
	if err := json.Unmarshal([]byte(b.text()), &want); err != nil {
		t.Fatal(err)
	}
	if reflect.DeepEqual(want, got) {
		return
	}
	text, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	expect(t, b, string(text)+"\n")
}

// sameResult compares two results but for the time that they took.
func sameResult(want, got any) bool {
	for _, result := range []any{want, got} {
		object, _ := result.(map[string]any)
		if structured, ok := object["structuredContent"].(map[string]any); ok {
			if _, ok := structured["duration_ms"].(float64); ok {
				structured["duration_ms"] = 0.0
			}
		}
	}
	return reflect.DeepEqual(want, got)
}

// converse starts a server, introduces itself, makes one call, and returns its result.
func converse(t *testing.T, server *exec.Cmd, params string) (result json.RawMessage) {
	t.Helper()
	withServer(t, server, func(call func(params string) json.RawMessage) { result = call(params) })
	return result
}

// withServer starts a server and introduces itself, for calls.
func withServer(t *testing.T, server *exec.Cmd, do func(call func(params string) json.RawMessage)) {
	t.Helper()
	in, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		in.Close()
		if err := server.Wait(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
	}()
	answers := bufio.NewReader(out)
	ask := func(id int, method, params string) json.RawMessage {
		if _, err := fmt.Fprintf(in, `{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`+"\n", id, method, strings.ReplaceAll(params, "\n", " ")); err != nil {
			t.Fatal(err)
		}
		line, err := answers.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		var answer struct {
			ID     int             `json:"id"`
			Result json.RawMessage `json:"result"`
		}
		if err := json.Unmarshal(line, &answer); err != nil || answer.ID != id || answer.Result == nil {
			t.Fatalf("%s was answered with %s", method, line)
		}
		return answer.Result
	}
	ask(1, "initialize", `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"docs","version":"1"}}`)
	fmt.Fprintln(in, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	id := 1
	do(func(params string) json.RawMessage {
		id++
		return ask(id, "tools/call", params)
	})
}

// TestConfigurationsOfClientsNameAWayToServe tries what clients are told to start, with "check" in the place of "serve".
func TestConfigurationsOfClientsNameAWayToServe(t *testing.T) {
	eachBlock(t, func(t *testing.T, b *block) {
		var configuration map[string]any
		if err := json.Unmarshal([]byte(b.text()), &configuration); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"mcpServers", "servers"} {
			servers, _ := configuration[key].(map[string]any)
			for name, server := range servers {
				server, _ := server.(map[string]any)
				if url, ok := server["url"].(string); ok {
					if !strings.HasSuffix(url, streamable.Path) {
						t.Errorf("%s: %s is not where messages are sent to", b.at(), url)
					}
					continue
				}
				program, _ := server["command"].(string)
				var args []string
				list, _ := server["args"].([]any)
				for _, arg := range list {
					args = append(args, fmt.Sprint(arg))
				}
				t.Run(name, func(t *testing.T) { serves(t, program, args) })
			}
		}
	}, "json")
	eachBlock(t, func(t *testing.T, b *block) {
		text := strings.ReplaceAll(b.text(), "\\\n", " ")
		for line := range strings.Lines(text) {
			if _, start, ok := strings.Cut(line, " -- "); ok {
				words := strings.Fields(start)
				serves(t, words[0], words[1:])
			}
		}
	}, "sh")
}

func serves(t *testing.T, program string, args []string) {
	t.Helper()
	dir := checkout(t, nil)
	here := func(text string) string {
		return strings.ReplaceAll(strings.ReplaceAll(text, project, dir), "${workspaceFolder}", dir)
	}
	if here(program) != filepath.Join(dir, "bin", "skillet") {
		t.Errorf("%s is not the program", program)
	}
	if len(args) == 0 || args[0] != "serve" {
		t.Fatalf("%q does not serve", args)
	}
	args = slices.Clone(args)
	args[0] = "check"
	for i := range args {
		args[i] = here(args[i])
	}
	output(t, command(dir, here(program), args...))
}

// TestProgramsCompile puts each program into a directory of this module that is not there.
func TestProgramsCompile(t *testing.T) {
	eachBlock(t, func(t *testing.T, b *block) {
		dir := t.TempDir()
		source, overlay := filepath.Join(dir, "main.go"), filepath.Join(dir, "overlay.json")
		here, err := filepath.Abs("overlaid")
		if err != nil {
			t.Fatal(err)
		}
		replace, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(here, "main.go"): source}})
		if err != nil {
			t.Fatal(err)
		}
		for name, data := range map[string][]byte{source: []byte(b.text()), overlay: replace} {
			if err := os.WriteFile(name, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		program := filepath.Join(dir, "program")
		if out, err := exec.Command("go", "build", "-overlay", overlay, "-o", program, "./overlaid").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		output(t, command(checkout(t, nil), program))
	}, "go")
}

func TestTheTableOfCommandsHasEveryCommand(t *testing.T) {
	help := output(t, command(t.TempDir(), skillet, "--help"))
	_, list, _ := strings.Cut(help, "Available Commands:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	var commands []string
	for line := range strings.Lines(list) {
		if name := strings.Fields(line)[0]; name != "help" {
			commands = append(commands, name)
		}
	}
	same(t, "commands", firstCells(section(t, "../README.md", "## Commands")), commands)
}

var link = regexp.MustCompile(`\]\(([^)#: ]*)(#[^)]*)?\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	for _, file := range documents(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := fenced.ReplaceAllString(string(data), "")
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			target := filepath.Join(filepath.Dir(file), match[1])
			if match[1] == "" {
				target = file
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %s leads nowhere", file, match[0])
				continue
			}
			if match[2] != "" && !slices.Contains(anchors(t, target), match[2]) {
				t.Errorf("%s: %s: there is no such heading", file, match[0])
			}
		}
	}
}

// anchors returns the places in a document that links can lead to, as they are made from its headings.
func anchors(t *testing.T, file string) []string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, match := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(fenced.ReplaceAllString(string(data), ""), -1) {
		text := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(match[1]), "")
		all = append(all, "#"+strings.ReplaceAll(text, " ", "-"))
	}
	return all
}

func TestTheReadmeIsShort(t *testing.T) {
	data, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(data), "\n"); lines > 200 {
		t.Errorf("README.md has %d lines; what is more belongs in docs/", lines)
	}
}
