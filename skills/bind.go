package skills

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const (
	maxArgument  = 128 << 10 // MAX_ARG_STRLEN of Linux, execve(2): bytes of one argument with its NUL
	maxArguments = 1 << 20   // bytes of all arguments; Linux allows a quarter of the stack, 2 MiB by default
	maxDigits    = 400       // of a number: beyond it, exact arithmetic is a way to keep the server busy
)

// Bind turns the arguments of a call, a JSON object, into an invocation. The error is [ArgErrors] with everything that
// is wrong with them.
func (s *Skill) Bind(arguments json.RawMessage) (Invocation, error) {
	given, err := decodeArguments(arguments)
	if err != nil {
		return Invocation{}, s.wrong("", err.Error())
	}
	for _, p := range s.parameters {
		if _, ok := given[p.name]; !ok && p.fallback != nil {
			given[p.name] = p.fallback
		}
	}
	if err := s.validate(given); err != nil {
		return Invocation{}, err
	}
	resolver := pathResolver{skill: s}
	defer resolver.close()
	values := make(map[string]any, len(given))
	for _, p := range s.parameters {
		if value, ok := given[p.name]; ok {
			values[p.name] = resolver.resolve(p, p.name, p.schema, value)
		}
	}
	outputs := s.outputPaths(&resolver, given)
	if resolver.errs != nil {
		return Invocation{}, resolver.errs
	}
	return s.invocation(values, outputs)
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
		return Invocation{}, r.errs
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
	given := len(pieceParams(s.stdin)) == 0
	text := []byte{}
	for _, p := range s.stdin {
		value, ok := values[p.param]
		given = given || ok
		text = append(text, p.literal...)
		if ok {
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
		complete := true
		at := "outputs"
		for _, p := range pieces {
			text.WriteString(p.literal)
			if p.param == "" {
				continue
			}
			at = p.param
			value, ok := given[p.param]
			complete = complete && ok
			if ok {
				text.WriteString(textOf(value))
			}
		}
		if complete && r.path(at, text.String(), true) != "" {
			all = append(all, text.String())
		}
	}
	return all
}

func (s *Skill) validate(given map[string]any) error {
	err := s.schema.Validate(given)
	if err == nil {
		return nil
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return s.wrong("", "cannot be checked against the schema")
	}
	return s.suggest(explain(invalid))
}

func (s *Skill) wrong(param, reason string) ArgErrors {
	return ArgErrors{{Skill: s.Name, Param: param, Reason: reason}}
}

// decodeArguments reads the JSON object of a call with its numbers exact. No arguments at all are an empty object.
func decodeArguments(arguments json.RawMessage) (map[string]any, error) {
	if trimmed := bytes.TrimSpace(arguments); len(trimmed) == 0 || string(trimmed) == "null" {
		return map[string]any{}, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(arguments))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, errors.New("the arguments are no valid JSON")
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("the arguments are more than one JSON value")
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("the arguments have to be a JSON object, with a property for each parameter")
	}
	if !modest(object) {
		return nil, fmt.Errorf("a number among the arguments has more than %d digits", maxDigits)
	}
	return object, nil
}

// modest reports whether no number of a value takes more than maxDigits digits to write out.
func modest(value any) bool {
	switch value := value.(type) {
	case json.Number:
		digits, exponent, _ := strings.Cut(strings.ToLower(value.String()), "e")
		size := 0
		if exponent != "" {
			var err error
			if size, err = strconv.Atoi(exponent); err != nil {
				return false
			}
		}
		return len(digits)+max(size, -size) <= maxDigits
	case []any:
		return !slices.ContainsFunc(value, func(item any) bool { return !modest(item) })
	case map[string]any:
		for _, item := range value {
			if !modest(item) {
				return false
			}
		}
	}
	return true
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
