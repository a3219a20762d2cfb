//go:build foreign

package foreign

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// inspector is the Inspector's command line with all that leads it to a server.
type inspector struct {
	target  []string
	version string // of the protocol, that is agreed upon
}

func eachInspector(t *testing.T, test func(*testing.T, inspector)) {
	config := filepath.Join(root, "skills.toml")
	for era, version := range map[string]string{"legacy": "2025-11-25", "modern": "2026-07-28"} {
		t.Run(era+" stdio", func(t *testing.T) {
			// --config would be taken for the Inspector's own.
			target := []string{skillet, "serve", "--workdir", samples(t), "--protocol-era", era, "-e", "SKILLET_CONFIG=" + config}
			if engine := os.Getenv("DOCKER_HOST"); engine != "" {
				target = append(target, "-e", "DOCKER_HOST="+engine)
			}
			test(t, inspector{target, version})
		})
		t.Run(era+" HTTP", func(t *testing.T) {
			url, _ := serveHTTP(t, samples(t), []string{"--config", config})
			target := []string{"--server-url", url, "--transport", "http", "--protocol-era", era, "--header", "Authorization: Bearer " + token}
			test(t, inspector{target, version})
		})
	}
}

// run returns what the Inspector writes and its exit code.
func (i inspector) run(t *testing.T, args ...string) (stdout []byte, stderr string, code int) {
	t.Helper()
	command := exec.Command(installed("node"), slices.Concat([]string{installed("mcp-inspector"), "--cli"}, i.target, args, []string{"--format", "json"})...)
	command.Env = append(os.Environ(), "HOME="+t.TempDir()) // where it would keep notes
	var out, log bytes.Buffer
	command.Stdout, command.Stderr = &out, &log
	err := command.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.Bytes(), log.String(), command.ProcessState.ExitCode()
}

func (i inspector) call(t *testing.T, tool, arguments string, more ...string) (result, string, int) {
	t.Helper()
	stdout, stderr, code := i.run(t, append([]string{"--method", "tools/call", "--tool-name", tool, "--tool-args-json", arguments}, more...)...)
	var answer struct{ Result result }
	if len(stdout) > 0 {
		if err := json.Unmarshal(stdout, &answer); err != nil {
			t.Errorf("%s: %v: %s", tool, err, stdout)
		}
	}
	return answer.Result, stderr, code
}

func TestTheInspectorListsTheTools(t *testing.T) {
	eachInspector(t, func(t *testing.T, i inspector) {
		stdout, stderr, code := i.run(t, "--method", "initialize")
		if hello := parse[struct {
			Result struct{ ProtocolVersion string }
		}](t, stdout); code != 0 || hello.Result.ProtocolVersion != i.version {
			t.Fatalf("exit code %d, %s\n%s", code, stdout, stderr)
		}
		// With --strict it fails when a schema is not portable.
		stdout, stderr, code = i.run(t, "--method", "tools/list", "--strict")
		if code != 0 || strings.Contains(stderr, "portab") {
			t.Fatalf("exit code %d\n%s", code, stderr)
		}
		var names []string
		for _, tool := range parse[struct {
			Result struct{ Tools []struct{ Name string } }
		}](t, stdout).Result.Tools {
			names = append(names, tool.Name)
		}
		slices.Sort(names)
		if want := toolNames(defaultCalls(t)); !slices.Equal(names, want) {
			t.Errorf("the tools are %q, not %q", names, want)
		}
	})
}

func TestTheInspectorCallsTools(t *testing.T) {
	eachInspector(t, func(t *testing.T, i inspector) {
		got, stderr, code := i.call(t, "jq", `{"filter": ".items | length", "file": "data.json"}`)
		if fields, _ := got.StructuredContent.(map[string]any); code != 0 || fields["exit_code"] != 0.0 || fields["stdout"] != got.texts() {
			t.Errorf("jq: exit code %d, %+v\n%s", code, got, stderr)
		}
		got, stderr, code = i.call(t, "ffprobe", `{"input": "clip.mp4"}`)
		if fields, _ := got.StructuredContent.(map[string]any); code != 0 || fields["format"] == nil || fields["streams"] == nil {
			t.Errorf("ffprobe: exit code %d, %+v\n%s", code, got, stderr)
		}
		picture := filepath.Join(t.TempDir(), "picture.png")
		if _, stderr, code := i.call(t, "graphviz", `{"dot": "digraph { a -> b }"}`, "--output", picture, "--output-format", "raw"); code != 0 {
			t.Fatalf("graphviz: exit code %d\n%s", code, stderr)
		}
		data, err := os.ReadFile(picture)
		if err != nil {
			t.Fatal(err)
		}
		decode(t, "image/png", data)
	})
}

func TestTheInspectorShowsMistakes(t *testing.T) {
	eachInspector(t, func(t *testing.T, i inspector) {
		got, stderr, code := i.call(t, "jq", `{"fitler": "."}`)
		if code != 5 || !got.IsError || !strings.Contains(got.texts(), `did you mean "filter"?`) || !strings.Contains(stderr, "tool_is_error") {
			t.Errorf("wrong arguments: exit code %d, %+v\n%s", code, got, stderr)
		}
		if _, stderr, code := i.call(t, "nobody", `{}`); code != 5 || !strings.Contains(stderr, "tool_not_found") {
			t.Errorf("an unknown tool: exit code %d\n%s", code, stderr)
		}
	})
}
