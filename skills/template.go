package skills

import (
	"errors"
	"fmt"
	"slices"
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
	pieces []piece
	group  template
	when   string
}

// piece is a literal text or, when param is set, the value of a parameter.
type piece struct {
	literal string
	param   string
}

// parseTemplate reads the value of `args`. Mistakes are reported to fail; what can be read is returned.
func parseTemplate(values []any, fail func(text, hint string)) template {
	var t template
	for _, value := range values {
		switch value := value.(type) {
		case string:
			pieces, err := parsePieces(value)
			if err != nil {
				fail(err.Error(), "")
				continue
			}
			t = append(t, element{pieces: pieces})
		case []any:
			t = append(t, element{group: parseTemplate(value, fail)})
		case map[string]any:
			t = append(t, parseWhen(value, fail))
		default:
			fail("has "+tomldoc.TypeName(value)+" as an element", `an element is a string, an array, or { when = "…", args = […] }`)
		}
	}
	return t
}

func parseWhen(value map[string]any, fail func(text, hint string)) element {
	when, _ := value["when"].(string)
	args, isList := value["args"].([]any)
	if when == "" || !isList || len(value) != 2 {
		fail("has a table as an element that is not a condition", `write { when = "PARAMETER", args = ["…"] }`)
		return element{}
	}
	return element{when: when, group: parseTemplate(args, fail)}
}

// parsePieces splits a text at its placeholders.
func parsePieces(text string) ([]piece, error) {
	var pieces []piece
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			pieces = append(pieces, piece{literal: literal.String()})
			literal.Reset()
		}
	}
	if strings.ContainsRune(text, 0) {
		return nil, errors.New("has a NUL character, which no argument can hold")
	}
	for text != "" {
		switch {
		case strings.HasPrefix(text, "{{"), strings.HasPrefix(text, "}}"):
			literal.WriteByte(text[0])
			text = text[2:]
		case text[0] == '{':
			name, rest, ok := strings.Cut(text[1:], "}")
			if !ok || !parameterName.MatchString(name) {
				return nil, fmt.Errorf("%q: a { begins a parameter's name and ends with }; write {{ for a brace", text)
			}
			flush()
			pieces = append(pieces, piece{param: name})
			text = rest
		case text[0] == '}':
			return nil, fmt.Errorf("%q: a } without its {; write }} for a brace", text)
		default:
			literal.WriteByte(text[0])
			text = text[1:]
		}
	}
	flush()
	if pieces == nil {
		pieces = []piece{{}}
	}
	return pieces, nil
}

// alone returns the parameter that is the whole element, or "".
func (e element) alone() string {
	if len(e.pieces) == 1 {
		return e.pieces[0].param
	}
	return ""
}

// literal reports whether no parameter is in the element.
func (e element) literal() bool {
	return e.pieces != nil && !slices.ContainsFunc(e.pieces, func(p piece) bool { return p.param != "" })
}

// params returns the parameters inserted by the template, those of its groups included.
func (t template) params() []string {
	var all []string
	for _, e := range t {
		all = append(all, pieceParams(e.pieces)...)
		all = append(all, e.group.params()...)
	}
	return all
}

func pieceParams(pieces []piece) []string {
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
		all = append(all, pieceParams(e.pieces)...)
	}
	return all
}

// renderer makes argv out of a template and the values of a call.
type renderer struct {
	skill      *Skill
	values     map[string]any // given parameters, checked against the schema
	argv       []string
	errs       ArgErrors
	afterDash2 bool // only operands follow: the literal "--" was the last literal element
}

func (r *renderer) render(t template) {
	for _, e := range t {
		switch {
		case e.group == nil:
			r.element(e)
		case e.when != "" && r.values[e.when] != true:
		case r.complete(e.group):
			r.render(e.group)
		}
	}
}

// complete reports whether every parameter that a group inserts was given.
func (r *renderer) complete(group template) bool {
	return !slices.ContainsFunc(group.direct(), func(name string) bool {
		_, given := r.values[name]
		return !given
	})
}

func (r *renderer) element(e element) {
	if e.literal() {
		text := e.pieces[0].literal
		r.afterDash2 = text == "--"
		r.argv = append(r.argv, text)
		return
	}
	if list, ok := r.values[e.alone()].([]any); ok {
		for _, item := range list {
			r.value(e.alone(), "", textOf(item), textOf(item))
		}
		return
	}
	if _, given := r.values[e.alone()]; e.alone() != "" && !given {
		return // an optional array: as many elements as it has items
	}
	r.mixed(e.pieces)
}

// mixed renders an element that has at least one placeholder.
func (r *renderer) mixed(pieces []piece) {
	var text strings.Builder
	param, prefix := "", ""
	for _, p := range pieces {
		if p.param == "" {
			text.WriteString(p.literal)
			continue
		}
		value := textOf(r.values[p.param])
		if param == "" && value != "" {
			param, prefix = p.param, text.String()
		}
		text.WriteString(value)
	}
	if param == "" { // every value is empty
		if first := pieces[0].literal; strings.HasPrefix(first, "-") && !strings.Contains(text.String(), "=") {
			r.fail(pieceParams(pieces)[0], "is empty, and would leave the option before it without its value")
			return
		}
		r.argv = append(r.argv, text.String())
		return
	}
	r.value(param, prefix, text.String()[len(prefix):], text.String())
}

// value adds one element of argv, in which the text of param stands behind the literal prefix.
func (r *renderer) value(param, prefix, value, element string) {
	switch {
	case strings.ContainsRune(element, 0):
		r.fail(param, "has a NUL character, which no argument of a program can hold")
	case len(element) >= maxArgument:
		r.fail(param, fmt.Sprintf("is longer than %d bytes, which is Linux's limit for an argument of a program", maxArgument-1))
	case r.dash(param, prefix, value):
		r.fail(param, `begins with "-", and the program would take it for an option`)
	default:
		r.argv = append(r.argv, element)
	}
}

// dash reports whether a value would become an option: nothing, or nothing but dashes, stands before it, it begins with
// a dash itself, and no "--" has told the program that only operands follow (POSIX Utility Syntax Guideline 10).
func (r *renderer) dash(param, prefix, value string) bool {
	if strings.Trim(prefix, "-") != "" || !strings.HasPrefix(value, "-") {
		return false
	}
	if r.skill.parameter(param).allowDash {
		return false
	}
	return prefix != "" || !r.afterDash2
}

func (r *renderer) fail(param, reason string) {
	r.errs = append(r.errs, &ArgError{Skill: r.skill.Name, Param: param, Reason: reason})
}
