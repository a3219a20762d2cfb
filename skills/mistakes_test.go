package skills_test

import (
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"skillet/skills"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file in testdata, or writes it with -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-update writes it anew):\n%s", file, diff)
	}
}

// mistakes parses a text that has some, and returns their messages.
func mistakes(t *testing.T, text string) string {
	t.Helper()
	set, err := skills.Parse("f", []byte(text), environment())
	if err == nil {
		t.Fatalf("no mistake in\n%s", text)
	}
	if set != nil {
		t.Errorf("skills of a file with mistakes")
	}
	return err.Error()
}

func TestAllMistakesOfAFileAreReportedAtOnce(t *testing.T) {
	var first string
	for i := range 20 { // maps have another order each time, messages have not
		_, err := skills.Load("testdata/mistakes.toml", environment())
		var all skills.ParseErrors
		if !errors.As(err, &all) {
			t.Fatalf("got %v", err)
		}
		if i == 0 {
			first = err.Error() + "\n"
		} else if diff := cmp.Diff(first, err.Error()+"\n"); diff != "" {
			t.Fatalf("another order: %s", diff)
		}
	}
	golden(t, "testdata/mistakes.golden", first)
}

func TestAMistakeIsAParseErrorWithItsPlace(t *testing.T) {
	_, err := skills.Parse("f", []byte("[skills.x]\ndocker = { image = 1 }"), environment())
	var mistake *skills.ParseError
	if !errors.As(err, &mistake) {
		t.Fatalf("got %v", err)
	}
	want := skills.ParseError{File: "f", Line: 2, Key: "skills.x.docker.image", Text: "is an integer, expected a string", Hint: "put it in quotes"}
	if diff := cmp.Diff(want, *mistake); diff != "" {
		t.Error(diff)
	}
}

func TestAMistakeIsReportedOnceWhoeverInheritsIt(t *testing.T) {
	got := mistakes(t, `[skills.x]
docker.image = "a"
docker.networks = "none"
timeout = "soon"
annotations.readonly = true
tools.a = { args = ["{b}"], success = [] }
tools.b = { args = [], docker = {} }
instances.one.env.A = "1"
instances.two.env.A = "1"
`)
	want := `f:3: skills.x.docker.networks: unknown key (did you mean "network"?)
f:4: skills.x.timeout: "soon" is no duration (write it like "30s", "2m" or "1m30s")
f:5: skills.x.annotations.readonly: unknown key (did you mean "read_only"?)
f:6: skills.x.tools.a.args[0]: {b} is no parameter (add [skills.x.tools.a.parameters.b], or write {{ for a brace)
f:6: skills.x.tools.a.success: is empty, and no call could succeed (leave the key out for [0])
f:7: skills.x.tools.b.docker: unknown key (it belongs in [skills.x.docker], which all tools of a skill share)`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestOneMistakeHasOneMessage(t *testing.T) {
	for text, want := range map[string]string{
		``:                                         `f: names no skills (add a table [skills.NAME] and a table [skills.NAME.docker] with its image)`,
		`skills = {}`:                              `f: names no skills (add a table [skills.NAME] and a table [skills.NAME.docker] with its image)`,
		`skills = 3`:                               `f:1: skills: is an integer, expected a table (begin it with a line [skills])`,
		`skills = []`:                              `f:1: skills: is an array, expected a table (begin it with a line [skills])`,
		"[[skills]]\ndocker.image = 'a'":           `f:1: skills: is an array of tables, expected a table (write [skills], in single brackets)`,
		`skills.x = 3`:                             `f:1: skills.x: is an integer, expected a table (begin it with a line [skills.x])`,
		`skills.x = {}`:                            `f:1: skills.x: has no image (write image = "NAME" in [skills.x.docker])`,
		`skills.x.docker = {}`:                     `f:1: skills.x: has no image (write image = "NAME" in [skills.x.docker])`,
		`skills.x.docker = 1979-05-27`:             `f:1: skills.x.docker: is a date or time, expected a table (begin it with a line [skills.x.docker])`,
		`skills.x.docker.image = ""`:               `f:1: skills.x.docker.image: is empty (write the image's name, like "python:3.12-slim")`,
		`skills.x.docker.image = "${UNSET}"`:       `f:1: skills.x.docker.image: ${UNSET}: the variable is not set; set it, or write ${UNSET:-default}`,
		`skills.x.source = 3`:                      `f:1: skills.x.source: is an integer, expected a string (put it in quotes)`,
		`skills.x.source = "docker:"`:              `f:1: skills.x.source: is "docker:", expected "docker:IMAGE"`,
		`skills.x.source = "docker:${"`:            `f:1: skills.x.source: ${ needs the name of a variable after it; write $$ for a dollar sign`,
		`skills."".docker.image = "a"`:             `f:1: skills."": gives the tool name "" (a name has 1 to 128 of the characters A-Z a-z 0-9 _ . -)`,
		`skills."a b".docker.image = "a"`:          `f:1: skills."a b": gives the tool name "a b" (a name has 1 to 128 of the characters A-Z a-z 0-9 _ . -)`,
		`skills."a.b" = { docker.imag = "a" }`:     "f:1: skills.\"a.b\": has no image (write image = \"NAME\" in [skills.\"a.b\".docker])\nf:1: skills.\"a.b\".docker.imag: unknown key (did you mean \"image\"?)",
		"[skills.a.b]\ndocker.image = 'x'":         "f:1: skills.a: has no image (write image = \"NAME\" in [skills.a.docker])\nf:1: skills.a.b: unknown key (known here: annotations, args, background, description, docker, docs, examples, instances, max_output, output, output_schema, outputs, parameters, pids_limit, progress, runtime, session, session_idle, source, stdin, success, timeout, title, tools, wait, warm)",
		`version = "2"` + minimal:                  `f:1: version: is "2", and this skillet reads version "1"`,
		`"" = 1` + minimal:                         `f:1: "": unknown key (known here: defaults, prompts, server, skills, version)`,
		`defaults = 1` + minimal:                   `f:1: defaults: is an integer, expected a table (begin it with a line [defaults])`,
		"a = 1\na = 2":                             `f:2: a: not valid TOML: Key 'a' has already been defined.`,
		"[skills.x]\n[skills.x]":                   `f:2: skills: not valid TOML: Key 'skills.x' has already been defined.`,
		"a = \"x\ny\"":                             `f:1: a: not valid TOML: strings cannot contain newlines`,
		"a = 'x\x00'":                              `f:1: a: not valid TOML: TOML files cannot contain control characters: '0x00'`,
		"a = 1\nb = '\xff'":                        `f:2: not valid TOML: the text is not UTF-8`,
		"a = " + strings.Repeat("[", 1<<20):        `f:1: tables and arrays lie more than 64 deep in each other`,
		strings.Repeat("a.", 1<<20) + "a = 1":      `f:1: tables and arrays lie more than 64 deep in each other`,
		"\n[" + strings.Repeat("a.", 1<<20) + "a]": `f:2: tables and arrays lie more than 64 deep in each other`,
	} {
		if diff := cmp.Diff(want, mistakes(t, text)); diff != "" {
			t.Errorf("%.60s: %s", text, diff)
		}
	}
}

const minimal = "\n[skills.x.docker]\nimage = 'a'\n"

// tool is a tool with an image and a mount, at which one thing is wrong.
func tool(text string) string {
	return "[skills.x]\ndocker = { image = 'a', volumes = ['${SKILL_WORKDIR}:/w'], working_dir = '/w' }\n" + text
}

func TestMistakesInTheWayAToolIsCalledAreExplained(t *testing.T) {
	for text, want := range map[string]string{
		`args = "x"`:                               `f:3: skills.x.args: is a string, expected an array (put it in brackets, one string for each argument)`,
		`args = ["a{"]`:                            `f:3: skills.x.args[0]: "a{" has a { that begins no {parameter} (write {{ for a brace)`,
		`args = ["{}"]`:                            `f:3: skills.x.args[0]: "{}" has a { that begins no {parameter} (write {{ for a brace)`,
		`args = ["a\u0000"]`:                       `f:3: skills.x.args[0]: has a NUL character, which no program can be given`,
		`args = [[]]`:                              `f:3: skills.x.args[0]: is an optional group without a parameter of its own, so that nothing decides about it (take it out of its brackets)`,
		`args = [{ when = 1, args = [] }]`:         `f:3: skills.x.args[0]: is a table that is no condition (write { when = "PARAMETER", args = ["…"] })`,
		`args = [{ when = "q", args = ["-q"] }]`:   `f:3: skills.x.args[0]: when = "q" is no parameter (nothing is expected here)`,
		"args = [\n'a',\n[\n'{b}']]":               `f:6: skills.x.args[1][0]: {b} is no parameter (add [skills.x.parameters.b], or write {{ for a brace)`,
		`stdin = ["x"]`:                            `f:3: skills.x.stdin: is an array, expected a string`,
		`stdin = "{x}"`:                            `f:3: skills.x.stdin: {x} is no parameter (add [skills.x.parameters.x], or write {{ for a brace)`,
		`outputs = ["{x}"]`:                        `f:3: skills.x.outputs[0]: {x} is no parameter (add [skills.x.parameters.x], or write {{ for a brace)`,
		`outputs = ["a/../b"]`:                     `f:3: skills.x.outputs[0]: has ".." in it, expected a path relative to the working directory, inside it`,
		"parameters = ['x']\nargs = ['{x}', '{']":  "f:3: skills.x.parameters: is an array, expected a table (begin it with a line [skills.x.parameters])\nf:4: skills.x.args[1]: \"{\" has a { that begins no {parameter} (write {{ for a brace)",
		`parameters = "x"`:                         `f:3: skills.x.parameters: is a string, expected a table (begin it with a line [skills.x.parameters])`,
		`parameters.x = "string"`:                  "f:3: skills.x.parameters.x: is a string, expected a table (begin it with a line [skills.x.parameters.x])\nf:3: skills.x.parameters.x: is used by nothing (insert {x} in args, stdin or outputs, or remove it)",
		`parameters.x.type = "string"`:             `f:3: skills.x.parameters.x: is used by nothing (insert {x} in args, stdin or outputs, or remove it)`,
		"[[skills.x.parameters]]\ntype = 'a'":      `f:3: skills.x.parameters: is an array of tables, expected a table (write [skills.x.parameters], in single brackets)`,
		`output = "jsn"`:                           `f:3: skills.x.output: is "jsn", expected "text", "json", "files" or "auto" (did you mean "json"?)`,
		`output_schema.type = "array"`:             `f:3: skills.x.output_schema: describes JSON on standard output (add output = "json")`,
		"output = 'json'\noutput_schema.typ = 'x'": `f:4: skills.x.output_schema.typ: is no keyword of JSON Schema (did you mean "type"?)`,
		"output = 'json'\noutput_schema = { type = 'string', format = 'path' }": `f:4: skills.x.output_schema.format: is a path where skillet does not look for one (a path is a parameter, one of its items with type = "array", or one of its properties with type = "object")`,
		`success = "0"`:   `f:3: skills.x.success: is a string, expected an array of integers (put it in brackets)`,
		`success = [256]`: `f:3: skills.x.success[0]: 256 is no exit code, expected 0 to 255`,
	} {
		if diff := cmp.Diff(want, mistakes(t, tool(text))); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

func TestASecretInTheWrongPlaceIsNotRepeated(t *testing.T) {
	got := mistakes(t, `
[skills.x]
docker.image = "a"
docker.environment = ["=hunter2", "A B=hunter2", ["hunter2"], "hunter2 ${UNSET}"]
instances.a.env = { "A=hunter2" = "1", B = ["hunter2"], C = "hunter2${UNSET}", "D E" = "hunter2" }
instances.b.env = "hunter2"
`)
	if strings.Contains(strings.ReplaceAll(got, `"A=hunter2":`, ""), "hunter2") {
		t.Error(got)
	}
	if n := strings.Count(got, "\n") + 1; n != 9 {
		t.Errorf("got %d mistakes:\n%s", n, got)
	}
}
