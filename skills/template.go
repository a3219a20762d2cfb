package skills

import (
	"slices"
	"strconv"
	"strings"

	"skillet/skills/tomldoc"
)

// An argv template says how arguments become argv. One element of the template is one element of argv, or none, or for
// an array one per item: a value is never split, and no shell sees it.
//
//	"text"                      itself; {{ and }} are braces
//	"scale={width}:-2"          text with a parameter's value in it
//	"{files}"                   an array parameter alone: one element per item
//	["-ss", "{start}"]          an optional group: left out as a whole when a parameter in it was not given
//	{ when = "flag", args = […] } a group that a boolean parameter switches on
//
// A value must not become an option: see [renderer.dash].
type template []element

// element is one of: a text (pieces), a group (group, and when if a boolean switches it on).
type element struct {
	at     []string // the way to it in the file, from the table that has the template
	pieces []piece  // never empty in a text
	group  template // never nil in a group
	when   string
}

// piece is a literal text or, when param is set, the value of a parameter.
type piece struct {
	literal string
	param   string
}

// templateReader turns the value of `args` into a template. What cannot be read is reported and left out.
type templateReader struct {
	fail func(at []string, text, hint string)
}

func (r templateReader) read(at []string, values []any) template {
	t := make(template, 0, len(values))
	for i, value := range values {
		here := append(slices.Clone(at), strconv.Itoa(i))
		if list, ok := asList(value); ok {
			t = append(t, element{at: here, group: r.read(here, list)})
			continue
		}
		switch value := value.(type) {
		case string:
			if pieces := r.pieces(here, value); pieces != nil {
				t = append(t, element{at: here, pieces: pieces})
			}
		case map[string]any:
			if e, ok := r.when(here, value); ok {
				t = append(t, e)
			}
		default:
			hint := "put it in quotes"
			if _, isDate := value.(interface{ IsZero() bool }); isDate {
				hint = ""
			}
			r.fail(here, "is "+tomldoc.TypeName(value)+`, expected a string, an array, or { when = "PARAMETER", args = ["…"] }`, hint)
		}
	}
	return t
}

// when reads { when = "PARAMETER", args = […] }.
func (r templateReader) when(at []string, value map[string]any) (element, bool) {
	when, _ := value["when"].(string)
	args, isList := asList(value["args"])
	if when == "" || !isList || len(value) != 2 {
		r.fail(at, "is a table that is no condition", `write { when = "PARAMETER", args = ["…"] }`)
		return element{}, false
	}
	return element{at: at, when: when, group: r.read(append(at, "args"), args)}, true
}

// asList accepts an array of tables, which the TOML library gives another type.
func asList(value any) ([]any, bool) {
	switch value := value.(type) {
	case []any:
		return value, true
	case []map[string]any:
		list := make([]any, len(value))
		for i := range value {
			list[i] = value[i]
		}
		return list, true
	}
	return nil, false
}

// pieces splits a text at its placeholders; nil when it cannot.
func (r templateReader) pieces(at []string, text string) []piece {
	if err := noNUL(text); err != nil {
		r.fail(at, err.Error(), "")
		return nil
	}
	var pieces []piece
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			pieces = append(pieces, piece{literal: literal.String()})
			literal.Reset()
		}
	}
	for rest := text; rest != ""; {
		switch {
		case strings.HasPrefix(rest, "{{"), strings.HasPrefix(rest, "}}"):
			literal.WriteByte(rest[0])
			rest = rest[2:]
		case rest[0] == '{':
			name, after, closed := strings.Cut(rest[1:], "}")
			if !closed || !parameterName.MatchString(name) {
				r.fail(at, strconv.Quote(text)+" has a { that begins no {parameter}", "write {{ for a brace")
				return nil
			}
			flush()
			pieces = append(pieces, piece{param: name})
			rest = after
		case rest[0] == '}':
			r.fail(at, strconv.Quote(text)+" has a } that ends no {parameter}", "write }} for a brace")
			return nil
		default:
			literal.WriteByte(rest[0])
			rest = rest[1:]
		}
	}
	if flush(); pieces == nil {
		pieces = []piece{{}}
	}
	return pieces
}

// literal reports whether the element is a text without parameters.
func (e element) literal() bool { return e.pieces != nil && placeholders(e.pieces) == nil }

// alone returns the parameter that is the whole element, or "".
func (e element) alone() string {
	if len(e.pieces) == 1 {
		return e.pieces[0].param
	}
	return ""
}

// lead returns the literal text before the element's first parameter.
func (e element) lead() string { return e.pieces[0].literal }

// placeholders returns the parameters that a text inserts.
func placeholders(pieces []piece) []string {
	var all []string
	for _, p := range pieces {
		if p.param != "" {
			all = append(all, p.param)
		}
	}
	return all
}

// direct returns the parameters inserted by the template itself: those that decide whether it is left out as a group.
func (t template) direct() []string {
	var all []string
	for _, e := range t {
		all = append(all, placeholders(e.pieces)...)
	}
	return all
}

// onlyDashes reports whether a text is empty or would be an option without a name: a value behind it that begins with a
// dash makes, and a value behind dashes names, an option.
func onlyDashes(text string) bool { return strings.Trim(text, "-") == "" }
