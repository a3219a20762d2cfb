package skills

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"skillet/skills/tomldoc"
)

// parameter is one argument that a tool takes: a JSON Schema and what skillet adds to it.
type parameter struct {
	name        string
	schema      map[string]any // JSON Schema 2020-12, ready for encoding/json, without its $defs
	definitions map[string]any // its $defs: they stand beside all parameters, where "#/$defs/NAME" finds them
	required    bool
	allowDash   bool // a value may begin with "-" where it stands alone as an element of argv
	creates     bool // a path that need not exist yet
	fallback    any  // the schema's default, nil when it has none
	compileNow  bool // as [checkSchema] says
	broken      bool // has a mistake: nothing more is said about it
}

// parameterName is what clients of the large model vendors accept as a property's name.
var parameterName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// readParameters reads [skills.X.parameters] in the order of the file. known is false when there are some that cannot be
// read.
func readParameters(t tomldoc.Table) (all []*parameter, known bool) {
	table, ok := t.Table("parameters")
	if !ok {
		return nil, !t.Has("parameters")
	}
	for _, name := range table.Keys() {
		before := t.Failed()
		p := &parameter{name: name, schema: map[string]any{}}
		if below, ok := table.Table(name); ok {
			p.read(below)
		}
		if !parameterName.MatchString(name) {
			table.FailAt(table.Path(name), "is no name for a parameter", "a name has 1 to 64 of the characters A-Z a-z 0-9 _ . -")
		}
		for _, other := range all {
			p.compareDefinitions(table, other)
		}
		if p.broken = t.Failed() > before; p.broken {
			p.schema, p.definitions, p.fallback = map[string]any{}, nil, nil
		}
		all = append(all, p)
	}
	return all, true
}

func (p *parameter) read(t tomldoc.Table) {
	for _, key := range t.Keys() {
		value, _ := t.Any(key)
		switch _, isList := value.([]any); {
		case key == "required" && !isList: // a list is the keyword of JSON Schema, for a parameter that is an object
			p.required, _ = t.Bool(key)
		case key == "allow_dash":
			p.allowDash, _ = t.Bool(key)
		case key == "creates":
			p.creates, _ = t.Bool(key)
		default:
			converted, err := toJSON(value)
			if err != nil {
				t.FailAt(t.Path(key), err.Error(), "")
				continue
			}
			p.schema[key] = converted
		}
	}
	p.compileNow = checkSchema(t, p.schema, true)
	p.fallback = exact(p.schema["default"])
	p.definitions, _ = p.schema["$defs"].(map[string]any)
	delete(p.schema, "$defs")
	if p.creates && !p.isPath() {
		t.Fail("creates", `belongs to a parameter with format = "path"`, "")
	}
}

// compareDefinitions reports definitions that have the name of another parameter's and say something else.
func (p *parameter) compareDefinitions(t tomldoc.Table, other *parameter) {
	for name, definition := range p.definitions {
		if taken, ok := other.definitions[name]; ok && mustJSON(taken) != mustJSON(definition) {
			t.FailAt(t.Path(p.name, "$defs", name), "is defined otherwise by the parameter "+other.name, "give one of the two another name")
		}
	}
}

func (p *parameter) isPath() bool { return p.schema["format"] == pathFormat }

// given reports whether every call has a value for the parameter.
func (p *parameter) given() bool {
	return (p.required || p.fallback != nil) && !slices.Contains(p.types(), "null")
}

// types returns the JSON types that the schema names, nil when it names none.
func (p *parameter) types() []string { return typesOf(p.schema) }

func typesOf(schema map[string]any) []string {
	switch declared := schema["type"].(type) {
	case string:
		return []string{declared}
	case []any:
		var types []string
		for _, one := range declared {
			if name, ok := one.(string); ok {
				types = append(types, name)
			}
		}
		return types
	}
	return nil
}

// is reports whether the schema allows only this type.
func (p *parameter) is(name string) bool { return slices.Equal(p.types(), []string{name}) }

// allows reports whether the schema names this type.
func (p *parameter) allows(name string) bool { return slices.Contains(p.types(), name) }

// dashes returns the keywords that name a value whose text begins with a dash.
func (p *parameter) dashes() [][]string {
	var all [][]string
	look := func(schema map[string]any, path ...string) {
		for _, keyword := range []string{"default", "const", "enum"} {
			values, isList := exact(schema[keyword]).([]any)
			if !isList {
				values = []any{exact(schema[keyword])}
			}
			if slices.ContainsFunc(values, func(value any) bool { return strings.HasPrefix(textOf(value), "-") }) {
				all = append(all, append(path, keyword))
			}
		}
	}
	look(p.schema)
	if items, ok := p.schema["items"].(map[string]any); ok {
		look(items, "items")
	}
	return all
}

// free reports whether a caller can choose the beginning of the value's text.
func (p *parameter) free() bool {
	_, enum := p.schema["enum"]
	_, constant := p.schema["const"]
	pattern, _ := p.schema["pattern"].(string)
	if enum || constant || p.is("string") && isWhole(pattern) {
		return false
	}
	return p.types() == nil || slices.ContainsFunc(p.types(), func(name string) bool {
		return name != "integer" && name != "number" && name != "boolean"
	})
}

// isWhole reports whether a pattern describes a text from its beginning to its end.
func isWhole(pattern string) bool {
	re, err := syntax.Parse(pattern, syntax.Perl)
	return err == nil && re.Op == syntax.OpConcat && re.Sub[0].Op == syntax.OpBeginText && re.Sub[len(re.Sub)-1].Op == syntax.OpEndText
}

const pathInWords = "a path relative to the working directory, inside it"

// publish replaces `format = "path"` by words wherever it stands.
func publish(schema map[string]any) map[string]any {
	out := maps.Clone(schema)
	if out["format"] == pathFormat {
		delete(out, "format")
		words := "(" + pathInWords + ")"
		if description, _ := out["description"].(string); description != "" {
			words = description + " " + words
		}
		out["description"] = words
	}
	if items, ok := out["items"].(map[string]any); ok {
		out["items"] = publish(items)
	}
	if properties, ok := out["properties"].(map[string]any); ok {
		properties = maps.Clone(properties)
		for name, property := range properties {
			if property, ok := property.(map[string]any); ok {
				properties[name] = publish(property)
			}
		}
		out["properties"] = properties
	}
	return out
}

// mustJSON encodes values that came from toJSON, which lets nothing through that cannot be encoded.
func mustJSON(value any) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(fmt.Sprintf("skills: %v", err))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// exact gives the numbers in a value of toJSON the form that they have in a call's arguments: a default is then treated as
// if the caller had sent it.
func exact(value any) any {
	switch value := value.(type) {
	case int64, float64:
		return json.Number(mustJSON(value))
	case []any:
		out := make([]any, len(value))
		for i := range value {
			out[i] = exact(value[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(value))
		for key := range value {
			out[key] = exact(value[key])
		}
		return out
	}
	return value
}

// toJSON turns a TOML value into what encoding/json makes of the same JSON, apart from numbers, which stay Go's.
func toJSON(value any) (any, error) {
	if list, ok := asList(value); ok {
		out := make([]any, len(list))
		for i := range list {
			var err error
			if out[i], err = toJSON(list[i]); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	switch value := value.(type) {
	case string, bool, int64:
		return value, nil
	case float64:
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return nil, fmt.Errorf("%v has no form in JSON", value)
		}
		return value, nil
	case map[string]any:
		out := make(map[string]any, len(value))
		for key := range value {
			var err error
			if out[key], err = toJSON(value[key]); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return nil, fmt.Errorf("is %s, which has no form in JSON", tomldoc.TypeName(value))
}
