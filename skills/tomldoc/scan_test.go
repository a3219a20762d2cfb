package tomldoc

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every way to write keys, strings, arrays and tables, with what could be taken for a key or a bracket inside of values.
const everything = `# a comment with [brackets] and "quotes"
bare-key_1 = 1 # comment
"quoted.key" = 'literal \ string'
'literal "key"' = "basic \" ] # string"
"esc\u0061pe" = 0x1F
"" = "empty key"
dotted . "in.side" . 'key' = true
empty = ""
multi = """
first [not.a.table]
key = "no key" \" \\"""
quotes = """"two""before the end"""""
raw = '''
[neither]
'quoted' \'''
folded = """a \
   b"""
dates = [1979-05-27 07:32:00, 1979-05-27T07:32:00Z, 07:32:00]
numbers = [ +1_000, -0.5e3, inf, nan, 0b01 ]
nested = [ # comment ]
  [ "a", 'b' ], # another }
  [],
  [ [ { deep = { x = [1] } } ] ],
]
inline = { a = 1, "b.c" = { d = [ { e = 2 }, { e = 3 } ] }, f.g = "}" }
none = {}

[table]
key = 1
[ "quoted table" . sub ]
[table.below.more]
key = 1
[table.below]
other = 2
[[list]]
name = 1
[list.sub]
in-first = 1
[[list]]
[[list.items]]
deep = 1
[[list.items]]
`

func TestAScanFindsTheLinesOfAllKeysAndItems(t *testing.T) {
	doc, err := Parse("f.toml", []byte(everything))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{
		"bare-key_1": 2, "quoted.key": 3, `literal "key"`: 4, "escape": 5, "": 6, "dotted/in.side/key": 7,
		"multi": 9, "quotes": 12, "raw": 13, "folded": 16, "dates/2": 18, "nested": 20, "nested/0": 21, "nested/0/1": 21,
		"nested/2/0/0/deep/x": 23, "inline/b.c/d/1/e": 25, "inline/f/g": 25, "none": 26,
		"table": 28, "quoted table/sub": 30, "table/below": 33, "table/below/more": 31, "table/below/other": 34,
		"list/0/name": 36, "list/0/sub/in-first": 38, "list/1": 39, "list/1/items/0/deep": 41, "list/1/items/1": 42,
	} {
		if line, _ := doc.tree.locate(strings.Split(path, "/")); line != want {
			t.Errorf("%s is on line %d, found on %d", path, want, line)
		}
	}
}

func TestAPathThatTheFileDoesNotHaveHasTheLineOfWhatIsAroundIt(t *testing.T) {
	doc, err := Parse("f.toml", []byte("\n[a.b]\nlist = [1,\n  2]\n"))
	if err != nil {
		t.Fatal(err)
	}
	type place struct {
		line int
		key  string
	}
	for path, want := range map[string]place{
		"a/b/list/1":   {4, "a.b.list[1]"},
		"a/b/list/7":   {3, "a.b.list[7]"},
		"a/b/list/x":   {3, "a.b.list[x]"},
		"a/b/c d/e":    {2, `a.b."c d".e`},
		"nothing/here": {0, "nothing.here"},
	} {
		line, key := doc.tree.locate(strings.Split(path, "/"))
		if got := (place{line, key}); got != want {
			t.Errorf("%s: got %+v, want %+v", path, got, want)
		}
	}
}

// The property that lines and the order of keys rest on: whatever the library takes for TOML, the scan finds the same
// tables, keys and items in it.
func FuzzAScanAgreesWithTheLibrary(f *testing.F) {
	f.Add(everything)
	f.Add("a = 1\r\n[b]\r\nc = \"\"\"\r\n\\\r\n\"\"\"\r\n")
	f.Add("\ufeffa=[[],[{}],{b.c=1,b.d=2}]")
	f.Add("k = \"\"\"\\\\\"\"\"\"\"\" ") // one quote more than TOML allows, and the library minds
	f.Add(`0.""=[[[{0={}}]]]`)
	f.Add("[[a]]\n[a.b]\n[[a.b.c]]\nd.e=1\n[[a]]\n")
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := Parse("f.toml", []byte(text))
		if err != nil {
			return
		}
		if diff := disagreement(doc.tree, doc.values, "file"); diff != "" {
			t.Error(diff)
		}
	})
}

func disagreement(n *node, value any, where string) string {
	if n == nil {
		return where + " was not found"
	}
	if n.line < 1 {
		return fmt.Sprintf("%s is on line %d", where, n.line)
	}
	if tables, ok := value.([]map[string]any); ok {
		list := make([]any, len(tables))
		for i := range tables {
			list[i] = tables[i]
		}
		value = list
	}
	switch value := value.(type) {
	case map[string]any:
		if diff := cmp.Diff(slices.Sorted(maps.Keys(value)), slices.Sorted(maps.Keys(n.below))); diff != "" && len(value)+len(n.below) > 0 {
			return "keys of " + where + ": " + diff
		}
		for key := range value {
			if key == "" {
				continue // the library mixes up arrays with inline tables behind an empty key
			}
			if diff := disagreement(n.below[key], value[key], where+"."+key); diff != "" {
				return diff
			}
		}
	case []any:
		if !n.array || len(n.items) != len(value) {
			return fmt.Sprintf("%s has %d items, found %d", where, len(value), len(n.items))
		}
		for i := range value {
			if diff := disagreement(n.items[i], value[i], fmt.Sprintf("%s[%d]", where, i)); diff != "" {
				return diff
			}
		}
	default:
		if n.array || n.below != nil {
			return where + " is a single value"
		}
	}
	return ""
}
