// Package docs has the documentation, and tests that it says what the code does.
//
// Every fenced block of README.md and of the files here is tested, by the words after the fence:
//
//	```toml            a whole skills.toml: it loads, and the default policy approves every skill in it
//	```toml fragment   tables of one: a skill without a docker table gets one, with the working directory mounted
//	```toml wrong      a skills.toml with mistakes: the next block, ```text, is exactly what is said about them
//	```toml restricted a whole skills.toml that the level restricted approves
//	```toml refused    one that loads and that the default policy refuses: the next block, ```text, is its refusals
//	```toml policy     a whole policy file: it loads; "policy wrong" as above
//	```console         commands after "$ ", run one by one by a shell: each exits with 0, and what stands below it is what
//	                   it writes to both its streams. A line "..." stands for any lines, or none
//	```json call       the params of a tools/call: the next block, ```json result, is the result of it
//	```json session    a list of the params of calls that succeed one after the other, of the tools of the last ```toml block. A
//	                   session other than "new" stands for the one that was opened
//	```json tool       what clients are told of the tool that the last ```toml block makes, without its outputSchema
//	```json            JSON; a client's configuration must name a way to serve that works
//	```go              a whole program, which compiles
//	```sh ```js ```text are not run, but what `claude mcp add` is told to start is checked like a client's configuration
//
// A toml block whose first line is "# NAME.toml" is a file of that name for the console blocks of its document. They are
// run in a directory that has what a checkout has: bin/skillet, skills.toml, images and examples. The documents call it
// /home/me/project. Calls work in its examples/samples.
//
// What a block shows is written anew by
//
//	go test ./docs -update
package docs

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	_ "skillet/internal/cli" // part of the program: a change of it is a reason to test again
	"skillet/skills"
)

var update = flag.Bool("update", false, "write into the documents what the code says")

// project is what the documents call the directory of a checkout.
const project = "/home/me/project"

// skillet is the program, built for the tests.
var skillet string

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "skillet-docs-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	skillet = filepath.Join(dir, "skillet")
	if out, err := exec.Command("go", "build", "-o", skillet, "..").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("building skillet: %w\n%s", err, out)
	}
	code := m.Run()
	return code, rewrite()
}

// block is a fenced block of a document.
type block struct {
	file  string
	line  int    // of the first line in it, from 1
	kind  string // the words after the fence
	lines []string
	next  *block // the block after it in the document
}

func (b *block) text() string { return strings.Join(b.lines, "\n") + "\n" }

func (b *block) at() string { return fmt.Sprintf("%s:%d", filepath.Base(b.file), b.line) }

// name is the file that a block of TOML is, "" when it names none.
func (b *block) name() string {
	if match := regexp.MustCompile(`^# ([a-z-]+\.toml)$`).FindStringSubmatch(b.lines[0]); match != nil {
		return match[1]
	}
	return ""
}

// documents are the tested files.
func documents(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	return append([]string{"../README.md"}, files...)
}

// blocks reads the fenced blocks of a document.
func blocks(t testing.TB, file string) []*block {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []*block
	var open *block
	for i, line := range strings.Split(string(data), "\n") {
		kind, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && open == nil:
			open = &block{file: file, line: i + 2, kind: kind}
			if len(all) > 0 {
				all[len(all)-1].next = open
			}
			all = append(all, open)
		case isFence:
			open = nil
		case open != nil:
			open.lines = append(open.lines, line)
		}
	}
	if open != nil {
		t.Fatalf("%s: a block is not closed", open.at())
	}
	return all
}

// eachBlock calls a function with every block of some kinds in every document.
func eachBlock(t *testing.T, do func(t *testing.T, b *block), kinds ...string) {
	t.Helper()
	count := 0
	for _, file := range documents(t) {
		for _, b := range blocks(t, file) {
			if slices.Contains(kinds, b.kind) {
				count++
				t.Run(b.at(), func(t *testing.T) { do(t, b) })
			}
		}
	}
	if count == 0 {
		t.Errorf("no document has a block %q", kinds)
	}
}

// rewriting is what -update puts into the place of a block's lines.
type rewriting struct {
	*block
	text string
}

var rewritings []rewriting

// expect compares what a block says with what is so.
func expect(t *testing.T, b *block, got string) {
	t.Helper()
	switch want := b.text(); {
	case matches(want, got):
	case *update:
		rewritings = append(rewritings, rewriting{b, got})
	default:
		t.Errorf("%s says:\n%s\nIt is so:\n%s", b.at(), want, got)
	}
}

// matches compares line by line; a line "..." in want stands for any lines.
func matches(want, got string) bool {
	var pattern strings.Builder
	for line := range strings.Lines(want) {
		if line == "...\n" {
			pattern.WriteString(`(?:.*\n)*?`)
			continue
		}
		pattern.WriteString(regexp.QuoteMeta(line))
	}
	return regexp.MustCompile(`\A` + pattern.String() + `\z`).MatchString(got)
}

// rewrite changes the documents, the last block first, so that the lines of the others stay where they are.
func rewrite() error {
	slices.SortFunc(rewritings, func(a, b rewriting) int { return b.line - a.line })
	for _, r := range rewritings {
		data, err := os.ReadFile(r.file)
		if err != nil {
			return err
		}
		lines := strings.Split(string(data), "\n")
		lines = slices.Replace(lines, r.line-1, r.line-1+len(r.lines), strings.TrimSuffix(r.text, "\n"))
		if err := os.WriteFile(r.file, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// checkout makes a directory that has what a checkout has, and the files that the blocks of a document are.
func checkout(t testing.TB, all []*block) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"images", "examples"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join("..", name))); err != nil {
			t.Fatal(err)
		}
	}
	defaults, err := os.ReadFile("../skills.toml")
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("skills.toml", defaults)
	for _, b := range all {
		if strings.HasPrefix(b.kind, "toml") && b.name() != "" {
			write(b.name(), []byte(b.text()))
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(skillet, filepath.Join(dir, "bin", "skillet")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// variables are those that the examples expand; the tests' own environment must not matter.
var variables = map[string]string{
	"HOME":              "/home/me",
	"PGPASSWORD":        "secret",
	"PROD_PGPASSWORD":   "secret",
	"EXAMPLE_API_TOKEN": "secret",
}

func lookup(name string) (string, bool) {
	value, ok := variables[name]
	return value, ok
}

// environment is what the files are read against in the tests.
func environment(t testing.TB) skills.Environment {
	t.Helper()
	return skills.Environment{Lookup: lookup, Workdir: t.TempDir(), UID: "1000", GID: "1000", User: "1000:1000"}
}

// command prepares a program with the variables of the tests.
func command(dir, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + filepath.Join(dir, "bin") + ":" + os.Getenv("PATH")}
	if host, ok := os.LookupEnv("DOCKER_HOST"); ok {
		cmd.Env = append(cmd.Env, "DOCKER_HOST="+host)
	}
	for key, value := range variables {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	return cmd
}

// output runs a program and returns what it writes to both its streams, with the directory named as in the documents.
func output(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	text := strings.ReplaceAll(out.String(), cmd.Dir, project)
	if err != nil {
		t.Errorf("%v: %v\n%s", cmd.Args, err, text)
	}
	return text
}

// section returns the text of a document below a heading, up to the next heading of that rank or above.
func section(t testing.TB, file, heading string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut("\n"+fenced.ReplaceAllString(string(data), ""), "\n"+heading+"\n")
	if !found {
		t.Fatalf("%s has no heading %q", file, heading)
	}
	rank := strings.IndexByte(heading, ' ')
	end := regexp.MustCompile(fmt.Sprintf(`(?m)^#{1,%d} `, rank)).FindStringIndex(rest)
	if end != nil {
		rest = rest[:end[0]]
	}
	return rest
}

// fenced matches the fenced blocks of a document.
var fenced = regexp.MustCompile("(?ms)^```.*?^```")

// rows returns the rows of the tables in a text, without their heads, by cells.
func rows(text string) [][]string {
	var all [][]string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "| `") && !strings.HasPrefix(line, "|`") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.ReplaceAll(line, `\|`, "\x00"), "|"), "|")
		for i := range cells {
			cells[i] = strings.ReplaceAll(strings.TrimSpace(cells[i]), "\x00", "|")
		}
		all = append(all, cells)
	}
	return all
}

var inCode = regexp.MustCompile("`([^`]+)`")

// firstCells returns what stands in code in the first cells of the tables in a text.
func firstCells(text string) []string {
	var all []string
	for _, cells := range rows(text) {
		for _, match := range inCode.FindAllStringSubmatch(cells[0], -1) {
			all = append(all, match[1])
		}
	}
	return all
}
