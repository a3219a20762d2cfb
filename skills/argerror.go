package skills

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"skillet/skills/tomldoc"
)

// ArgError is one mistake in the arguments of a call. It names what is allowed, and of what was given only the type:
// the value could be a secret.
type ArgError struct {
	Skill  string
	Param  string // the parameter, with the way into it ("files[2]", "options.depth"), "" for the arguments as a whole
	Reason string
}

func (e *ArgError) Error() string {
	if e.Param == "" {
		return e.Reason
	}
	return e.Param + ": " + e.Reason
}

// ArgErrors are all mistakes in the arguments of a call.
type ArgErrors []*ArgError

func (e ArgErrors) Error() string {
	if len(e) == 0 {
		return "no mistake"
	}
	lines := make([]string, 0, len(e)+1)
	lines = append(lines, "wrong arguments for "+e[0].Skill+":")
	for _, one := range e {
		lines = append(lines, "- "+one.Error())
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find the single mistakes.
func (e ArgErrors) Unwrap() []error {
	all := make([]error, len(e))
	for i, one := range e {
		all[i] = one
	}
	return all
}

// sorted orders mistakes by place and drops repetitions.
func (e ArgErrors) sorted() ArgErrors {
	slices.SortStableFunc(e, func(a, b *ArgError) int {
		return cmp.Or(naturally(a.Param, b.Param), cmp.Compare(a.Reason, b.Reason))
	})
	return slices.CompactFunc(e, func(a, b *ArgError) bool { return *a == *b })
}

// naturally compares two places with files[2] before files[10].
func naturally(a, b string) int {
	return cmp.Or(cmp.Compare(beforeIndex(a), beforeIndex(b)), cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

func beforeIndex(place string) string {
	name, _, _ := strings.Cut(place, "[")
	return name
}

// maxMistakes keeps an array of a million wrong items from becoming a message of a million lines.
const maxMistakes = 50

// complete finishes the mistakes of one call: whose they are, and what is near to an unknown name.
func (s *Skill) complete(errs ArgErrors) ArgErrors {
	errs = errs.sorted()
	if more := len(errs) - maxMistakes; more > 0 {
		errs = append(errs[:maxMistakes:maxMistakes], &ArgError{Reason: fmt.Sprintf("and %d more mistakes", more)})
	}
	for _, e := range errs {
		e.Skill = s.Name
		if e.Reason == unknownParameter && !strings.ContainsAny(e.Param, ".[") {
			e.Reason += ": " + tomldoc.NearMiss(e.Param, s.ParameterNames())
		}
	}
	return errs
}
