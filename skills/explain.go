package skills

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// explain words the leaves of a validation error. The result is never empty, and in an order that does not depend on the
// maps that the library goes through.
func explain(err *jsonschema.ValidationError) ArgErrors {
	at := location(err.InstanceLocation)
	switch k := err.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf:
		return ArgErrors{{Param: at, Reason: alternatives(err)}}
	case *kind.PropertyNames:
		return ArgErrors{{Param: join(at, shorten(k.Property)), Reason: "has a name that is not allowed"}}
	case *kind.Contains, *kind.MinContains, *kind.MaxContains:
		return leaf(err) // the causes say of each item why it is another one
	}
	if len(err.Causes) == 0 {
		return leaf(err)
	}
	var all ArgErrors
	for _, cause := range err.Causes {
		all = append(all, explain(cause)...)
	}
	return all.sorted()
}

// alternatives words an anyOf or oneOf by what each branch wants.
func alternatives(err *jsonschema.ValidationError) string {
	if len(err.Causes) == 0 {
		return "fits more than one of the forms of which exactly one is allowed"
	}
	here := location(err.InstanceLocation)
	var branches []string
	for _, cause := range err.Causes {
		var parts []string
		for _, one := range explain(cause) {
			if one.Param = strings.TrimPrefix(strings.TrimPrefix(one.Param, here), "."); one.Param == "" {
				parts = append(parts, one.Reason)
				continue
			}
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
	each := func(names []string, reason string) (all ArgErrors) {
		for _, name := range names {
			all = append(all, &ArgError{Param: join(at, shorten(name)), Reason: reason})
		}
		return all
	}
	switch k := err.ErrorKind.(type) {
	case *kind.Required:
		return each(k.Missing, "is required")
	case *kind.DependentRequired:
		return each(k.Missing, "is required together with "+k.Prop)
	case *kind.AdditionalProperties:
		return each(k.Properties, unknownParameter)
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
	case *kind.UniqueItems:
		return one("has the same item twice, at [%d] and [%d]", k.Duplicates[0], k.Duplicates[1])
	case *kind.MinProperties:
		return one("has %d properties, expected at least %d", k.Got, k.Want)
	case *kind.MaxProperties:
		return one("has %d properties, expected at most %d", k.Got, k.Want)
	case *kind.Contains:
		return one("has no item of the kind that it has to contain")
	case *kind.MinContains:
		return one("has %d items of the kind that it has to contain, expected at least %d", len(k.Got), k.Want)
	case *kind.MaxContains:
		return one("has %d items of the kind that it may contain, expected at most %d", len(k.Got), k.Want)
	case *kind.Not, *kind.FalseSchema:
		return one("is not allowed here")
	}
	// The keywords that are left say nothing of the value.
	return one("%s", err.ErrorKind.LocalizedString(message.NewPrinter(language.English)))
}

// unknownParameter is completed by [Skill.complete], which knows the names.
const unknownParameter = "is no parameter"

// bound words the keywords about a number's size without the number.
func bound(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Minimum:
		return "is too small, expected at least " + decimal(k.Want)
	case *kind.Maximum:
		return "is too large, expected at most " + decimal(k.Want)
	case *kind.ExclusiveMinimum:
		return "is too small, expected more than " + decimal(k.Want)
	case *kind.ExclusiveMaximum:
		return "is too large, expected less than " + decimal(k.Want)
	case *kind.MultipleOf:
		return "has to be a multiple of " + decimal(k.Want)
	}
	return "is out of bounds"
}

// decimal writes a number of a schema, which came from a decimal notation and has one.
func decimal(number *big.Rat) string {
	digits, _ := number.FloatPrec()
	return number.FloatString(digits)
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
