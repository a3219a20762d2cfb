package docs

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// manySkills is the text of a file with so many skills: the default ones, again and again under other names.
func manySkills(t *testing.T, count int) string {
	t.Helper()
	data, err := os.ReadFile("../skills.toml")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(data), "\n[skills.")
	skills := regexp.MustCompile(`(?m)^\[skills\.([a-z]+)`)
	each := len(environmentSkills(t, string(data)))
	text := before + "\n"
	for i := 0; i*each < count; i++ {
		text += skills.ReplaceAllString("[skills."+rest, fmt.Sprintf("[skills.${1}%d", i)) + "\n"
	}
	return text
}

func environmentSkills(t *testing.T, text string) []string {
	t.Helper()
	set, err := parse(t, text)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, skill := range set.Skills {
		names = append(names, skill.Name)
	}
	return names
}

// listBytes is how large the answer to tools/list is, and how many tools it has.
func listBytes(t *testing.T, dir string, args ...string) (bytes, tools int) {
	t.Helper()
	cmd := command(dir, skillet, append([]string{"serve", "--log-level", "error"}, args...)...)
	cmd.Stdin = strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}` + "\n")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	scanner := bufio.NewScanner(strings.NewReader(string(out)))
	scanner.Buffer(nil, 16<<20)
	for scanner.Scan() {
		var answer struct {
			Result struct{ Tools []json.RawMessage }
		}
		if json.Unmarshal(scanner.Bytes(), &answer) == nil && answer.Result.Tools != nil {
			return len(scanner.Bytes()), len(answer.Result.Tools)
		}
	}
	t.Fatalf("no list in %q", out)
	return 0, 0
}

func TestTheListOfManySkillsIsAsLargeAsIsSaid(t *testing.T) {
	const count = 200
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "images"), os.DirFS("../images")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "skills.toml"), []byte(manySkills(t, count)), 0o644); err != nil {
		t.Fatal(err)
	}
	allBytes, all := listBytes(t, dir)
	searchBytes, two := listBytes(t, dir, "--tools", "search")
	if all < count || two != 2 {
		t.Fatalf("%d and %d tools are listed", all, two)
	}
	for _, b := range blocks(t, "clients.md") {
		if b.kind == "text" && strings.HasPrefix(b.text(), "tools = ") {
			// To the kilobyte, so that not every word of a description is one here.
			expect(t, b, fmt.Sprintf("tools = \"all\"     %4d kB for %d tools\ntools = \"search\"  %4.1f kB for %d tools\n",
				(allBytes*count/all+500)/1000, count, float64(searchBytes)/1000, two))
			return
		}
	}
	t.Error("clients.md does not say how large the lists are")
}
