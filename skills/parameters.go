package skills

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	"skillet/skills/tomldoc"
)

// parameter is one argument that a tool takes: a JSON Schema and what skillet adds to it.
type parameter struct {
	name      string
	schema    map[string]any // JSON Schema 2020-12, ready for encoding/json
	required  bool
	allowDash bool // a value may begin with "-" where it stands alone as an element of argv
	creates   bool // a path that need not exist yet
	fallback  any  // the schema's default, nil when it has none
}

// parameterName is what clients of the large model vendors accept as a property's name.
var parameterName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// readParameters reads [skills.X.parameters] in the order of the file.
func readParameters(t tomldoc.Table) []*parameter {
	var all []*parameter
	for _, table := range t.Tables("parameters") {
		if !parameterName.MatchString(table.Name()) {
			table.Fail("", "is no name for a parameter", "a name has 1 to 64 of the characters A-Z a-z 0-9 _ . -")
		}
		all = append(all, readParameter(table))
	}
	return all
}

func readParameter(t tomldoc.Table) *parameter {
	p := &parameter{name: t.Name(), schema: map[string]any{}}
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
				t.Fail(key, err.Error(), "")
				continue
			}
			p.schema[key] = converted
		}
	}
	checkKeywords(t, p.schema)
	p.fallback = exact(p.schema["default"])
	if p.creates && !p.isPath() {
		t.Fail("creates", `belongs to a parameter with format = "path"`, "")
	}
	return p
}

func (p *parameter) isPath() bool { return p.schema["format"] == pathFormat }

// given reports whether every call has a value for the parameter.
func (p *parameter) given() bool { return p.required || p.fallback != nil }

// types returns the JSON types that the schema names, nil when it names none.
func (p *parameter) types() []string {
	switch declared := p.schema["type"].(type) {
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

// free reports whether a caller can choose the beginning of the value's text.
func (p *parameter) free() bool {
	if pattern, ok := p.schema["pattern"].(string); ok && strings.HasPrefix(pattern, "^") {
		return false
	}
	_, enum := p.schema["enum"]
	_, constant := p.schema["const"]
	if enum || constant {
		return false
	}
	for _, name := range p.types() {
		if name != "integer" && name != "number" && name != "boolean" {
			return true
		}
	}
	return p.types() == nil
}

// argumentsSchema is the schema of all arguments together. With published, what only skillet understands is put into
// words instead: clients that check formats strictly refuse a tool whose format they do not know.
func argumentsSchema(parameters []*parameter, published bool) json.RawMessage {
	var properties, required []string
	for _, p := range parameters {
		schema := p.schema
		if published {
			schema = publish(schema)
		}
		properties = append(properties, mustJSON(p.name)+":"+mustJSON(schema))
		if p.required {
			required = append(required, p.name)
		}
	}
	text := `{"type":"object","properties":{` + strings.Join(properties, ",") + `}`
	if required != nil {
		text += `,"required":` + mustJSON(required)
	}
	return json.RawMessage(text + `,"additionalProperties":false}`)
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

// exact turns a value of toJSON into what decoding its JSON with exact numbers gives: a default is then treated as if
// the caller had sent it.
func exact(value any) any {
	decoder := json.NewDecoder(strings.NewReader(mustJSON(value)))
	decoder.UseNumber()
	var out any
	if err := decoder.Decode(&out); err != nil {
		panic(fmt.Sprintf("skills: %v", err))
	}
	return out
}

// toJSON turns a TOML value into what encoding/json makes of the same JSON, apart from numbers, which stay Go's.
func toJSON(value any) (any, error) {
	switch value := value.(type) {
	case string, bool, int64:
		return value, nil
	case float64:
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return nil, fmt.Errorf("%v has no form in JSON", value)
		}
		return value, nil
	case []any:
		out := make([]any, len(value))
		for i := range value {
			var err error
			if out[i], err = toJSON(value[i]); err != nil {
				return nil, err
			}
		}
		return out, nil
	case []map[string]any:
		out := make([]any, len(value))
		for i := range value {
			var err error
			if out[i], err = toJSON(value[i]); err != nil {
				return nil, err
			}
		}
		return out, nil
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
