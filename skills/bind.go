package skills

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

const (
	maxArgument  = 128 << 10 // MAX_ARG_STRLEN of Linux, execve(2): bytes of one argument with its NUL
	maxArguments = 1 << 20   // bytes of all arguments; Linux allows a quarter of the stack, 2 MiB by default
)

// Bind turns the arguments of a call, a JSON object, into an invocation. The error is [ArgErrors] with everything that
// is wrong with them.
func (s *Skill) Bind(arguments json.RawMessage) (Invocation, error) {
	given, wrong := decodeArguments(arguments)
	if wrong != nil {
		return Invocation{}, s.complete(wrong)
	}
	for _, p := range s.parameters {
		if _, ok := given[p.name]; !ok && p.fallback != nil {
			given[p.name] = p.fallback
		}
	}
	if errs := validate(s.schema, given); errs != nil {
		return Invocation{}, s.complete(errs)
	}
	resolver := pathResolver{skill: s}
	defer resolver.close()
	values := make(map[string]any, len(given))
	for _, p := range s.parameters {
		if value := given[p.name]; value != nil { // null says that there is none
			values[p.name] = resolver.resolve(p, p.name, p.schema, value)
		}
	}
	outputs := s.outputPaths(&resolver, given)
	if resolver.errs != nil {
		return Invocation{}, s.complete(resolver.errs)
	}
	inv, err := s.invocation(values, outputs)
	if s.Session {
		inv.Session, _ = given[sessionParameterName].(string)
	}
	return inv, err
}

// invocation renders the templates with checked values.
func (s *Skill) invocation(values map[string]any, outputs []string) (Invocation, error) {
	r := renderer{skill: s, values: values}
	r.render(s.argv)
	total := 0
	for _, argument := range r.argv {
		total += len(argument) + 1
	}
	if total > maxArguments {
		r.fail("", fmt.Sprintf("the arguments have %d bytes together, and a program can be given %d", total, maxArguments))
	}
	if r.errs != nil {
		return Invocation{}, s.complete(r.errs)
	}
	inv := s.Prototype()
	inv.Command = slices.Concat(inv.Command, r.argv)
	inv.Outputs = outputs
	inv.Stdin = s.standardInput(values)
	return inv, nil
}

// standardInput renders `stdin`; nil when the skill has none or none of its parameters was given.
func (s *Skill) standardInput(values map[string]any) []byte {
	if s.stdin == nil {
		return nil
	}
	given := len(placeholders(s.stdin)) == 0
	text := []byte{}
	for _, p := range s.stdin {
		text = append(text, p.literal...)
		if value, ok := values[p.param]; ok {
			given = true
			text = append(text, textOf(value)...)
		}
	}
	if !given {
		return nil
	}
	return text
}

// outputPaths renders `outputs`, as paths below the working directory. A file whose name depends on a parameter that
// was not given is left out.
func (s *Skill) outputPaths(r *pathResolver, given map[string]any) []string {
	var all []string
	for _, pieces := range s.outputs {
		var text strings.Builder
		at, complete := "outputs", true
		for _, p := range pieces {
			text.WriteString(p.literal)
			if p.param == "" {
				continue
			}
			value := given[p.param]
			if is[string](value) {
				at = p.param
			}
			complete = complete && value != nil
			text.WriteString(textOf(value))
		}
		if !complete {
			continue
		}
		if file, ok := r.output(at, text.String()); ok {
			all = append(all, file)
		}
	}
	return all
}

// textOf writes a value as a program reads it: a string as it is, a whole number without exponent or fraction, and
// whatever has no plain form as JSON.
func textOf(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case json.Number:
		if exact, ok := new(big.Rat).SetString(value.String()); ok && exact.IsInt() {
			return exact.Num().String()
		}
		return value.String()
	}
	return mustJSON(value)
}
