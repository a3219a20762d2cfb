package skills

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func fuzzEnvironment() Environment {
	return Environment{Lookup: someVariables, Workdir: "/work/dir", UID: "1", GID: "2", User: "1:2"}
}

// Whatever a file says, reading it ends with skills that work or with mistakes that have a place in it. A skill that was
// read has a schema that compiles: a call must not be the first to find out that it does not.
func FuzzAFileGivesSkillsThatWorkOrMistakes(f *testing.F) {
	for _, file := range []string{"testdata/seed.toml", "testdata/mistakes.toml"} {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for part := range strings.SplitSeq(string(data), "\n\n") {
			f.Add(part)
		}
	}
	f.Add("[skills.x]\ndocker.image='a'\nargs=[['-s','{s}'],{when='b',args=['{l}']}]\nparameters={s={type='string',format='path'},b={type='boolean',default=true},l={type='array',items={enum=[1]}}}")
	f.Add("[skills.x]\ndocker.image='a'\nstdin='{s}'\n[skills.x.parameters.s]\n'$ref'='#/$defs/a'\n'$defs'={a={anyOf=[{'$anchor'='x'},{'$id'='y'},{not={}}],patternProperties={'^a'=true}}}")
	f.Add("[skills.x]\noutput='json'\noutput_schema={properties={a={dependentRequired={b=['c']},multipleOf=0.1}}}\ndocker={image='${A:-${B:?no}}',command=['$$'],environment=['A=b']}\ninstances.a.env.B='c'\ntools.t={success=[1]}")
	f.Fuzz(func(t *testing.T, text string) {
		set, err := Parse("f", []byte(text), fuzzEnvironment())
		var mistakes ParseErrors
		switch {
		case errors.As(err, &mistakes):
			for _, one := range mistakes {
				if lines := strings.Count(text, "\n") + 1; one.Line < 0 || one.Line > lines || one.Text == "" {
					t.Errorf("in %d lines: %+v", lines, one)
				}
			}
			return
		case err != nil:
			t.Fatal(err)
		}
		for _, skill := range set.Skills {
			if _, err := skill.schema(); err != nil {
				t.Errorf("%s: %v", skill.Name, err)
			}
			if skill.outputSchema != nil {
				if _, err := skill.outputSchema(); err != nil {
					t.Errorf("%s: %v", skill.Name, err)
				}
			}
			if !json.Valid(skill.InputSchema) || skill.OutputSchema != nil && !json.Valid(skill.OutputSchema) {
				t.Errorf("%s publishes %s and %s", skill.Name, skill.InputSchema, skill.OutputSchema)
			}
			for _, arguments := range []string{`{}`, `{"args":["a"],"s":"-a","l":[1],"b":false}`} {
				_, _ = skill.Bind(json.RawMessage(arguments))
			}
		}
	})
}

const fuzzParameters = `
[skills.x.parameters]
s = { type = "string" }
t = { type = "string", default = "t" }
n = { type = "number" }
l = { type = "array" }
b = { type = "boolean" }
e = { enum = ["x", "", "yz"] }
d = { type = "string", allow_dash = true }
a = {}
`

// Whatever a template says and a caller sends: a value is one element of argv, or part of one, or an array is one element
// per item; a value does not begin an option that the template did not have, unless the parameter may or a "--" stands
// before it; and a refusal repeats no value.
func FuzzAnArgumentIsOneElementAndNoOption(f *testing.F) {
	for _, args := range []string{
		`["{t}"]`, `["-o","{t}",["-s{s}","{n}"]]`, `[["{s}-{e}","{d}{s}"],["--","{a}"]]`, `["{l}",{when="b",args=["--n={n}","{t}"]}]`,
		`["--","{t}","x","{t}"]`, `[["-{e}"],["-{n}{e}"]]`, `[["--{d}={s}"],["{{{s}}}"]]`, `[["{e}{s}",["{e}-{s}"]],"{t}-{t}"]`,
	} {
		f.Add(args, `{"s":"-a b","t":"--","n":-5,"l":["-x",""],"b":true,"e":"","d":"-d","a":["a",["b"]]}`)
		f.Add(args, `{"s":"","t":"","n":12345678901234567890,"l":[],"b":true,"e":"yz","d":"","a":{"k":null}}`)
	}
	f.Fuzz(func(t *testing.T, args, arguments string) {
		set, err := Parse("f", []byte("[skills.x]\ndocker.image='a'\nstdin='{s}{t}{n}{l}{b}{e}{d}{a}'\nargs="+args+fuzzParameters), fuzzEnvironment())
		if err != nil || len(set.Skills) != 1 {
			return
		}
		skill := set.Skills[0]
		inv, err := skill.Bind(json.RawMessage(arguments))
		given, wrong := decodeArguments(json.RawMessage(arguments))
		if wrong != nil || len(skill.parameters) != 8 { // the template ended the table of parameters
			return
		}
		if err != nil {
			for name, value := range given {
				if secret, ok := value.(string); ok && len(secret) > 8 && !strings.Contains(name, secret) && strings.Contains(err.Error(), secret) {
					t.Errorf("%q is repeated by %v", secret, err)
				}
			}
			return
		}
		if _, ok := given["t"]; !ok {
			given["t"] = "t"
		}
		o := oracle{given: given}
		o.walk(skill.argv)
		if len(o.places) != len(inv.Command) {
			t.Fatalf("%s of %s: %d places, %q", args, arguments, len(o.places), inv.Command)
		}
		for i, place := range o.places {
			if element := inv.Command[i]; strings.HasPrefix(element, "-") && !place.option(element) {
				t.Errorf("%s of %s: %q became an option", args, arguments, element)
			}
		}
	})
}

// oracle says for every element of argv where in the template it comes from.
type oracle struct {
	given  map[string]any
	places []place
	dashes bool
}

type place struct {
	element  element
	operands bool // behind a "--"
}

func (o *oracle) walk(t template) {
	for _, e := range t {
		count := 1
		switch {
		case e.group != nil:
			if (e.when == "" || o.given[e.when] == true) && o.all(e.group) {
				o.walk(e.group)
			}
			continue
		case e.literal():
			o.dashes = e.pieces[0].literal == "--"
		case e.alone() != "":
			if list, ok := o.given[e.alone()].([]any); ok {
				count = len(list)
			} else if e.alone() == "l" {
				count = 0
			}
		}
		for range count {
			o.places = append(o.places, place{e, o.dashes})
		}
	}
}

func (o *oracle) all(group template) bool {
	for _, name := range group.direct() {
		if list, ok := o.given[name].([]any); o.given[name] == nil || ok && len(list) == 0 {
			return false
		}
	}
	return true
}

// option reports whether an element that begins with a dash may be where it is.
func (p place) option(element string) bool {
	lead := p.element.pieces[0].literal
	if p.element.literal() || strings.Trim(lead, "-") != "" {
		return true // the option is the template's
	}
	for _, name := range placeholders(p.element.pieces) {
		if name == "d" {
			return true
		}
	}
	if lead != "" { // the option is one of those that the parameter lists, or a digit
		rest := strings.TrimPrefix(element, lead)
		return rest != "" && rest[0] != '-'
	}
	return p.operands
}

// Whatever path is let through: it leads to something in the working directory, and the program reads it as a path.
func FuzzAPathStaysInTheWorkingDirectory(f *testing.F) {
	dir, err := filepath.EvalSymlinks(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	dir = filepath.Join(dir, "w")
	if err := os.MkdirAll(filepath.Join(dir, "d", "e"), 0o755); err != nil {
		f.Fatal(err)
	}
	for name, target := range map[string]string{"u": "..", "d/u": "..", "d/e/o": "../../..", "r": "/", "s": "d", "n": "none", "m": "../none", "a": dir} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			f.Fatal(err)
		}
	}
	env := fuzzEnvironment()
	env.Workdir = dir
	set, err := Parse("f", []byte(`skills.x = { docker = { image = "a", volumes = ["${SKILL_WORKDIR}:/w"], working_dir = "/w" }, args = ["{p}"], outputs = ["{p}"], parameters.p = { type = "string", format = "path", required = true } }`), env)
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range []string{"d", "d/./e//x", "u/x", "s/e/o/x", "d/u/d", "-x", "a:b", "r/etc", "n", "m", "a/d", "./", "..", "d/e/../x", "\n", "a/u"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		arguments, _ := json.Marshal(map[string]string{"p": path})
		inv, err := set.Skills[0].Bind(arguments)
		if err != nil {
			return
		}
		if got := inv.Command; len(got) != 1 || strings.HasPrefix(got[0], "-") || strings.HasPrefix(got[0], "/") || filepath.Clean(got[0]) != inv.Outputs[0] {
			t.Fatalf("%q became %q and %q", path, got, inv.Outputs)
		}
		parent, err := filepath.EvalSymlinks(filepath.Dir(filepath.Join(dir, inv.Outputs[0])))
		if err != nil || parent != dir && !strings.HasPrefix(parent, dir+"/") {
			t.Errorf("%q lies in %q, %v", path, parent, err)
		}
		if target, err := filepath.EvalSymlinks(filepath.Join(dir, inv.Outputs[0])); err == nil && !strings.HasPrefix(target, dir+"/") {
			t.Errorf("%q is %q", path, target)
		}
	})
}
