package skills

import (
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

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

// explain words the leaves of a validation error. The result is never empty.
func explain(err *jsonschema.ValidationError) ArgErrors {
	switch err.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf:
		return ArgErrors{{Param: location(err.InstanceLocation), Reason: alternatives(err)}}
	}
	if len(err.Causes) == 0 {
		return leaf(err)
	}
	var all ArgErrors
	for _, cause := range err.Causes {
		all = append(all, explain(cause)...)
	}
	return all
}

// alternatives words an anyOf or oneOf by what each branch wants.
func alternatives(err *jsonschema.ValidationError) string {
	if len(err.Causes) == 0 {
		return "fits more than one of the forms of which exactly one is allowed"
	}
	var branches []string
	for _, cause := range err.Causes {
		var parts []string
		for _, one := range explain(cause) {
			parts = append(parts, one.Error())
		}
		branches = append(branches, strings.Join(parts, " and "))
	}
	return "has none of the allowed forms: " + strings.Join(branches, "; or ")
}

// leaf words one failed keyword.
func leaf(err *jsonschema.ValidationError) ArgErrors {
	at := location(err.InstanceLocation)
	one := func(format string, args ...any) ArgErrors {
		return ArgErrors{{Param: at, Reason: fmt.Sprintf(format, args...)}}
	}
	switch k := err.ErrorKind.(type) {
	case *kind.Required:
		var all ArgErrors
		for _, name := range k.Missing {
			all = append(all, &ArgError{Param: join(at, name), Reason: "is required"})
		}
		return all
	case *kind.AdditionalProperties:
		var all ArgErrors
		for _, name := range k.Properties {
			all = append(all, &ArgError{Param: join(at, shorten(name)), Reason: unknownParameter})
		}
		return all
	case *kind.Type:
		return one("got %s, expected %s", k.Got, strings.Join(k.Want, " or "))
	case *kind.Enum:
		return one("is not one of the allowed values: %s", list(k.Want))
	case *kind.Const:
		return one("has to be %s", mustJSON(k.Want))
	case *kind.Pattern:
		return one("does not match the pattern %s", k.Want)
	case *kind.Format:
		return one("is not in the format %q", k.Want)
	case *kind.Minimum, *kind.Maximum, *kind.ExclusiveMinimum, *kind.ExclusiveMaximum, *kind.MultipleOf:
		return one("%s", bound(k))
	case *kind.MinLength:
		return one("has %d characters, expected at least %d", k.Got, k.Want)
	case *kind.MaxLength:
		return one("has %d characters, expected at most %d", k.Got, k.Want)
	case *kind.MinItems:
		return one("has %d items, expected at least %d", k.Got, k.Want)
	case *kind.MaxItems:
		return one("has %d items, expected at most %d", k.Got, k.Want)
	case *kind.Not, *kind.FalseSchema:
		return one("is not allowed here")
	}
	// The keywords that are left say nothing of the value.
	return one("%s", err.ErrorKind.LocalizedString(message.NewPrinter(language.English)))
}

// unknownParameter is completed by [Skill.suggest], which knows the names.
const unknownParameter = "is no parameter"

// bound words the keywords about a number's size without the number.
func bound(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Minimum:
		return "is too small, expected at least " + k.Want.RatString()
	case *kind.Maximum:
		return "is too large, expected at most " + k.Want.RatString()
	case *kind.ExclusiveMinimum:
		return "is too small, expected more than " + k.Want.RatString()
	case *kind.ExclusiveMaximum:
		return "is too large, expected less than " + k.Want.RatString()
	case *kind.MultipleOf:
		return "has to be a multiple of " + k.Want.RatString()
	}
	return "is out of bounds"
}

func list(values []any) string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = mustJSON(value)
	}
	return strings.Join(texts, ", ")
}

// location writes the way to a value as files[2].name.
func location(path []string) string {
	at := ""
	for _, part := range path {
		if part != "" && strings.Trim(part, "0123456789") == "" && at != "" {
			at += "[" + part + "]"
			continue
		}
		at = join(at, shorten(part))
	}
	return at
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// shorten keeps a name that a caller chose from filling the message.
func shorten(name string) string {
	if runes := []rune(name); len(runes) > 64 {
		return string(runes[:64]) + "…"
	}
	return name
}

// suggest completes the mistakes of one call: whose they are, and what is near to an unknown name.
func (s *Skill) suggest(errs ArgErrors) ArgErrors {
	for _, e := range errs {
		e.Skill = s.Name
		if e.Reason == unknownParameter && !strings.ContainsAny(e.Param, ".[") {
			e.Reason += ": " + tomldoc.NearMiss(e.Param, s.ParameterNames())
		}
	}
	return errs
}
