package skills_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"skillet/skills"
)

// below parses a file that lies in a directory.
func below(dir, text string) (*skills.Set, error) {
	env := environment()
	env.Workdir = dir
	return skills.Parse(filepath.Join(dir, "f"), []byte(text), env)
}

// fill writes files into a directory.
func fill(t *testing.T, dir string, files ...string) {
	t.Helper()
	for _, name := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("text of "+name), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

const converter = `
[skills.convert]
title = "Convert"
description = "Converts a file"
args = ["{input}", "--to={format}", { when = "fast", args = ["-f"] }, "{files}"]
docker = { image = "a", volumes = ["${SKILL_WORKDIR}:/w"], working_dir = "/w" }
[skills.convert.parameters]
input = { type = "string", format = "path", required = true, pattern = '\.(md|txt)$' }
format = { type = "string", enum = ["html", "htmx", "pdf"], default = "pdf" }
fast = { type = "boolean" }
files = { type = "array", items = { type = "string", format = "path" } }
`

const summary = `
[prompts.summary]
title = "Sum up"
description = "Sum a file up"
text = "Read {file} and sum it up{{}}.{hint}"
[prompts.summary.arguments.file]
description = "the file"
required = true
tool = "convert"
parameter = "input"
[prompts.summary.arguments.hint]
`

func TestAPromptIsItsTextWithTheArgumentsInIt(t *testing.T) {
	set, err := below(t.TempDir(), converter+summary)
	if err != nil {
		t.Fatal(err)
	}
	p := set.Prompts[0]
	want := []skills.PromptArgument{{Name: "file", Description: "the file", Required: true, Tool: "convert", Parameter: "input"}, {Name: "hint"}}
	if diff := cmp.Diff(want, p.Arguments); diff != "" || p.Name != "summary" || p.Title != "Sum up" || p.Description != "Sum a file up" {
		t.Errorf("got %+v: %s", p, diff)
	}
	for _, test := range []struct {
		given      map[string]string
		want, fail string
	}{
		{map[string]string{"file": "{hint}"}, "Read {hint} and sum it up{}.", ""},
		{map[string]string{"file": "a", "hint": " Be brief."}, "Read a and sum it up{}. Be brief.", ""},
		{nil, "", "summary: file is required"},
		{map[string]string{"fil": "a"}, "", `summary: "fil" is no argument of the prompt; file is required`},
	} {
		got, err := p.Render(test.given)
		if got != test.want || (err == nil) != (test.fail == "") || err != nil && err.Error() != test.fail {
			t.Errorf("%v: got %q, %v", test.given, got, err)
		}
	}
}

func TestMistakesInPromptsDocsAndExamplesAreExplained(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir, "docs.md", "sub/docs.md")
	outside := filepath.Join(t.TempDir(), "secret")
	if err := errors.Join(os.WriteFile(outside, []byte("hunter2"), 0o600), os.Symlink(outside, filepath.Join(dir, "link.md")),
		os.WriteFile(filepath.Join(dir, "binary"), []byte{0xff}, 0o600), os.WriteFile(filepath.Join(dir, "huge"), make([]byte, 1<<20+1), 0o600)); err != nil {
		t.Fatal(err)
	}
	const hint = ` (name a text file of the directory of skills.toml, or below it)`
	for text, want := range map[string]string{
		"[prompts.p]":                                                                                   `prompts.p: has no text (write text = "…", with {NAME} where an argument belongs)`,
		"[prompts.p]\ntext = 3":                                                                         `prompts.p.text: is an integer, expected a string (put it in quotes)`,
		"[prompts.p]\ntext = '{'":                                                                       `prompts.p.text: "{" has a { that begins no {parameter} (write {{ for a brace)`,
		"[prompts.p]\ntext = '{a}'":                                                                     `prompts.p.text: {a} is no argument (add [prompts.p.arguments.a], or write {{ for a brace)`,
		"[prompts.p]\ntext = 'a'\narguments.a = {}":                                                     `prompts.p.arguments.a: is used by nothing (insert {a} in text, or remove it)`,
		"[prompts.p]\ntext = 'a'\ntitel = 'x'":                                                          `prompts.p.titel: unknown key (did you mean "title"?)`,
		"[prompts.'a b']\ntext = 'a'":                                                                   `prompts."a b": gives the prompt name "a b" (a name has 1 to 128 of the characters A-Z a-z 0-9 _ . -)`,
		"[prompts.p]\ntext='{a}'\narguments.a={req=1}":                                                  `prompts.p.arguments.a.req: unknown key (did you mean "required"?)`,
		"[prompts.p]\ntext='{a}'\narguments.a={tool='convrt'}":                                          `prompts.p.arguments.a.tool: "convrt" is no tool (did you mean "convert"?)`,
		"[prompts.p]\ntext='{a}'\narguments.a={tool='convert',parameter='inpt'}":                        `prompts.p.arguments.a.parameter: convert has no parameter "inpt" (did you mean "input"?)`,
		"[prompts.p]\ntext='{a}'\narguments.a={tool='convert'}":                                         `prompts.p.arguments.a.tool: convert has no parameter "a" (known here: input, format, fast, files)`,
		"[prompts.p]\ntext='{a}'\narguments.a={parameter='input'}":                                      `prompts.p.arguments.a.parameter: has no tool beside it (write tool = "NAME")`,
		"[skills.x]\ndocker.image='a'\ndocs = 'doc.md'":                                                 `skills.x.docs: "doc.md" does not exist` + hint,
		"[skills.x]\ndocker.image='a'\ndocs = 'sub'":                                                    `skills.x.docs: "sub" is no regular file` + hint,
		"[skills.x]\ndocker.image='a'\ndocs = 'binary'":                                                 `skills.x.docs: "binary" is no UTF-8 text` + hint,
		"[skills.x]\ndocker.image='a'\ndocs = 'huge'":                                                   `skills.x.docs: "huge" has more than 1 MiB` + hint,
		"[skills.x]\ndocker.image='a'\ndocs = 'link.md'":                                                `skills.x.docs: "link.md" cannot be read inside the directory of skills.toml` + hint,
		"[skills.x]\ndocker.image='a'\ndocs = '../f'":                                                   `skills.x.docs: "../f" is no relative path inside the directory of skills.toml` + hint,
		"[skills.x]\ndocker.image='a'\ndocs = '/etc/passwd'":                                            `skills.x.docs: "/etc/passwd" is no relative path inside the directory of skills.toml` + hint,
		"[skills.x]\ndocker.image='a'\ndocs = 'no.md'\ntools.a.stdin='a'\ntools.b.stdin='b'":            `skills.x.docs: "no.md" does not exist` + hint,
		"[skills.x]\ndocker.image='a'\nexamples = 3":                                                    `skills.x.examples: is an integer, expected an array (write [{ title = "…", arguments = { … } }])`,
		"[skills.x]\ndocker.image='a'\nexamples = [{ title = 'a' }]":                                    `skills.x.examples[0]: is no example (write { title = "…", arguments = { … } }; the title may be left out)`,
		"[skills.x]\ndocker.image='a'\nexamples = [{ argument = {}, arguments = {} }]":                  `skills.x.examples[0]: is no example (write { title = "…", arguments = { … } }; the title may be left out)`,
		"[skills.x]\ndocker.image='a'\nexamples = [{ arguments = {} }, { arguments = { args = [1] } }]": `skills.x.examples[1].arguments: is not what the tool takes: args[0]: got number, expected string`,
	} {
		_, err := below(dir, converter+text)
		if err == nil {
			t.Errorf("%s: loads", text)
			continue
		}
		_, got, _ := strings.Cut(strings.TrimPrefix(err.Error(), dir), ": ")
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", text, got, want)
		}
	}
}

func TestTheDocumentationOfASkillHasItsFileAndItsExamples(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir, "sub/docs.md", "own.md")
	set, err := below(dir, converter+`
[[skills.convert.examples]]
title = "To HTML"
arguments = { input = "a.md", format = "html" }
[skills.group]
docs = "sub/docs.md"
docker.image = "a"
tools.one.stdin = "x"
tools.two = { stdin = "x", docs = "own.md" }
[skills.bare.docker]
image = "a"
`)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"convert":   "# Convert (convert)\n\nConverts a file\n\n## Examples\n\nTo HTML:\n\n```json\n{\"name\": \"convert\", \"arguments\": {\"format\":\"html\",\"input\":\"a.md\"}}\n```\n",
		"group_one": "# group_one\n\nRun a fresh container of the image a\n\ntext of sub/docs.md\n",
		"group_two": "# group_two\n\nRun a fresh container of the image a\n\ntext of own.md\n",
		"bare":      "",
	} {
		if diff := cmp.Diff(want, set.Find(name).Documentation()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestArgumentsAreCompletedWithWhatACallWouldTake(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir, "notes.md", "notes.txt", "notes.png", "north/a.md", "north/b.md", ".hidden.md", "-x.md")
	if err := errors.Join(os.Symlink("/etc", filepath.Join(dir, "north-out")), os.Symlink("notes.md", filepath.Join(dir, "not-far.md"))); err != nil {
		t.Fatal(err)
	}
	set, err := below(dir, converter)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		parameter, begin string
		want             []string
	}{
		{"format", "", []string{"html", "htmx", "pdf"}},
		{"format", "ht", []string{"html", "htmx"}},
		{"format", "x", nil},
		{"fast", "t", []string{"true"}},
		{"input", "no", []string{"north/", "not-far.md", "notes.md", "notes.txt"}},
		{"input", "north/", []string{"north/a.md", "north/b.md"}},
		{"input", ".", []string{".hidden.md"}},
		{"files", "notes.p", []string{"notes.png"}},
		{"input", "north-out/", nil},
		{"input", "../", nil},
		{"input", "north/../", nil},
		{"input", "/etc/", nil},
		{"input", "missing/", nil},
		{"input", "notes.md/", nil},
		{"input", "\x00/", nil},
		{"nothing", "", nil},
	} {
		got := set.Find("convert").Complete(test.parameter, test.begin)
		if !cmp.Equal(append([]string{}, got.Values...), append([]string{}, test.want...)) || got.More {
			t.Errorf("%s=%q: got %+v", test.parameter, test.begin, got)
		}
	}
	for i := range 150 {
		fill(t, dir, "many/"+strings.Repeat("x", i+1)+".md")
	}
	if got := set.Find("convert").Complete("input", "many/"); len(got.Values) != 100 || !got.More {
		t.Errorf("got %d values, more %t", len(got.Values), got.More)
	}
}
