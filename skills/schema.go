package skills

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"skillet/skills/tomldoc"
)

const schemaURL = "skill.json"

// refuseLoader keeps $ref from reading files and the network; the drafts' own metaschemas are built into the library.
type refuseLoader struct{}

func (refuseLoader) Load(string) (any, error) {
	return nil, errors.New("schemas are not loaded from elsewhere")
}

// compileSchema compiles a JSON Schema 2020-12 in which formats are asserted.
func compileSchema(schema json.RawMessage) (*jsonschema.Schema, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.UseLoader(refuseLoader{})
	compiler.AssertFormat()
	// Paths are checked against the file system at each call, in paths.go.
	compiler.RegisterFormat(&jsonschema.Format{Name: pathFormat, Validate: func(any) error { return nil }})
	if err := compiler.AddResource(schemaURL, document); err != nil {
		return nil, err
	}
	return compiler.Compile(schemaURL)
}

// schemaMistake words an error of the compiler for the author of the schema.
func schemaMistake(err error) string {
	var invalid *jsonschema.ValidationError
	if errors.As(err, &invalid) {
		mistakes := explain(invalid)
		texts := make([]string, len(mistakes))
		for i, m := range mistakes {
			texts[i] = strings.TrimPrefix(m.Param, "properties.") + ": " + m.Reason
		}
		return strings.Join(texts, "; ")
	}
	text := err.Error()
	if i := strings.Index(text, schemaURL+"#"); i >= 0 {
		text = text[i+len(schemaURL):]
	}
	return strings.ReplaceAll(text, "\n", " ")
}

// readOutputSchema reads [skills.X.output_schema]: what standard output is when `output = "json"`.
func readOutputSchema(t tomldoc.Table, s *Skill) {
	table, ok := t.Table("output_schema")
	if s.Output == OutputJSON {
		s.OutputSchema = json.RawMessage(`{"type":"object"}`)
	}
	if !ok {
		return
	}
	if s.Output != OutputJSON {
		t.Fail("output_schema", `belongs to output = "json"`, "")
		return
	}
	schema := map[string]any{}
	for _, key := range table.Keys() {
		value, _ := table.Any(key)
		converted, err := toJSON(value)
		if err != nil {
			table.Fail(key, err.Error(), "")
			return
		}
		schema[key] = converted
	}
	before := t.Failed()
	checkKeywords(table, schema)
	if t.Failed() != before {
		return
	}
	if s.wrapped = schema["type"] != "object"; s.wrapped { // MCP wants an object: see StructuredOutput
		schema = map[string]any{"type": "object", "properties": map[string]any{"result": schema}, "required": []any{"result"}}
	}
	s.OutputSchema = json.RawMessage(mustJSON(schema))
	var err error
	if s.outputSchema, err = compileSchema(s.OutputSchema); err != nil {
		t.Fail("output_schema", "is no valid JSON Schema: "+schemaMistake(err), "")
	}
}

// StructuredOutput parses what a skill with [OutputJSON] wrote. A value that is no object comes as {"result": value},
// since MCP's structured content is always an object. The error says how the tool broke its promise.
func (s *Skill) StructuredOutput(stdout []byte) (json.RawMessage, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(stdout))
	if err != nil {
		return nil, fmt.Errorf("%s promises JSON on its standard output, and wrote something else: %w", s.Name, err)
	}
	raw := json.RawMessage(bytes.TrimSpace(stdout))
	if _, isObject := document.(map[string]any); !isObject || s.wrapped {
		document = map[string]any{"result": document}
		raw = json.RawMessage(`{"result":` + string(raw) + `}`)
	}
	if s.outputSchema == nil {
		return raw, nil
	}
	var invalid *jsonschema.ValidationError
	if err := s.outputSchema.Validate(document); errors.As(err, &invalid) {
		first := explain(invalid)[0]
		return nil, fmt.Errorf("%s wrote JSON that its output_schema does not allow: %s %s", s.Name, first.Param, first.Reason)
	}
	return raw, nil
}
