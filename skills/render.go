package skills

import (
	"fmt"
	"slices"
	"strings"
)

// renderer makes argv out of a template and the values of a call.
type renderer struct {
	skill    *Skill
	values   map[string]any // given parameters, checked against the schema
	argv     []string
	errs     ArgErrors
	operands bool // the literal "--" was the last literal element: only operands follow
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

// complete reports whether every parameter that a group inserts was given. An array without items has nothing to insert,
// and the option before it would take the next element for its value.
func (r *renderer) complete(group template) bool {
	return !slices.ContainsFunc(group.direct(), func(name string) bool {
		value, given := r.values[name]
		list, isList := value.([]any)
		return !given || isList && len(list) == 0
	})
}

func (r *renderer) element(e element) {
	if e.literal() {
		r.operands = e.lead() == "--"
		r.argv = append(r.argv, e.lead())
		return
	}
	value, given := r.values[e.alone()]
	switch list, isList := value.([]any); {
	case isList:
		for _, item := range list {
			r.add(e.alone(), "", textOf(item))
		}
	case !given && e.alone() != "" && r.skill.parameter(e.alone()).allows("array"):
		// an optional array: as many elements as it has items
	default:
		r.text(e)
	}
}

// text renders an element with placeholders as one element of argv.
func (r *renderer) text(e element) {
	lead, rest := e.lead(), ""
	first, decided := "", false // the parameter whose value the text behind lead begins with
	for i, p := range e.pieces {
		if p.param == "" {
			if i > 0 {
				rest += p.literal
				decided = true
			}
			continue
		}
		value, given := r.values[p.param]
		if !given {
			r.fail(p.param, "got null, and the program needs a value here")
			return
		}
		if !decided {
			first = p.param
		}
		text := textOf(value)
		rest += text
		decided = decided || text != ""
	}
	if rest == "" && strings.HasPrefix(lead, "-") && !strings.Contains(lead, "=") {
		r.fail(first, "is empty, and the option before it would be left without its value")
		return
	}
	r.add(first, lead, rest)
}

// add adds one element of argv: a literal lead and the text that begins with the value of param.
func (r *renderer) add(param, lead, rest string) {
	switch {
	case strings.ContainsRune(rest, 0):
		r.fail(param, "has a NUL character, which no argument of a program can hold")
	case len(lead)+len(rest) >= maxArgument:
		r.fail(param, fmt.Sprintf("is longer than %d bytes, which is Linux's limit for an argument of a program", maxArgument-1))
	case r.dash(param, lead, rest):
		r.fail(param, `would make an argument that begins with "-", and the program would take it for an option`)
	default:
		r.argv = append(r.argv, lead+rest)
	}
}

// dash reports whether a value would become an option, or another option than the template has: nothing, or nothing but
// dashes, stands before it, a dash comes first, and no "--" has told the program that only operands follow (POSIX
// Utility Syntax Guideline 10). Without a value, a dash of the template itself can come first, as in "{from}-{to}".
func (r *renderer) dash(param, lead, rest string) bool {
	if !onlyDashes(lead) || !strings.HasPrefix(rest, "-") || r.skill.parameter(param).allowDash {
		return false
	}
	return lead != "" || !r.operands
}

func (r *renderer) fail(param, reason string) {
	r.errs = append(r.errs, &ArgError{Skill: r.skill.Name, Param: param, Reason: reason})
}
