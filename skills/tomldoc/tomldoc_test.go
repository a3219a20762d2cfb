package tomldoc_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"skillet/skills/tomldoc"
)

const sample = `version = 1
[defaults]
memroy = "1g"

[skills.b]
list = ["x", 2]
inline = { deep = { key = 5 } }
timeout = "soon"
[skills.a.docker]
image = "x"
dotted.key.here = 1
`

func TestEveryMistakeIsReportedWithItsLine(t *testing.T) {
	doc, err := tomldoc.Parse("f.toml", []byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	root := doc.Root()
	root.String("version")
	defaults, _ := root.Table("defaults")
	defaults.String("memory")
	defaults.Done()
	var names []string
	for _, skill := range root.Tables("skills") {
		names = append(names, skill.Name())
		skill.Strings("list")
		skill.Duration("timeout")
		if inline, ok := skill.Table("inline"); ok {
			deep, _ := inline.Table("deep")
			deep.String("key")
		}
		if docker, ok := skill.Table("docker"); ok {
			docker.String("image")
			docker.Done()
		}
		skill.Done()
	}
	root.Done()

	want := strings.Join([]string{
		`f.toml:1: version: is an integer, expected a string (put it in quotes)`,
		`f.toml:3: defaults.memroy: unknown key (did you mean "memory"?)`,
		`f.toml:6: skills.b.list[1]: is an integer, expected a string (put it in quotes)`,
		`f.toml:7: skills.b.inline.deep.key: is an integer, expected a string (put it in quotes)`,
		`f.toml:8: skills.b.timeout: "soon" is no duration (write it like "30s", "2m" or "1m30s")`,
		`f.toml:11: skills.a.docker.dotted: unknown key (known here: image)`,
	}, "\n")
	if diff := cmp.Diff(want, doc.Err().Error()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"b", "a"}, names); diff != "" {
		t.Errorf("tables come in the order of the file: %s", diff)
	}
	var one *tomldoc.Error
	if !errors.As(doc.Err(), &one) || one.Line != 1 || one.Key != "version" {
		t.Errorf("errors.As gives the first mistake, got %+v", one)
	}
}

func TestASyntaxErrorNamesItsLine(t *testing.T) {
	_, err := tomldoc.Parse("f.toml", []byte("a = 1\nb = = 2\n"))
	var one *tomldoc.Error
	if !errors.As(err, &one) || one.Line != 2 {
		t.Fatalf("got %v", err)
	}
}

func FuzzParseNeverPanicsAndNamesALine(f *testing.F) {
	f.Add(sample)
	f.Add("a = [[1], {b = 2}]\n[[c]]\nd = 1")
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := tomldoc.Parse("f.toml", []byte(text))
		if err != nil {
			return
		}
		root := doc.Root()
		root.Done()
		if n := len(root.Keys()); n != doc.Failed() {
			t.Errorf("%d keys, %d reported as unknown", n, doc.Failed())
		}
	})
}

func TestAValueOfAnotherTypeIsShownTheRightNotation(t *testing.T) {
	read := map[string]func(t tomldoc.Table){
		"string":   func(t tomldoc.Table) { t.String("k") },
		"bool":     func(t tomldoc.Table) { t.Bool("k") },
		"int":      func(t tomldoc.Table) { t.Int("k") },
		"strings":  func(t tomldoc.Table) { t.Strings("k") },
		"ints":     func(t tomldoc.Table) { t.Ints("k") },
		"duration": func(t tomldoc.Table) { t.Duration("k") },
		"table":    func(t tomldoc.Table) { t.Table("k") },
		"tables":   func(t tomldoc.Table) { t.Tables("k") },
	}
	for _, c := range []struct{ kind, text, want string }{
		{"string", `k = 5`, `f:1: k: is an integer, expected a string (put it in quotes)`},
		{"string", `k = 1979-05-27`, `f:1: k: is a date or time, expected a string (put it in quotes)`},
		{"string", `k = ["a"]`, `f:1: k: is an array, expected a string`},
		{"string", `k.a = 1`, `f:1: k: is a table, expected a string`},
		{"bool", `k = "true"`, `f:1: k: is a string, expected true or false (write it without quotes)`},
		{"bool", `k = "yes"`, `f:1: k: is a string, expected true or false`},
		{"bool", `k = 1`, `f:1: k: is an integer, expected true or false`},
		{"int", `k = "5"`, `f:1: k: is a string, expected an integer (write it without quotes)`},
		{"int", `k = "five"`, `f:1: k: is a string, expected an integer`},
		{"int", `k = 5.0`, `f:1: k: is a float, expected an integer`},
		{"strings", `k = "a"`, `f:1: k: is a string, expected an array of strings (put it in brackets)`},
		{"strings", `k.a = 1`, `f:1: k: is a table, expected an array of strings`},
		{"strings", "[[k]]", `f:1: k: is an array of tables, expected an array of strings`},
		{"strings", "k = [\n'a',\n5, [],\ntrue]", "f:3: k[1]: is an integer, expected a string (put it in quotes)\nf:3: k[2]: is an array, expected a string\nf:4: k[3]: is a boolean, expected a string (put it in quotes)"},
		{"ints", `k = [1, "2", 3.5]`, "f:1: k[1]: is a string, expected an integer (write it without quotes)\nf:1: k[2]: is a float, expected an integer"},
		{"duration", `k = 5`, `f:1: k: is an integer, expected a string (write it like "30s", "2m" or "1m30s")`},
		{"duration", `k = "5"`, `f:1: k: "5" is no duration (write it like "30s", "2m" or "1m30s")`},
		{"table", `k = 5`, `f:1: k: is an integer, expected a table (begin it with a line [k])`},
		{"table", "\n[[k]]", `f:2: k: is an array of tables, expected a table (write [k], in single brackets)`},
		{"tables", "[k]\na.x = 1\n\"b c\" = 2", `f:3: k."b c": is an integer, expected a table (begin it with a line [k."b c"])`},
	} {
		doc, err := tomldoc.Parse("f", []byte(c.text))
		if err != nil {
			t.Fatal(err)
		}
		read[c.kind](doc.Root())
		got := "no mistake"
		if doc.Err() != nil {
			got = doc.Err().Error()
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s of %s: %s", c.kind, c.text, diff)
		}
	}
}

func TestAMisplacedKeyIsToldWhereItBelongs(t *testing.T) {
	doc, err := tomldoc.Parse("f", []byte("a = 1\nb = 2\nc = 3"))
	if err != nil {
		t.Fatal(err)
	}
	root := doc.Root()
	root.Int("a")
	root.Done(tomldoc.Misplaced{Keys: []string{"x", "b"}, Hint: "it belongs in " + root.Header("y z")})
	want := "f:2: b: unknown key (it belongs in [\"y z\"])\nf:3: c: unknown key (known here: a)"
	if diff := cmp.Diff(want, doc.Err().Error()); diff != "" {
		t.Error(diff)
	}
}

func TestADocumentWithoutMistakesHasNoError(t *testing.T) {
	doc, err := tomldoc.Parse("f", []byte("[a]\nd = '90s'\nb = true\ni = [1, 2]"))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range doc.Root().Tables("nothing") {
		t.Errorf("got %v", a)
	}
	a, _ := doc.Root().Table("a")
	d, _ := a.Duration("d")
	b, _ := a.Bool("b")
	i, _ := a.Ints("i")
	if a.Done(); d.Seconds() != 90 || !b || len(i) != 2 || a.Line() != 1 || doc.Err() != nil {
		t.Errorf("got %v %v %v on line %d, %v", d, b, i, a.Line(), doc.Err())
	}
}
