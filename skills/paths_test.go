package skills_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"skillet/skills"
)

// inDirectory is a tool whose working directory is a real one with
//
//	a.txt  -x  "a b"  a:b  @f  new\nline  ünï  ..a
//	sub/b.txt
//	link -> sub/b.txt, dirlink -> sub, up -> .., outside -> /etc/passwd, absolute -> (here)/a.txt, dangling -> nothing,
//	danglingout -> ../nothing, loop -> loop, chain -> up
//	fifo, socket
func inDirectory(t *testing.T, text string) *skills.Skill {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, "work")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(dir, "sub"), 0o755))
	must(os.WriteFile(filepath.Join(dir, "..", "secret"), nil, 0o644))
	for _, name := range []string{"a.txt", "-x", "a b", "a:b", "@f", "new\nline", "ünï", "..a", "sub/b.txt"} {
		must(os.WriteFile(filepath.Join(dir, name), nil, 0o644))
	}
	for name, target := range map[string]string{
		"link": "sub/b.txt", "dirlink": "sub", "up": "..", "outside": "/etc/passwd", "absolute": filepath.Join(dir, "a.txt"),
		"dangling": "nothing", "danglingout": "../nothing", "loop": "loop", "chain": "up",
	} {
		must(os.Symlink(target, filepath.Join(dir, name)))
	}
	must(syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644))
	t.Chdir(dir) // a socket's name has to be short
	listener, err := net.Listen("unix", "socket")
	must(err)
	t.Cleanup(func() { listener.Close() })

	env := environment()
	env.Workdir = dir
	set, err := skills.Parse("f", []byte("[skills.x]\ndocker = { image = 'a', volumes = ['${SKILL_WORKDIR}:/w'], working_dir = '/w' }\n"+text), env)
	must(err)
	return set.Skills[0]
}

const (
	takesPath  = `args = ["{p}"]` + "\nparameters.p = { type = 'string', format = 'path', required = true }"
	makesPath  = `args = ["{p}"]` + "\nparameters.p = { type = 'string', format = 'path', required = true, creates = true }"
	outputPath = `args = ["{p}"]` + "\noutputs = ['{p}']\nparameters.p = { type = 'string', format = 'path', required = true }"
)

func TestAPathLeadsToSomethingInTheWorkingDirectory(t *testing.T) {
	const (
		words    = ", expected a path relative to the working directory, inside it"
		absolute = "is an absolute path" + words
		dots     = `has ".." in it` + words
		escapes  = "leads out of the working directory through a symlink"
		missing  = "does not exist in the working directory"
		noParent = "lies in a directory that does not exist in the working directory"
		special  = "is neither a file nor a directory"
		lost     = "cannot be looked up in the working directory"
		noDir    = "lies in something that is no directory"
	)
	skill := map[string]*skills.Skill{"takes": inDirectory(t, takesPath), "makes": inDirectory(t, makesPath), "output": inDirectory(t, outputPath)}
	for _, c := range []struct {
		path                 string
		takes, makes, output string // the mistake, or what the program is given, after "="
	}{
		{`a.txt`, "=a.txt", "=a.txt", "=a.txt"},
		{`./a.txt`, "=a.txt", "=a.txt", "=a.txt"},
		{`sub/./b.txt`, "=sub/b.txt", "=sub/b.txt", "=sub/b.txt"},
		{`sub//b.txt`, "=sub/b.txt", "=sub/b.txt", "=sub/b.txt"},
		{`sub/`, "=sub", "=sub", "is a directory, expected a file to be made"},
		{`.`, "=.", "=.", "is a directory, expected a file to be made"},
		{`a.txt/`, "is a file, and with a slash behind it would be a directory", "is a file, and with a slash behind it would be a directory", "is a file, and with a slash behind it would be a directory"},
		{`a.txt/b`, noDir, noDir, noDir},
		{`new.txt`, missing, "=new.txt", "=new.txt"},
		{`sub/new.txt`, missing, "=sub/new.txt", "=sub/new.txt"},
		{`none/new.txt`, missing, noParent, noParent},
		{`link/new.txt`, noDir, noDir, noDir},

		// names that a program could take for something else
		{`a b`, "=a b", "=a b", "=a b"},
		{`-x`, "=./-x", "=./-x", "=./-x"},
		{`a:b`, "=./a:b", "=./a:b", "=./a:b"},
		{`@f`, "=./@f", "=./@f", "=./@f"},
		{"new\nline", "=./new\nline", "=./new\nline", "=./new\nline"},
		{`ünï`, "=./ünï", "=./ünï", "=./ünï"},
		{`..a`, "=..a", "=..a", "=..a"},
		{`~`, missing, "=./~", "=./~"},
		{`*`, missing, "=./*", "=./*"},
		{`..\secret`, missing, `=./..\secret`, `=./..\secret`},
		{`．．/secret`, missing, noParent, noParent}, // full-width dots are letters

		// out of the working directory
		{``, "is empty" + words, "is empty" + words, "is empty" + words},
		{`/etc/passwd`, absolute, absolute, absolute},
		{`//a.txt`, absolute, absolute, absolute},
		{`..`, dots, dots, dots},
		{`../secret`, dots, dots, dots},
		{`sub/../a.txt`, dots, dots, dots},
		{`sub/..`, dots, dots, dots},
		{`./../secret`, dots, dots, dots},
		{`up/secret`, escapes, escapes, escapes},
		{`up`, escapes, escapes, escapes},
		{`up/new`, escapes, escapes, escapes},
		{`chain/secret`, escapes, escapes, escapes},
		{`outside`, escapes, escapes, escapes},
		{`absolute`, escapes, escapes, escapes}, // in the container, too, it would lead elsewhere
		{`danglingout`, escapes, escapes, escapes},
		{"a.txt\x00", "has a NUL character, which no path can hold", "has a NUL character, which no path can hold", "has a NUL character, which no path can hold"},

		// through symlinks
		{`link`, "=link", "=link", "=link"},
		{`dirlink/b.txt`, "=dirlink/b.txt", "=dirlink/b.txt", "=dirlink/b.txt"},
		{`dirlink/new`, missing, "=dirlink/new", "=dirlink/new"},
		{`dangling`, missing, "is a symlink to something that does not exist", "is a symlink to something that does not exist"},
		{`dangling/`, missing, "is a symlink to something that does not exist", "is a symlink to something that does not exist"},
		{`loop`, lost, lost, lost},

		// no files
		{`fifo`, special, special, special},
		{`socket`, special, special, special},
		{strings.Repeat("x", 300), lost, lost, lost},
	} {
		for kind, want := range map[string]string{"takes": c.takes, "makes": c.makes, "output": c.output} {
			arguments := mustJSON(t, map[string]string{"p": c.path})
			if argument, ok := strings.CutPrefix(want, "="); ok {
				inv := bind(t, skill[kind], arguments)
				if diff := cmp.Diff([]string{argument}, inv.Command); diff != "" {
					t.Errorf("%q: %s", c.path, diff)
				}
				if kind == "output" && !cmp.Equal(inv.Outputs, []string{strings.TrimPrefix(argument, "./")}) {
					t.Errorf("%q is looked for as %q", c.path, inv.Outputs)
				}
			} else if got := refusal(t, skill[kind], arguments); got != "- p: "+want {
				t.Errorf("%s %q: got %s, want %s", kind, c.path, got, want)
			}
		}
	}
}

func TestAPathIsOneInTheContainer(t *testing.T) {
	skill := inDirectory(t, takesPath)
	for docker, want := range map[string]string{
		`volumes = ["${SKILL_WORKDIR}:/w"], working_dir = "/w"`:         "-x=./-x",
		`volumes = ["${SKILL_WORKDIR}:/w/"], working_dir = "/w/."`:      "-x=./-x",
		`volumes = ["./:/w:ro"], working_dir = "/w"`:                    "-x=./-x",
		`volumes = ["${PWD}:/w"], working_dir = "/w"`:                   "-x=./-x",
		`volumes = ["cache:/c", "${SKILL_WORKDIR}:/w"]`:                 "-x=/w/-x",
		`volumes = ["${SKILL_WORKDIR}:/w"], working_dir = "/elsewhere"`: "-x=/w/-x",
		`volumes = ["${SKILL_WORKDIR}:/w"], working_dir = "/w/sub"`:     "-x=/w/-x",
	} {
		env := environment()
		env.Workdir = skill.Prototype().Workdir
		link := filepath.Join(t.TempDir(), "link") // a shell's PWD may be a symlink to the working directory
		if err := os.Symlink(env.Workdir, link); err != nil {
			t.Fatal(err)
		}
		env.Lookup = func(name string) (string, bool) { return link, name == "PWD" }
		set, err := skills.Parse("f", []byte(strings.Replace("skills.x = { docker = { image = 'a', DOCKER }, args = ['-x={p}'], parameters.p = { type = 'string', format = 'path', required = true } }", "DOCKER", docker, 1)), env)
		if err != nil {
			t.Errorf("%s: %v", docker, err)
			continue
		}
		if got := bind(t, set.Skills[0], `{"p": "-x"}`).Command[0]; got != want {
			t.Errorf("%s: got %s", docker, got)
		}
	}
}

func TestPathsAreFoundWhereverASchemaHasThem(t *testing.T) {
	skill := inDirectory(t, `
args = ["{files}", ["{job}"], ["{deep}"], "{mixed}"]
[skills.x.parameters]
files = { type = "array", items = { type = "string", format = "path" } }
deep = { type = "array", items = { type = "array", items = { type = "string", format = "path" } } }
mixed = { type = "array", prefixItems = [{ type = "string" }, true], items = { type = "string", format = "path" } }
[skills.x.parameters.job]
type = "object"
properties = { input = { type = "string", format = "path" }, name = { type = "string" } }
`)
	inv := bind(t, skill, `{"files": ["-x", "sub/"], "job": {"input": "@f", "name": "../x", "other": "/etc"}, "deep": [["a:b"]], "mixed": ["../x", "/etc", "a:b"]}`)
	if diff := cmp.Diff([]string{"./-x", "sub", `{"input":"./@f","name":"../x","other":"/etc"}`, `["./a:b"]`, "../x", "/etc", "./a:b"}, inv.Command); diff != "" {
		t.Error(diff)
	}
	got := refusal(t, skill, `{"files": ["a.txt", "../x"], "job": {"input": "/etc"}, "deep": [[], ["a.txt", "up"]], "mixed": ["a", "b", "../x"]}`)
	want := `- deep[1][1]: leads out of the working directory through a symlink
- files[1]: has ".." in it, expected a path relative to the working directory, inside it
- job.input: is an absolute path, expected a path relative to the working directory, inside it
- mixed[2]: has ".." in it, expected a path relative to the working directory, inside it`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A schema that lets a value past the check of paths is refused when it is read.
func TestAPathIsNotWhereItWouldNotBeChecked(t *testing.T) {
	const path = `{ type = "string", format = "path" }`
	const elsewhere = "is a path where skillet does not look for one (a path is a parameter, one of its items with type = \"array\", or one of its properties with type = \"object\")"
	for schema, want := range map[string]string{
		`format = "path"`: `.format: is a format of strings only (give it type = "string")`,
		`type = ["string", "array"], format = "path"`: `.format: is a format of strings only (give it type = "string")`,
		`items = ` + path: `.items.format: ` + elsewhere,
		`type = ["array", "string"], items = ` + path:       `.items.format: ` + elsewhere,
		`properties.a = ` + path:                            `.properties.a.format: ` + elsewhere,
		`type = "array", prefixItems = [` + path + `]`:      `.prefixItems[0].format: ` + elsewhere,
		`type = "object", additionalProperties = ` + path:   `.additionalProperties.format: ` + elsewhere,
		`type = "object", patternProperties."^a" = ` + path: `.patternProperties."^a".format: ` + elsewhere,
		`anyOf = [` + path + `, true]`:                      `.anyOf[0].format: ` + elsewhere,
		`allOf = [` + path + `]`:                            `.allOf[0].format: ` + elsewhere,
		`if = true, then = ` + path:                         `.then.format: ` + elsewhere,
		`"$ref" = "#/$defs/p", "$defs".p = ` + path:         `."$defs".p.format: ` + elsewhere,
		`"$ref" = "#/properties/path"`:                      `."$ref": "#/properties/path" leads out of the parameter's own definitions (write "#/$defs/NAME", and what it means below "$defs".NAME)`,
		`"$ref" = "#"`:                                      `."$ref": "#" leads out of the parameter's own definitions (write "#/$defs/NAME", and what it means below "$defs".NAME)`,
		`"$dynamicRef" = "#path"`:                           `."$dynamicRef": "#path" leads out of the parameter's own definitions (write "#/$defs/NAME", and what it means below "$defs".NAME)`,
	} {
		text := tool("stdin = '{p}{path}'\nparameters = { path = " + path + ", p = { " + schema + " } }")
		if diff := cmp.Diff("f:4: skills.x.parameters.p"+want, mistakes(t, text)); diff != "" {
			t.Errorf("%s: %s", schema, diff)
		}
	}
}

func TestAPathNeedsTheWorkingDirectoryMounted(t *testing.T) {
	for volumes, mounted := range map[string]bool{
		``: false, `"/elsewhere:/w"`: false, `"${SKILL_WORKDIR}/sub:/w"`: false, `"work:/w"`: false, `"${SKILL_WORKDIR}"`: false,
		`"${SKILL_WORKDIR}:/w"`: true, `"${SKILL_WORKDIR}/:/w:ro"`: true, `".:/w"`: true,
	} {
		text := "skills.x = { docker = { image = 'a', volumes = [" + volumes + "] }, args = ['{p}'], parameters.p = { type = 'string', format = 'path', required = true } }"
		if _, err := skills.Parse("f", []byte(text), environment()); (err == nil) != mounted {
			t.Errorf("%s: %v", volumes, err)
		}
	}
}

func TestAModelIsToldOfPathsInWords(t *testing.T) {
	skill := one(t, tool(`
args = ["{p}", "{q}"]
[skills.x.parameters]
p = { type = "string", format = "path", description = "what to read", required = true }
q = { type = "array", items = { type = "string", format = "path" } }
`))
	want := `{"type":"object","properties":{` +
		`"p":{"description":"what to read (a path relative to the working directory, inside it)","type":"string"},` +
		`"q":{"items":{"description":"(a path relative to the working directory, inside it)","type":"string"},"type":"array"}},` +
		`"required":["p"],"additionalProperties":false}`
	if diff := cmp.Diff(want, string(skill.InputSchema)); diff != "" {
		t.Error(diff)
	}
}

func TestOutputsAreThePathsOfFilesThatACallMakes(t *testing.T) {
	skill := inDirectory(t, `
args = [["{name}"], ["{p}"]]
outputs = ["log.txt", "{name}.png", "{p}", "sub/{name}-{n}.txt"]
[skills.x.parameters]
name = { type = "string" }
n = { type = "integer", default = 1.0 }
p = { type = "string", format = "path" }
`)
	if skill.Output != skills.OutputFiles {
		t.Errorf("the output is %q", skill.Output)
	}
	for arguments, want := range map[string][]string{
		`{}`:                          {"log.txt"},
		`{"name": "a"}`:               {"log.txt", "a.png", "sub/a-1.txt"},
		`{"name": "sub//./a"}`:        nil,
		`{"p": "./-new"}`:             {"log.txt", "-new"},
		`{"name": "-rf:x", "n": 1e1}`: nil,
	} {
		if want == nil {
			refusal(t, skill, arguments)
			continue
		}
		if diff := cmp.Diff(want, bind(t, skill, arguments).Outputs); diff != "" {
			t.Errorf("%s: %s", arguments, diff)
		}
	}
	got := refusal(t, skill, `{"name": "../x", "p": "none/x"}`)
	want := "- name: has \"..\" in it, expected a path relative to the working directory, inside it\n- p: lies in a directory that does not exist in the working directory"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
