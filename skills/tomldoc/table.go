package tomldoc

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/BurntSushi/toml"
)

// Table is one table of a document. Each method that reads a key marks it as asked for and, when the value has another
// type, records the mistake and answers as if the key were absent.
type Table struct {
	doc    *Document
	path   []string
	node   *node
	values map[string]any
	asked  *[]string
}

func newTable(doc *Document, path []string, node *node, values map[string]any) Table {
	return Table{doc: doc, path: path, node: node, values: values, asked: new([]string)}
}

// Name returns the last part of the table's path.
func (t Table) Name() string {
	if len(t.path) == 0 {
		return ""
	}
	return t.path[len(t.path)-1]
}

// Line returns the line on which the table begins.
func (t Table) Line() int {
	line, _ := t.doc.tree.locate(t.path)
	return line
}

// Has reports whether the key is there, without asking for it.
func (t Table) Has(key string) bool {
	_, ok := t.values[key]
	return ok
}

// Keys returns the keys in the order of the file.
func (t Table) Keys() []string {
	keys := slices.Collect(maps.Keys(t.values))
	t.node.inOrder(keys)
	return keys
}

// Path returns the path of a key of this table, or of what lies below the key.
func (t Table) Path(key ...string) []string { return slices.Concat(t.path, key) }

// Header returns the line that begins this table, or one below it: "[a.b]".
func (t Table) Header(below ...string) string { return "[" + toml.Key(t.Path(below...)).String() + "]" }

// Failed reports how many mistakes the whole document has so far.
func (t Table) Failed() int { return t.doc.Failed() }

// Fail records a mistake at a key of this table, or at the table itself when key is "".
func (t Table) Fail(key, text, hint string) {
	path := t.path
	if key != "" {
		path = t.Path(key)
	}
	t.doc.Fail(path, text, hint)
}

// FailAt records a mistake at a path that [Table.Path] made.
func (t Table) FailAt(path []string, text, hint string) { t.doc.Fail(path, text, hint) }

// Any returns a value of whatever type.
func (t Table) Any(key string) (any, bool) {
	*t.asked = append(*t.asked, key)
	value, ok := t.values[key]
	return value, ok
}

// String returns a string.
func (t Table) String(key string) (string, bool) { return read[string](t, key, "a string") }

// Bool returns a boolean.
func (t Table) Bool(key string) (bool, bool) { return read[bool](t, key, "true or false") }

// Int returns an integer.
func (t Table) Int(key string) (int64, bool) { return read[int64](t, key, "an integer") }

// Strings returns an array of strings. When some items are none, they come as "", and ok is false.
func (t Table) Strings(key string) ([]string, bool) {
	return readArray[string](t, key, "an array of strings", "a string")
}

// Ints returns an array of integers.
func (t Table) Ints(key string) ([]int64, bool) {
	return readArray[int64](t, key, "an array of integers", "an integer")
}

// Duration returns a duration in Go's notation, such as "90s" or "1m30s".
func (t Table) Duration(key string) (time.Duration, bool) {
	const example = `write it like "30s", "2m" or "1m30s"`
	text, ok := t.StringLike(key, example)
	if !ok {
		return 0, false
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fail(key, fmt.Sprintf("%q is no duration", text), example)
		return 0, false
	}
	return d, true
}

// StringLike returns a string that has a notation of its own, which the hint shows when the value is no string.
func (t Table) StringLike(key, hint string) (string, bool) {
	value, ok := t.Any(key)
	text, isString := value.(string)
	if ok && !isString {
		t.Fail(key, fmt.Sprintf("is %s, expected a string", TypeName(value)), hint)
	}
	return text, isString
}

// Table returns a table below this one.
func (t Table) Table(key string) (Table, bool) {
	values, ok := read[map[string]any](t, key, "a table")
	if !ok {
		return Table{}, false
	}
	return newTable(t.doc, t.Path(key), t.node.at(key), values), true
}

// Tables returns the tables below a table of named tables, such as [skills.NAME], in the order of the file.
func (t Table) Tables(key string) []Table {
	parent, ok := t.Table(key)
	if !ok {
		return nil
	}
	var all []Table
	for _, name := range parent.Keys() {
		if child, ok := parent.Table(name); ok {
			all = append(all, child)
		}
	}
	return all
}

// Misplaced are keys that belong elsewhere, and a hint that says where.
type Misplaced struct {
	Keys []string
	Hint string
}

// Done records every key that nobody asked for, with the place where it belongs or the nearest of the known keys.
func (t Table) Done(misplaced ...Misplaced) {
	for _, key := range t.Keys() {
		if slices.Contains(*t.asked, key) {
			continue
		}
		hint := NearMiss(key, t.known())
		for _, m := range misplaced {
			if slices.Contains(m.Keys, key) {
				hint = m.Hint
			}
		}
		t.FailAt(t.Path(key), "unknown key", hint)
	}
}

// known returns the keys that were asked for.
func (t Table) known() []string {
	keys := slices.Clone(*t.asked)
	slices.Sort(keys)
	return slices.Compact(keys)
}

// read takes a value of one type out of a table.
func read[T any](t Table, key, want string) (T, bool) {
	value, ok := t.Any(key)
	if !ok {
		return *new(T), false
	}
	typed, ok := value.(T)
	if !ok {
		t.mismatch(t.Path(key), value, *new(T), want)
	}
	return typed, ok
}

// readArray returns what could be read even when some items could not.
func readArray[T any](t Table, key, want, wantItem string) ([]T, bool) {
	values, ok := read[[]any](t, key, want)
	if !ok {
		return nil, false
	}
	typed := make([]T, len(values))
	for i, value := range values {
		item, isT := value.(T)
		if !isT {
			t.mismatch(t.Path(key, strconv.Itoa(i)), value, item, wantItem)
		}
		typed[i], ok = item, ok && isT
	}
	return typed, ok
}

// mismatch records a value of a wrong type, with the notation of the right one. The value itself could be a secret.
func (t Table) mismatch(path []string, value, wanted any, want string) {
	t.doc.Fail(path, fmt.Sprintf("is %s, expected %s", TypeName(value), want), notation(path, value, wanted))
}

// notation says how a value is written in the type that was wanted, "" where that depends on what was meant.
func notation(path []string, value, wanted any) string {
	header := "[" + toml.Key(path).String() + "]"
	text, isString := value.(string)
	_, isArray := value.([]any)
	_, isTable := value.(map[string]any)
	_, isTables := value.([]map[string]any)
	switch wanted.(type) {
	case map[string]any:
		if isTables {
			return "write " + header + ", in single brackets"
		}
		return "begin it with a line " + header
	case []any:
		if !isTable && !isTables {
			return "put it in brackets"
		}
	case string:
		if !isTable && !isTables && !isArray {
			return "put it in quotes"
		}
	case int64:
		if _, err := strconv.ParseInt(text, 10, 64); err == nil && isString {
			return "write it without quotes"
		}
	case bool:
		if text == "true" || text == "false" {
			return "write it without quotes"
		}
	}
	return ""
}

// TypeName names the TOML type of a decoded value.
func TypeName(value any) string {
	switch value.(type) {
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case int64:
		return "an integer"
	case float64:
		return "a float"
	case []any:
		return "an array"
	case map[string]any:
		return "a table"
	case []map[string]any:
		return "an array of tables"
	}
	return "a date or time"
}
