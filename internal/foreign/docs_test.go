//go:build foreign

package foreign

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The address, the directory and the command of the document, in the place of which a test has others.
const (
	documentedURL     = "http://127.0.0.1:8080/mcp"
	documentedProject = "/home/me/project"
)

var documentedInspector = regexp.MustCompile(`npx @modelcontextprotocol/inspector@\d+ `)

// TestTheProgramsOfTheDocumentRun runs what docs/clients.md has for these clients, in something like a checkout.
func TestTheProgramsOfTheDocumentRun(t *testing.T) {
	project := t.TempDir()
	if err := errors.Join(
		os.Mkdir(filepath.Join(project, "bin"), 0o755), os.Symlink(skillet, filepath.Join(project, "bin", "skillet")),
		os.CopyFS(filepath.Join(project, "examples"), os.DirFS(filepath.Join(root, "examples"))),
		os.CopyFS(filepath.Join(project, "images"), os.DirFS(filepath.Join(root, "images"))),
		os.Symlink(filepath.Join(root, "skills.toml"), filepath.Join(project, "skills.toml")),
	); err != nil {
		t.Fatal(err)
	}
	url, _ := serveHTTP(t, filepath.Join(project, "examples/samples"), []string{"--config", filepath.Join(root, "skills.toml")})
	want := fmt.Sprintln(items(t))
	replace := strings.NewReplacer(documentedURL, url, documentedProject, project)
	ran := 0
	for _, b := range documented(t) {
		file := filepath.Join(*clients, "documented.mjs")
		command := exec.Command(installed("node"), file)
		switch {
		case b.kind == "js":
			if err := os.WriteFile(file, []byte(replace.Replace(b.text)), 0o644); err != nil {
				t.Fatal(err)
			}
		case b.kind == "sh" && documentedInspector.MatchString(b.text):
			inspector := fmt.Sprintf("%q %q ", installed("node"), installed("mcp-inspector"))
			command = exec.Command("sh", "-c", documentedInspector.ReplaceAllLiteralString(replace.Replace(b.text), inspector))
		default:
			continue
		}
		ran++
		var stderr bytes.Buffer
		command.Dir, command.Env, command.Stderr = project, append(os.Environ(), "SKILLET_TOKEN="+token), &stderr
		out, err := command.Output()
		if err != nil {
			t.Errorf("%s\n%v\n%s", b.text, err, stderr.String())
		}
		if got := string(out); got != want+"\n" && !strings.Contains(got, fmt.Sprintf(`"stdout": %q`, want)) {
			t.Errorf("%s\nwrites %q", b.text, got)
		}
	}
	if ran != 3 {
		t.Errorf("%d programs were run", ran)
	}
}

// items counts what the documented calls count.
func items(t *testing.T) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "examples/samples/data.json"))
	if err != nil {
		t.Fatal(err)
	}
	return len(parse[struct{ Items []json.RawMessage }](t, data).Items)
}

type block struct{ kind, text string }

// documented are the fenced blocks of the document.
func documented(t *testing.T) []block {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "docs/clients.md"))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []block
	for i, part := range slices.Collect(strings.SplitSeq(string(data), "\n```")) {
		if kind, text, ok := strings.Cut(part, "\n"); ok && i%2 == 1 {
			blocks = append(blocks, block{kind, text + "\n"})
		}
	}
	return blocks
}
