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
