package skills

import (
	"errors"
	"fmt"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"skillet/skills/tomldoc"
)

// readCall reads how a tool is called: parameters, args, stdin and outputs, and checks that they fit together.
func readCall(t tomldoc.Table, s *Skill) {
	before := t.Failed()
	s.parameters = readParameters(t)
	var argv []any
	if value, ok := t.Any("args"); ok {
		if argv, ok = asList(value); !ok {
			t.Fail("args", "is "+tomldoc.TypeName(value)+", expected an array", "")
		}
		s.argv = parseTemplate(argv, func(text, hint string) { t.Fail("args", text, hint) })
	}
	if text, ok := t.String("stdin"); ok {
		s.stdin = readPieces(t, "stdin", text)
	}
	if texts, ok := t.Strings("outputs"); ok {
		for _, text := range texts {
			s.outputs = append(s.outputs, readPieces(t, "outputs", text))
		}
	}
	if !t.Has("args") && !t.Has("parameters") && !t.Has("stdin") {
		makeRaw(s)
	}
	if t.Failed() != before {
		return // what follows would only repeat it in other words
	}
	compile(t, s)
	c := callChecker{t: t, s: s, used: map[string]bool{}}
	c.template("args", s.argv, nil)
	c.stdin()
	c.outputs()
	c.paths()
	c.unused()
}

// asList accepts an array whose elements are all tables, which the TOML library gives another type.
func asList(value any) ([]any, bool) {
	switch value := value.(type) {
	case []any:
		return value, true
	case []map[string]any:
		list := make([]any, len(value))
		for i := range value {
			list[i] = value[i]
		}
		return list, true
	}
	return nil, false
}

func readPieces(t tomldoc.Table, key, text string) []piece {
	pieces, err := parsePieces(text)
	if err != nil {
		t.Fail(key, err.Error(), "")
	}
	return pieces
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

// compile makes the published and the checking form of the schema.
func compile(t tomldoc.Table, s *Skill) {
	s.InputSchema = argumentsSchema(s.parameters, true)
	var err error
	if s.schema, err = compileSchema(argumentsSchema(s.parameters, false)); err != nil {
		reportSchema(t, s, err)
		return
	}
	for _, p := range s.parameters {
		if p.fallback == nil {
			continue
		}
		schema, err := compileSchema(argumentsSchema([]*parameter{p}, false))
		if err != nil {
			continue // refers to another parameter's schema; the whole did compile
		}
		fallback := map[string]any{p.name: p.fallback}
		var invalid *jsonschema.ValidationError
		if err := schema.Validate(fallback); errors.As(err, &invalid) {
			t.FailAt(t.Path("parameters", p.name, "default"), "is not what the schema allows: "+explain(invalid)[0].Reason, "")
		}
	}
}

// reportSchema names the parameters whose schemas do not compile.
func reportSchema(t tomldoc.Table, s *Skill, whole error) {
	found := false
	for _, p := range s.parameters {
		if _, err := compileSchema(argumentsSchema([]*parameter{p}, false)); err != nil {
			t.FailAt(t.Path("parameters", p.name), "is no valid JSON Schema: "+schemaMistake(err), "")
			found = true
		}
	}
	if !found {
		t.Fail("parameters", "are no valid JSON Schema: "+schemaMistake(whole), "")
	}
}

// callChecker finds what does not fit between a skill's templates and its parameters.
type callChecker struct {
	t    tomldoc.Table
	s    *Skill
	used map[string]bool
}

// lookup marks a parameter as used; nil, and a mistake, when there is none of the name.
func (c *callChecker) lookup(key, name string) *parameter {
	c.used[name] = true
	p := c.s.parameter(name)
	if p == nil {
		c.t.Fail(key, fmt.Sprintf("{%s} is no parameter", name), tomldoc.NearMiss(name, c.s.ParameterNames()))
	}
	return p
}

// template checks the elements of a template; inside a group, the parameters that the group is left out without are
// safe to insert.
func (c *callChecker) template(key string, t template, safe []string) {
	for _, e := range t {
		if e.group != nil {
			c.group(key, e, safe)
			continue
		}
		for i, piece := range e.pieces {
			if piece.param == "" {
				continue
			}
			if p := c.lookup(key, piece.param); p != nil {
				c.placeholder(key, e, i, p, safe)
			}
		}
	}
}

func (c *callChecker) group(key string, e element, safe []string) {
	inside := e.group.direct()
	if e.when != "" {
		if p := c.lookup(key, e.when); p != nil && !p.is("boolean") {
			c.t.Fail(key, fmt.Sprintf("when = %q is no boolean parameter", e.when), `give it type = "boolean"`)
		}
	} else if len(inside) == 0 {
		c.t.Fail(key, "has an optional group in which no parameter stands, so that nothing decides about it", "take it out of its brackets")
	}
	c.template(key, e.group, slices.Concat(safe, inside))
}

// placeholder checks one parameter at piece i of an element.
func (c *callChecker) placeholder(key string, e element, i int, p *parameter, safe []string) {
	alone := e.alone() != ""
	isArray := slices.Contains(p.types(), "array")
	switch {
	case isArray && !alone:
		c.t.Fail(key, fmt.Sprintf("{%s} is an array, which has to be an element of its own", p.name), "")
	case !p.given() && !(isArray && alone) && !slices.Contains(safe, p.name):
		c.t.Fail(key, fmt.Sprintf("{%s} is optional here, and the argument would be missing without it", p.name),
			fmt.Sprintf(`make it a group, like ["--option", "{%s}"], or give the parameter required = true or a default`, p.name))
	case i == 1 && onlyDashes(e.pieces[0].literal) && p.free() && !p.allowDash:
		c.t.Fail(key, fmt.Sprintf("%s{%s} lets the caller choose the option", e.pieces[0].literal, p.name),
			"give the parameter an enum, a number's type or a pattern that begins with ^, or allow_dash = true if that is meant")
	}
}

func onlyDashes(text string) bool { return text == "-" || text == "--" }

func (c *callChecker) stdin() {
	for _, name := range pieceParams(c.s.stdin) {
		c.lookup("stdin", name)
	}
}

func (c *callChecker) outputs() {
	for _, pieces := range c.s.outputs {
		for _, name := range pieceParams(pieces) {
			if p := c.lookup("outputs", name); p != nil && len(pieces) == 1 && p.isPath() {
				p.creates = true
			}
		}
	}
}

// paths checks that files named by a caller exist in the container, too.
func (c *callChecker) paths() {
	if c.s.mountTarget != "" {
		return
	}
	if len(c.s.outputs) > 0 {
		c.t.Fail("outputs", "are looked for in the working directory, which is not mounted", mountHint)
	}
	for _, p := range c.s.parameters {
		walkSchema(p.schema, nil, true, func(_ []string, schema map[string]any, _ bool) {
			if schema["format"] == pathFormat {
				c.t.FailAt(c.t.Path("parameters", p.name), "is a path in the working directory, which is not mounted", mountHint)
			}
		})
	}
}

const mountHint = `add volumes = ["${SKILL_WORKDIR}:/workdir"] and working_dir = "/workdir" to the docker table`

func (c *callChecker) unused() {
	for _, p := range c.s.parameters {
		if !c.used[p.name] {
			c.t.FailAt(c.t.Path("parameters", p.name), "is used by nothing", fmt.Sprintf("insert {%s} in args, stdin or outputs, or remove it", p.name))
		}
	}
}

// parameter returns the parameter of a name, nil when there is none.
func (s *Skill) parameter(name string) *parameter {
	i := slices.IndexFunc(s.parameters, func(p *parameter) bool { return p.name == name })
	if i < 0 {
		return nil
	}
	return s.parameters[i]
}
