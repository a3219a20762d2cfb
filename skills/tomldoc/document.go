package tomldoc

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// Document is a parsed file and the mistakes found in it so far.
type Document struct {
	file   string
	values map[string]any
	tree   *node
	errs   Errors
}

// Parse reads the text of a file. A syntax error ends the reading: it is the only mistake that hides others.
func Parse(file string, data []byte) (*Document, error) {
	text := strings.TrimLeft(string(data), "\ufeff") // a byte order mark, which some editors put there
	if line, ok := firstInvalid(text); ok {
		return nil, Errors{{File: file, Line: line, Text: "not valid TOML: the text is not UTF-8"}}
	}
	tree, tooDeep := scan(text)
	if tooDeep > 0 {
		return nil, Errors{{File: file, Line: tooDeep, Text: fmt.Sprintf("tables and arrays lie more than %d deep in each other", maxDepth)}}
	}
	doc := &Document{file: file, tree: tree}
	if _, err := toml.Decode(text, &doc.values); err != nil {
		return nil, Errors{syntaxError(file, err)}
	}
	return doc, nil
}

// firstInvalid returns the line of the first byte that is not UTF-8.
func firstInvalid(text string) (line int, found bool) {
	if utf8.ValidString(text) {
		return 0, false
	}
	valid := strings.ToValidUTF8(text, "\uffff") // U+FFFF itself is no character of a text
	return 1 + strings.Count(valid[:strings.Index(valid, "\uffff")], "\n"), true
}

func syntaxError(file string, err error) *Error {
	var parse toml.ParseError
	if !errors.As(err, &parse) {
		return &Error{File: file, Text: strings.TrimPrefix(err.Error(), "toml: ")}
	}
	return &Error{File: file, Line: parse.Position.Line, Key: parse.LastKey, Text: "not valid TOML: " + parse.Message, Hint: parse.Usage}
}

// Root returns the table that is the file.
func (d *Document) Root() Table { return newTable(d, nil, d.tree, d.values) }

// Fail records a mistake at a key, with a text that says what is wrong and a hint that says what to do. A path may lead
// into an array, by the index of an item.
func (d *Document) Fail(path []string, text, hint string) {
	line, key := d.tree.locate(path)
	d.errs = append(d.errs, &Error{File: d.file, Line: line, Key: key, Text: text, Hint: hint})
}

// Err returns the mistakes found so far as [Errors], or nil.
func (d *Document) Err() error {
	if len(d.errs) == 0 {
		return nil
	}
	return d.errs.sorted()
}

// Failed reports how many mistakes were found so far.
func (d *Document) Failed() int { return len(d.errs) }
