package skills

import (
	"encoding/json"
	"fmt"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"skillet/skills/tomldoc"
)

// checkSchema looks for what JSON Schema does not allow or would ignore, and for what skillet could not check, in a schema
// and everything below it. Of a parameter, paths are checked at a call; of other schemas, none.
//
// A schema without a mistake here compiles, which a fuzz test holds it to, and is compiled only when a call needs it:
// unless compileNow says that it has keywords about which only the compiler knows all.
func checkSchema(t tomldoc.Table, schema map[string]any, isParameter bool) (compileNow bool) {
	definitions, _ := schema["$defs"].(map[string]any)
	walkSchema(schema, nil, isParameter, func(path []string, schema map[string]any, pathsChecked bool) {
		c := schemaChecker{t: t, path: path, schema: schema, own: isParameter && len(path) == 0}
		for key, value := range schema {
			c.keyword(key, value)
			compileNow = compileNow || slices.Contains(referenceKeywords, key)
		}
		c.types()
		c.format(pathsChecked)
		c.references(definitions)
		c.patterns()
	})
	return compileNow
}

// referenceKeywords give names to schemas, which have to be different and have to be there.
var referenceKeywords = []string{"$schema", "$id", "$anchor", "$dynamicAnchor", "$dynamicRef", "$vocabulary"}

type schemaChecker struct {
	t      tomldoc.Table
	path   []string // of the schema below t
	schema map[string]any
	own    bool // it is a parameter itself
}

func (c schemaChecker) fail(text, hint string, key ...string) {
	c.t.FailAt(c.t.Path(slices.Concat(c.path, key)...), text, hint)
}

func (c schemaChecker) keyword(key string, value any) {
	k, known := keywords[key]
	switch {
	case !known && c.own:
		c.fail("is no keyword of JSON Schema", suggestion(key, ownKeywords), key)
	case !known:
		c.fail("is no keyword of JSON Schema", suggestion(key, knownKeywords), key)
	case k.fits(value):
	case key == "required" && is[bool](value):
		c.fail("is true or false only in a parameter itself", `list the names beside the properties: required = ["NAME"]`, key)
	case isNumber(value):
		c.fail(fmt.Sprintf("is %v, expected %s", value, k.want), "", key)
	default:
		hint := ""
		var unquoted any
		if text, ok := value.(string); ok && json.Unmarshal([]byte(text), &unquoted) == nil && (is[float64](unquoted) || is[bool](unquoted)) {
			hint = "write it without quotes"
		}
		c.fail("is "+tomldoc.TypeName(value)+", expected "+k.want, hint, key)
	}
}

func (c schemaChecker) types() {
	for _, name := range typesOf(c.schema) {
		if !slices.Contains(jsonTypes, name) {
			c.fail(strconv.Quote(name)+" is no type of JSON", tomldoc.NearMiss(name, jsonTypes), "type")
		}
	}
}

func (c schemaChecker) format(pathsChecked bool) {
	format, ok := c.schema["format"].(string)
	switch {
	case !ok:
	case !slices.Contains(knownFormats, format):
		c.fail(strconv.Quote(format)+" is a format that skillet does not know and could not check", tomldoc.NearMiss(format, knownFormats), "format")
	case format == pathFormat && !pathsChecked:
		c.fail("is a path where skillet does not look for one",
			`a path is a parameter, one of its items with type = "array", or one of its properties with type = "object"`, "format")
	case format == pathFormat && !slices.Equal(typesOf(c.schema), []string{"string"}):
		c.fail("is a format of strings only", `give it type = "string"`, "format")
	}
}

const definitionsRef = "#/$defs/"

// references refuses a $ref to anything but definitions: a file or a page must not be read, and another parameter could
// be a path, which would not be checked here.
func (c schemaChecker) references(definitions map[string]any) {
	for _, key := range []string{"$ref", "$dynamicRef"} {
		target, ok := c.schema[key].(string)
		name, isDefinition := strings.CutPrefix(target, definitionsRef)
		switch {
		case !ok:
		case !isDefinition:
			c.fail(strconv.Quote(target)+" leads out of the parameter's own definitions", `write "#/$defs/NAME", and what it means below "$defs".NAME`, key)
		case definitions[name] == nil:
			c.fail(strconv.Quote(target)+" is not defined", `add it below "$defs".`+name, key)
		}
	}
}

// patterns checks regular expressions, which are Go's.
func (c schemaChecker) patterns() {
	if pattern, ok := c.schema["pattern"].(string); ok {
		c.pattern(pattern, "pattern")
	}
	properties, _ := c.schema["patternProperties"].(map[string]any)
	for pattern := range properties {
		c.pattern(pattern, "patternProperties", pattern)
	}
}

func (c schemaChecker) pattern(pattern string, key ...string) {
	if _, err := syntax.Parse(pattern, syntax.Perl); err != nil {
		c.fail("is no regular expression that Go knows: "+strings.TrimPrefix(err.Error(), "error parsing regexp: "), "", key...)
	}
}

// walkSchema visits a schema and all schemas below it. pathsChecked tells whether [pathResolver.resolve], which goes
// through items and properties, sees every value of the schema.
func walkSchema(schema map[string]any, path []string, pathsChecked bool, visit func(path []string, schema map[string]any, pathsChecked bool)) {
	visit(path, schema, pathsChecked)
	below := func(value any, checked bool, steps ...string) {
		if sub, ok := value.(map[string]any); ok {
			walkSchema(sub, slices.Concat(path, steps), checked, visit)
		}
	}
	only := func(name string) bool { return pathsChecked && slices.Equal(typesOf(schema), []string{name}) }
	for key, value := range schema {
		switch keywords[key].holds {
		case oneSchema:
			below(value, key == "items" && only("array"), key)
		case listOfSchemas:
			list, _ := value.([]any)
			for i, one := range list {
				below(one, false, key, strconv.Itoa(i))
			}
		case tableOfSchemas:
			entries, _ := value.(map[string]any)
			for name, one := range entries {
				below(one, key == "properties" && only("object"), key, name)
			}
		}
	}
}

// containsPath reports whether a value of the schema can be, or have in it, a path.
func containsPath(schema map[string]any) (found bool) {
	walkSchema(schema, nil, true, func(_ []string, schema map[string]any, _ bool) {
		found = found || schema["format"] == pathFormat
	})
	return found
}
