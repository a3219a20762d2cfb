package skills

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"skillet/skills/tomldoc"
)

// call reads how a tool is called: parameters, args, stdin and outputs, and checks that they fit together. With
// mountsLost, what the skill mounts could not be read, and nothing is said about it.
func (l *loader) call(t tomldoc.Table, s *Skill, mountsLost bool) {
	var known bool
	s.parameters, known = readParameters(t)
	before := t.Failed()
	reader := templateReader{fail: func(at []string, text, hint string) { t.FailAt(t.Path(at...), text, hint) }}
	if value, ok := t.Any("args"); ok {
		list, isList := asList(value)
		if !isList {
			t.Fail("args", "is "+tomldoc.TypeName(value)+", expected an array", "put it in brackets, one string for each argument")
		}
		s.argv = reader.read([]string{"args"}, list)
	}
	if text, ok := t.String("stdin"); ok {
		s.stdin = reader.pieces([]string{"stdin"}, text)
	}
	if texts, ok := t.Strings("outputs"); ok {
		for i, text := range texts {
			if pieces := reader.pieces([]string{"outputs", strconv.Itoa(i)}, text); pieces != nil {
				s.outputs = append(s.outputs, pieces)
			}
		}
	}
	allRead := t.Failed() == before
	if !t.Has("args") && !t.Has("parameters") && !t.Has("stdin") {
		makeRaw(s)
	}
	if !known {
		return // every placeholder would seem to be a mistake
	}
	s.takesName(t)
	l.compileArguments(t, s)
	c := callChecker{t: t, s: s, used: map[string]bool{}}
	c.template(s.argv, nil)
	c.stdin()
	c.outputs()
	if !mountsLost {
		c.paths()
	}
	if allRead { // else it could be used in what was not read
		c.unused()
	}
}

// makeRaw gives a skill without parameters the two that every program has.
func makeRaw(s *Skill) {
	s.raw = true
	s.parameters = []*parameter{
		{name: "args", allowDash: true, schema: map[string]any{
			"type": "array", "items": map[string]any{"type": "string"},
			"description": "Arguments of the program, one element each; no shell interprets them.",
		}},
		{name: "stdin", schema: map[string]any{"type": "string", "description": "Text for the program's standard input."}},
	}
	s.argv = template{{pieces: []piece{{param: "args"}}}}
	s.stdin = []piece{{param: "stdin"}}
}

// compileArguments makes the published and the checking form of the schema, and checks defaults with it.
func (l *loader) compileArguments(t tomldoc.Table, s *Skill) {
	s.InputSchema = argumentsSchema(s.callerParameters(), true)
	s.schema = compileSoon(func() json.RawMessage { return argumentsSchema(s.callerParameters(), false) })
	if slices.ContainsFunc(s.parameters, func(p *parameter) bool { return p.compileNow }) {
		if _, err := s.schema(); err != nil {
			t.Fail("parameters", compilerMistake(err), "")
			return
		}
	}
	for _, p := range s.parameters {
		if p.fallback == nil {
			continue
		}
		for _, mistake := range validate(l.schemaOf(p), p.fallback) {
			t.FailAt(t.Path("parameters", p.name, "default"), "is not what the parameter allows: "+mistake.Error(), "")
		}
	}
}

// schemaOf returns the schema of a parameter alone. Many parameters have the same, apart from words.
func (l *loader) schemaOf(p *parameter) lazySchema {
	schema := maps.Clone(p.schema)
	for _, keyword := range annotations {
		delete(schema, keyword)
	}
	if p.definitions != nil {
		schema["$defs"] = p.definitions
	}
	text := mustJSON(schema)
	if l.schemas[text] == nil {
		l.schemas[text] = compileSoon(func() json.RawMessage { return json.RawMessage(text) })
	}
	return l.schemas[text]
}

// argumentsSchema is the schema of all arguments together. With published, what only skillet understands is put into
// words instead: clients that check formats strictly refuse a tool whose format they do not know.
func argumentsSchema(parameters []*parameter, published bool) json.RawMessage {
	var text strings.Builder
	text.WriteString(`{"type":"object","properties":{`)
	required, definitions := []string{}, map[string]any{}
	for i, p := range parameters {
		schema := p.schema
		if published {
			schema = publish(schema)
		}
		if i > 0 {
			text.WriteByte(',')
		}
		text.WriteString(mustJSON(p.name) + ":" + mustJSON(schema)) // a map would not keep the order of the file
		if p.required {
			required = append(required, p.name)
		}
		maps.Copy(definitions, p.definitions)
	}
	text.WriteByte('}')
	if len(required) > 0 {
		text.WriteString(`,"required":` + mustJSON(required))
	}
	if len(definitions) > 0 {
		text.WriteString(`,"$defs":` + mustJSON(definitions))
	}
	text.WriteString(`,"additionalProperties":false}`)
	return json.RawMessage(text.String())
}

// parameter returns the parameter of a name, nil when there is none.
func (s *Skill) parameter(name string) *parameter {
	i := slices.IndexFunc(s.parameters, func(p *parameter) bool { return p.name == name })
	if i < 0 {
		return nil
	}
	return s.parameters[i]
}
