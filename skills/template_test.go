package skills_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"skillet/skills"
)

// parameters that the templates of these tests insert.
const someParameters = `
[skills.x.parameters]
s = { type = "string" }
t = { type = "string" }
req = { type = "string", default = "r" }
n = { type = "number" }
list = { type = "array" }
flag = { type = "boolean" }
yes = { type = "boolean", default = true }
kind = { enum = ["a", "bc", ""] }
dash = { type = "string", allow_dash = true }
any = {}
null = { type = ["string", "null"] }
`

// withTemplate is a tool with the given args; its stdin uses every parameter, lest one is unused.
func withTemplate(t *testing.T, args string) *skills.Skill {
	t.Helper()
	return one(t, "[skills.x]\ndocker.image = 'a'\nstdin = '{s}{t}{req}{n}{list}{flag}{yes}{kind}{dash}{any}{null}'\nargs = "+args+someParameters)
}

func TestATemplateSaysHowArgumentsBecomeArgv(t *testing.T) {
	for _, c := range []struct {
		args, arguments string
		want            []string
	}{
		{`[]`, `{}`, nil},
		{`["", "a b", "{{}}", "a}}{{b", "*", "$(x)", "'"]`, `{}`, []string{"", "a b", "{}", "a}{b", "*", "$(x)", "'"}},
		{`["{req}"]`, `{}`, []string{"r"}},
		{`["{req}"]`, `{"req": ""}`, []string{""}},
		{`["{req}"]`, `{"req": "a b\n*;$(x) 'q' \"d\" ${HOME} {s} \\"}`, []string{"a b\n*;$(x) 'q' \"d\" ${HOME} {s} \\"}},
		{`["x={req}:{req}", "{{{req}}}"]`, `{"req": "v"}`, []string{"x=v:v", "{v}"}},

		// optional groups
		{`["a", ["-s", "{s}"], "b"]`, `{}`, []string{"a", "b"}},
		{`["a", ["-s", "{s}"], "b"]`, `{"s": ""}`, []string{"a", "-s", "", "b"}},
		{`["a", ["-s", "{null}"], "b"]`, `{"null": null}`, []string{"a", "b"}},
		{`[["-s", "{s}", "{t}"]]`, `{"s": "1"}`, nil},
		{`[["-s", "{s}", "{t}"]]`, `{"s": "1", "t": "2"}`, []string{"-s", "1", "2"}},
		{`[["-s", "{s}", ["-t", "{t}"], "end"]]`, `{"s": "1"}`, []string{"-s", "1", "end"}},
		{`[["-s", "{s}", ["-t", "{t}", "{s}"]]]`, `{"t": "2"}`, nil},
		{`[["-s", "{s}", ["-t", "{t}", "{s}"]]]`, `{"s": "1", "t": "2"}`, []string{"-s", "1", "-t", "2", "1"}},
		{`[["--req", "{req}"]]`, `{}`, []string{"--req", "r"}},

		// conditions
		{`[{ when = "flag", args = ["-y"] }]`, `{}`, nil},
		{`[{ when = "flag", args = ["-y"] }]`, `{"flag": false}`, nil},
		{`[{ when = "flag", args = ["-y", "-z"] }]`, `{"flag": true}`, []string{"-y", "-z"}},
		{`[{ when = "yes", args = ["-y"] }]`, `{}`, []string{"-y"}},
		{`[{ when = "yes", args = ["-y"] }]`, `{"yes": false}`, nil},
		{`[{ when = "yes", args = ["-s", "{s}"] }]`, `{}`, nil},
		{`[{ when = "yes", args = ["-y", ["-s", "{s}"]] }]`, `{}`, []string{"-y"}},
		{`[{ when = "yes", args = [{ when = "flag", args = ["-y"] }] }]`, `{"flag": true}`, []string{"-y"}},
		{`[["{s}", { when = "flag", args = ["-y"] }]]`, `{"s": "a", "flag": true}`, []string{"a", "-y"}},

		// arrays
		{`["{list}"]`, `{}`, nil},
		{`["{list}"]`, `{"list": []}`, nil},
		{`["{list}"]`, `{"list": ["a b", "", "c"]}`, []string{"a b", "", "c"}},
		{`["{list}"]`, `{"list": [1, 2.50, 1e3, true, null, {"a": [1]}, ["x"]]}`, []string{"1", "2.50", "1000", "true", "null", `{"a":[1]}`, `["x"]`}},
		{`[["-l", "{list}"], "b"]`, `{"list": []}`, []string{"b"}},
		{`[["-l", "{list}"], "b"]`, `{"list": ["a"]}`, []string{"-l", "a", "b"}},
		{`[["{any}"]]`, `{"any": ["a", "b"]}`, []string{"a", "b"}},
		{`[["x{any}"]]`, `{"any": ["a", "b"]}`, []string{`x["a","b"]`}},

		// numbers and the like
		{`[["{n}"]]`, `{"n": 12345678901234567890}`, []string{"12345678901234567890"}},
		{`[["{n}"]]`, `{"n": 123456789012345678901234567890.5}`, []string{"123456789012345678901234567890.5"}},
		{`[["{n}"]]`, `{"n": 1.0}`, []string{"1"}},
		{`[["{n}"]]`, `{"n": 1E+2}`, []string{"100"}},
		{`[["{n}"]]`, `{"n": 0.1e-2}`, []string{"0.1e-2"}},
		{`[["{n}"]]`, `{"n": -0}`, []string{"0"}},
		{`[["n={n}"]]`, `{"n": -5}`, []string{"n=-5"}},
		{`[["{flag}"]]`, `{"flag": false}`, []string{"false"}},
		{`[["{any}"]]`, `{"any": {"a": "<&>"}}`, []string{`{"a":"<&>"}`}},
	} {
		skill := withTemplate(t, c.args)
		if diff := cmp.Diff(c.want, bind(t, skill, c.arguments).Command); diff != "" {
			t.Errorf("%s of %s: %s", c.args, c.arguments, diff)
		}
	}
}

func TestAnArrayOfTablesIsATemplateToo(t *testing.T) {
	skill := one(t, "[skills.x]\ndocker.image = 'a'\nparameters.q.type = 'boolean'\n[[skills.x.args]]\nwhen = 'q'\nargs = ['-q']\n")
	if diff := cmp.Diff([]string{"-q"}, bind(t, skill, `{"q":true}`).Command); diff != "" {
		t.Error(diff)
	}
}

const dashRefused = `would make an argument that begins with "-", and the program would take it for an option`

// The rule that arguments must not become options, at every place where a value can stand.
func TestAValueDoesNotBecomeAnOption(t *testing.T) {
	for _, c := range []struct {
		args, arguments string
		want            string // the mistake, "" where the value is let through
	}{
		{`["{req}"]`, `{"req": "-rf"}`, "req: " + dashRefused},
		{`["{req}"]`, `{"req": "-"}`, "req: " + dashRefused},
		{`["{req}"]`, `{"req": "--"}`, "req: " + dashRefused},
		{`["{req}"]`, `{"req": " -rf"}`, ""},
		{`["-o", "{req}"]`, `{"req": "-rf"}`, "req: " + dashRefused},
		{`["--", "{req}"]`, `{"req": "-rf"}`, ""},
		{`["--", "{req}", "{req}"]`, `{"req": "-rf"}`, ""},
		{`["--", "x", "{req}"]`, `{"req": "-rf"}`, "req: " + dashRefused}, // x may be a program with options of its own
		{`["--", "--x", "{req}"]`, `{"req": "-rf"}`, "req: " + dashRefused},
		{`["-- ", "{req}"]`, `{"req": "-rf"}`, "req: " + dashRefused},
		{`[["--", "{s}"], "{req}"]`, `{"req": "-rf"}`, "req: " + dashRefused}, // the group with the "--" is left out
		{`[["--", "{s}"], "{req}"]`, `{"req": "-rf", "s": "a"}`, ""},
		{`[{ when = "flag", args = ["--"] }, "{req}"]`, `{"req": "-rf"}`, "req: " + dashRefused},
		{`["--", ["{s}"]]`, `{"s": "-rf"}`, ""},
		{`["{list}"]`, `{"list": ["a", "-rf"]}`, "list: " + dashRefused},
		{`["--", "{list}"]`, `{"list": ["a", "-rf"]}`, ""},
		{`[["{n}"]]`, `{"n": -5}`, "n: " + dashRefused},
		{`["{list}"]`, `{"list": [-5]}`, "list: " + dashRefused},
		{`[["{any}"]]`, `{"any": "-x"}`, "any: " + dashRefused},

		// not alone in the element
		{`["a{req}"]`, `{"req": "-rf"}`, ""},
		{`["--opt={req}"]`, `{"req": "-rf"}`, ""},
		{`["--opt={req}"]`, `{"req": ""}`, ""},
		{`["-o{req}"]`, `{"req": "-rf"}`, ""},
		{`["-o{req}"]`, `{"req": ""}`, "req: is empty, and the option before it would be left without its value"},
		{`["-o{req}.png"]`, `{"req": ""}`, ""},
		{`["{req}{req}"]`, `{"req": "-rf"}`, "req: " + dashRefused},
		{`[["{s}{req}"]]`, `{"s": "", "req": "-rf"}`, "req: " + dashRefused},
		{`[["{s}{req}"]]`, `{"s": "-", "req": "rf"}`, "s: " + dashRefused},
		{`[["{s}{req}"]]`, `{"s": "a", "req": "-rf"}`, ""},
		{`[["{s}-{req}"]]`, `{"s": "", "req": "rf"}`, "s: " + dashRefused}, // an empty value uncovers the template's own dash
		{`[["{s}-{req}"]]`, `{"s": "a", "req": "b"}`, ""},
		{`["--", ["{s}-{req}"]]`, `{"s": "", "req": "rf"}`, ""},

		// behind nothing but dashes
		{`[["-{kind}"]]`, `{"kind": "a"}`, ""},
		{`[["-{kind}"]]`, `{"kind": ""}`, "kind: is empty, and the option before it would be left without its value"},
		{`[["-{n}"]]`, `{"n": 5}`, ""},
		{`[["-{n}"]]`, `{"n": -5}`, "n: " + dashRefused},
		{`["--", ["-{n}"]]`, `{"n": -5}`, "n: " + dashRefused},
		{`[["-{kind}-{n}"]]`, `{"kind": "", "n": 5}`, "kind: " + dashRefused},

		// allow_dash
		{`[["{dash}"]]`, `{"dash": "-rf"}`, ""},
		{`[["-{dash}"]]`, `{"dash": "-rf"}`, ""},
		{`[["{s}{dash}"]]`, `{"s": "", "dash": "-rf"}`, ""},
		{`[["{dash}{s}"]]`, `{"dash": "", "s": "-rf"}`, "s: " + dashRefused},
	} {
		inv, err := withTemplate(t, c.args).Bind(json.RawMessage(c.arguments))
		got := ""
		if err != nil {
			got = strings.TrimPrefix(err.Error(), "wrong arguments for x:\n- ")
		}
		if got != c.want {
			t.Errorf("%s of %s: got %q %q, want %q", c.args, c.arguments, got, inv.Command, c.want)
		}
	}
}

func TestATemplateThatLeavesTheOptionToTheCallerIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		`args = ["-{p}"]
		 parameters.p = { type = "string", required = true }`: `f:3: skills.x.args[0]: -{p} lets the caller choose the option (give the parameter an enum, a number's type or a pattern from ^ to $, or allow_dash = true if that is meant)`,
		`args = ["--{p}={q}"]
		 parameters = { p = { type = "string", pattern = "^x", required = true }, q = { required = true } }`: `f:3: skills.x.args[0]: --{p} lets the caller choose the option (give the parameter an enum, a number's type or a pattern from ^ to $, or allow_dash = true if that is meant)`,
		`args = ["-{e}{p}"]
		 parameters = { e = { enum = ["", "a"], default = "a" }, p = { type = "string", required = true } }`: `f:3: skills.x.args[0]: -{p} lets the caller choose the option (give the parameter an enum, a number's type or a pattern from ^ to $, or allow_dash = true if that is meant)`,
		`args = ["{p}"]
		 parameters.p = { type = "integer", default = -1 }`: `f:4: skills.x.parameters.p.default: has a value that begins with "-", which no call could have: it would be an option (give the parameter allow_dash = true, or put "--" before {p})`,
		`args = ["{p}"]
		 parameters.p = { type = "array", items = { enum = ["-a", "-b"] } }`: `f:4: skills.x.parameters.p.items.enum: has a value that begins with "-", which no call could have: it would be an option (give the parameter allow_dash = true, or put "--" before {p})`,
	} {
		if diff := cmp.Diff(want, mistakes(t, tool(text))); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
	for _, text := range []string{
		`args = ["-{p}"]
		 parameters.p = { type = "string", pattern = "^[a-z]$", required = true }`,
		`args = ["-{p}"]
		 parameters.p = { type = "integer", required = true }`,
		`args = ["--{p}"]
		 parameters.p = { const = "x", required = true }`,
		`args = ["--{p}"]
		 parameters.p = { type = "string", required = true, allow_dash = true }`,
		`args = ["--", "{p}"]
		 parameters.p = { type = "integer", default = -1 }`,
		`args = ["n={p}", ["{p}", "--"]]
		 parameters.p = { type = "integer", default = -1, allow_dash = true }`,
		`args = ["{from}-{to}"]
		 parameters = { from = { type = "string", required = true }, to = { type = "string", required = true } }`,
	} {
		parse(t, tool(text))
	}
}

func TestAPatternFromBeginningToEndIsOneThatHoldsTheWholeValue(t *testing.T) {
	for pattern, whole := range map[string]bool{
		"^[a-z]+$": true, "^a|b$": false, "^(a|b)$": true, "^": false, "$": false, "^a": false, "a$": false,
		"(?m)^a$": false, "^$": true, "": false, "(": false, "^a$|": false, `\Aa\z`: true,
	} {
		text := tool("args = ['-{p}']\nparameters.p = { type = 'string', required = true, pattern = '" + pattern + "' }")
		if _, err := skills.Parse("f", []byte(text), environment()); (err == nil) != whole {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}
