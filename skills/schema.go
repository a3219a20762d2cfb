package skills

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"skillet/skills/tomldoc"
)

// schemaURL is what a schema is called while it is compiled. It is absolute, lest the library asks for the current directory.
const schemaURL = "https://skillet.invalid/schema"

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

// compileSoon compiles a schema when it is first needed: a call has to wait for one schema, a start would have to wait
// for all.
func compileSoon(schema func() json.RawMessage) lazySchema {
	return sync.OnceValues(func() (*jsonschema.Schema, error) { return compileSchema(schema()) })
}

type lazySchema func() (*jsonschema.Schema, error)

// validate returns what is wrong with a value.
func validate(compiled lazySchema, value any) ArgErrors {
	schema, err := compiled()
	if err == nil {
		err = schema.Validate(value)
	}
	var invalid *jsonschema.ValidationError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &invalid):
		return explain(invalid)
	}
	return ArgErrors{{Reason: "cannot be checked: the schema " + compilerMistake(err)}}
}

func compilerMistake(err error) string {
	return "is no valid JSON Schema: " + strings.ReplaceAll(strings.ReplaceAll(err.Error(), schemaURL, ""), "\n", " ")
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
	if s.Output != OutputJSON && slices.Contains(outputForms, string(s.Output)) {
		t.Fail("output_schema", `describes JSON on standard output`, `add output = "json"`)
	}
	before := t.Failed()
	schema := map[string]any{}
	for _, key := range table.Keys() {
		value, _ := table.Any(key)
		converted, err := toJSON(value)
		if err != nil {
			table.FailAt(table.Path(key), err.Error(), "")
			continue
		}
		schema[key] = converted
	}
	compileNow := checkSchema(table, schema, false)
	if t.Failed() != before {
		return
	}
	s.setOutputSchema(schema)
	if compileNow {
		if _, err := s.outputSchema(); err != nil {
			t.Fail("output_schema", compilerMistake(err), "")
		}
	}
}

// objectKeywords say nothing of a value that is no object.
var objectKeywords = []string{"properties", "required", "additionalProperties", "patternProperties"}

// setOutputSchema publishes a schema of what standard output has. MCP wants an object: see [Skill.StructuredOutput].
func (s *Skill) setOutputSchema(schema map[string]any) {
	if schema["type"] == nil && slices.ContainsFunc(objectKeywords, func(key string) bool { return schema[key] != nil }) {
		schema["type"] = "object"
	}
	if s.wrapped = schema["type"] != "object"; s.wrapped {
		definitions, ok := schema["$defs"]
		delete(schema, "$defs")
		schema = map[string]any{"type": "object", "properties": map[string]any{"result": schema}, "required": []any{"result"}}
		if ok {
			schema["$defs"] = definitions
		}
	}
	s.OutputSchema = json.RawMessage(mustJSON(schema))
	s.outputSchema = compileSoon(func() json.RawMessage { return s.OutputSchema })
}

// StructuredOutput parses what a skill with [OutputJSON] wrote. A value that is no object comes as {"result": value},
// since MCP's structured content is always an object. The error says how the tool broke its promise.
func (s *Skill) StructuredOutput(stdout []byte) (json.RawMessage, error) {
	if !utf8.Valid(stdout) { // a parser would put other characters into the place of what is none
		return nil, fmt.Errorf("%s promises JSON on its standard output, and wrote bytes that are no valid UTF-8", s.Name)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(stdout))
	if err != nil {
		return nil, fmt.Errorf("%s promises JSON on its standard output, and wrote something else: %w", s.Name, err)
	}
	raw := json.RawMessage(bytes.TrimSpace(stdout))
	if s.wrapped || s.outputSchema == nil && !is[map[string]any](document) {
		document = map[string]any{"result": document}
		raw = json.RawMessage(`{"result":` + string(raw) + `}`)
	}
	if s.outputSchema == nil {
		return raw, nil
	}
	errs := excesses(document, nil)
	if errs == nil {
		errs = validate(s.outputSchema, document)
	}
	if errs != nil {
		return nil, fmt.Errorf("%s wrote JSON that its output_schema does not allow: %s", s.Name, errs.sorted()[0].Error())
	}
	return raw, nil
}
