package skills_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheInputSchemaIsWhatTheFileSays(t *testing.T) {
	skill := one(t, `
[skills.x]
docker.image = "a"
stdin = "{z}{a}{tree}"
[skills.x.parameters.z]
type = "number"
minimum = 0.5
maximum = 9223372036854775807
default = 1.0
required = true
allow_dash = true
[skills.x.parameters.a]
enum = ["<b>", 1, true]
[skills.x.parameters.tree]
"$ref" = "#/$defs/node"
"$defs".node = { type = "object", properties.below = { type = "array", items."$ref" = "#/$defs/node" }, additionalProperties = false }
`)
	want := `{"type":"object","properties":{` +
		`"z":{"default":1,"maximum":9223372036854775807,"minimum":0.5,"type":"number"},` +
		`"a":{"enum":["<b>",1,true]},` +
		`"tree":{"$ref":"#/$defs/node"}},` +
		`"required":["z"],` +
		`"$defs":{"node":{"additionalProperties":false,"properties":{"below":{"items":{"$ref":"#/$defs/node"},"type":"array"}},"type":"object"}},` +
		`"additionalProperties":false}`
	if diff := cmp.Diff(want, string(skill.InputSchema)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("- tree.below[0].belwo: is no parameter", refusal(t, skill, `{"tree": {"below": [{"belwo": []}]}}`)); diff != "" {
		t.Error(diff)
	}
	bind(t, skill, `{"tree": {"below": [{"below": [{}]}]}}`)
}

func TestTheInputSchemaOfARawSkillHasArgumentsAndStandardInput(t *testing.T) {
	want := `{"type":"object","properties":{` +
		`"args":{"description":"Arguments of the program, one element each; no shell interprets them.","items":{"type":"string"},"type":"array"},` +
		`"stdin":{"description":"Text for the program's standard input.","type":"string"}},"additionalProperties":false}`
	if diff := cmp.Diff(want, string(one(t, `skills.x.docker.image = "a"`).InputSchema)); diff != "" {
		t.Error(diff)
	}
}

// Every keyword of JSON Schema 2020-12 is understood, and what JSON Schema would not allow or silently ignore is not.
func TestASchemaWithAMistakeIsRefused(t *testing.T) {
	for schema, want := range map[string]string{
		`typ = "string"`:                       `.typ: is no keyword of JSON Schema (did you mean "type"?)`,
		`id = "x"`:                             `.id: is no keyword of JSON Schema (did you mean "$id"?)`,
		`allow_dahs = true`:                    `.allow_dahs: is no keyword of JSON Schema (did you mean "allow_dash"?)`,
		`items.allow_dash = true`:              `.items.allow_dash: is no keyword of JSON Schema`,
		`nullable = true`:                      `.nullable: is no keyword of JSON Schema`,
		`type = "int"`:                         `.type: "int" is no type of JSON (did you mean "integer"?)`,
		`type = ["string", "text"]`:            `.type: "text" is no type of JSON (known here: string, integer, number, boolean, array, object, null)`,
		`type = ["string", "string"]`:          `.type: is an array, expected the name of a type or an array of them`,
		`type = 3`:                             `.type: is 3, expected the name of a type or an array of them`,
		`required = "true"`:                    `.required: is a string, expected true or false (write it without quotes)`,
		`required = [1]`:                       `.required: is an array, expected an array of different strings`,
		`minLength = "5"`:                      `.minLength: is a string, expected a whole number from 0 (write it without quotes)`,
		`minLength = 1.5`:                      `.minLength: is 1.5, expected a whole number from 0`,
		`maximum = nan`:                        `.maximum: NaN has no form in JSON`,
		`multipleOf = -0.5`:                    `.multipleOf: is -0.5, expected a number above 0`,
		`uniqueItems = "yes"`:                  `.uniqueItems: is a string, expected true or false`,
		`enum = "a"`:                           `.enum: is a string, expected an array`,
		`items = [true]`:                       `.items: is an array, expected a schema, which is a table or a boolean`,
		`items = "string"`:                     `.items: is a string, expected a schema, which is a table or a boolean`,
		`anyOf = { a = true }`:                 `.anyOf: is a table, expected an array of schemas`,
		`properties.a = "string"`:              `.properties: is a table, expected a table of schemas`,
		`pattern = "(?=a)"`:                    ".pattern: is no regular expression that Go knows: invalid or unsupported Perl syntax: `(?=`",
		`patternProperties."(" = true`:         ".patternProperties.\"(\": is no regular expression that Go knows: missing closing ): `(`",
		`"$ref" = "https://example.com"`:       `."$ref": "https://example.com" leads out of the parameter's own definitions (write "#/$defs/NAME", and what it means below "$defs".NAME)`,
		`"$ref" = "file:///etc/passwd"`:        `."$ref": "file:///etc/passwd" leads out of the parameter's own definitions (write "#/$defs/NAME", and what it means below "$defs".NAME)`,
		`"$ref" = "other.json"`:                `."$ref": "other.json" leads out of the parameter's own definitions (write "#/$defs/NAME", and what it means below "$defs".NAME)`,
		`"$ref" = "#/$defs/a"`:                 `."$ref": "#/$defs/a" is not defined (add it below "$defs".a)`,
		`"$id" = "%"`:                          `s: is no valid JSON Schema: error in parsing id at "#/properties/p"`,
		`"$anchor" = "a", not."$anchor" = "a"`: `s: is no valid JSON Schema: duplicate anchor "a" in "" at "/properties/p" and "/properties/p/not"`,
	} {
		text := tool("stdin = '{p}'\nparameters.p = { " + schema + " }")
		got := mistakes(t, text)
		want = "f:4: skills.x.parameters.p" + want
		if strings.HasPrefix(want, "f:4: skills.x.parameters.ps:") {
			want = strings.Replace(want, ".ps:", ":", 1)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", schema, diff)
		}
	}
}

func TestEveryKeywordOfJSONSchemaIsUnderstood(t *testing.T) {
	skill := withSchema(t, `
"$comment" = "c"
"$anchor" = "a"
"$id" = "id"
"$schema" = "https://json-schema.org/draft/2020-12/schema"
"$dynamicAnchor" = "d"
type = ["string", "number", "array", "object", "boolean", "null"]
title = "t"
description = "d"
examples = [1]
deprecated = true
readOnly = false
writeOnly = false
enum = ["ab", 2, [1], { a = 1 }]
const = "ab"
multipleOf = 2
maximum = 2
exclusiveMaximum = 3
minimum = 2
exclusiveMinimum = 1
maxLength = 2
minLength = 2
pattern = "^a"
format = "hostname"
maxItems = 1
minItems = 1
uniqueItems = true
maxContains = 1
minContains = 1
contains = true
prefixItems = [true]
items = { type = "number" }
unevaluatedItems = false
maxProperties = 1
minProperties = 1
dependentRequired = { a = ["a"] }
dependentSchemas = { a = true }
properties = { a = true }
patternProperties = { "^a" = true }
additionalProperties = false
propertyNames = { maxLength = 1 }
unevaluatedProperties = false
allOf = [true]
anyOf = [true]
oneOf = [true]
not = { const = "b" }
if = true
then = true
else = false
contentEncoding = "base64"
contentMediaType = "text/plain"
contentSchema = true
`)
	bind(t, skill, `{"p": "ab"}`)
	refusal(t, skill, `{"p": 2}`)
}

func TestDefinitionsOfTwoParametersMayHaveOneNameIfTheySayTheSame(t *testing.T) {
	const same = `"$ref" = "#/$defs/d", "$defs".d = { type = "string" }`
	text := "stdin = '{a}{b}'\nparameters.a = { " + same + " }\nparameters.b = { "
	parse(t, tool(text+same+" }"))
	got := mistakes(t, tool(text+strings.Replace(same, "string", "number", 1)+" }"))
	if want := `f:5: skills.x.parameters.b."$defs".d: is defined otherwise by the parameter a (give one of the two another name)`; got != want {
		t.Error(got)
	}
}

func TestStandardOutputBecomesStructuredContent(t *testing.T) {
	for _, c := range []struct{ schema, stdout, want string }{
		{``, `{"a": 12345678901234567890}` + "\n", `{"a": 12345678901234567890}`},
		{``, ` [1] `, `{"result":[1]}`},
		{``, `null`, `{"result":null}`},
		{`output_schema.type = "object"`, `{"result": 1}`, `{"result": 1}`},
		{`output_schema.properties.a.type = "string"`, `{"a": "x"}`, `{"a": "x"}`},
		{`output_schema.type = "array"`, `[1]`, `{"result":[1]}`},
		{`output_schema.anyOf = [{ type = "object" }]`, `{"a": 1}`, `{"result":{"a": 1}}`},
		{`output_schema = { "$ref" = "#/$defs/a", "$defs".a.type = "array" }`, `[]`, `{"result":[]}`},

		{``, ``, `x promises JSON on its standard output, and wrote something else: EOF`},
		{``, `{} {}`, `x promises JSON on its standard output, and wrote something else: invalid character after top-level value`},
		{`output_schema.type = "object"`, `[]`, `x wrote JSON that its output_schema does not allow: got array, expected object`},
		{`output_schema.type = "array"`, `{}`, `x wrote JSON that its output_schema does not allow: result: got object, expected array`},
		{`output_schema = { type = "object", required = ["a"] }`, `{}`, `x wrote JSON that its output_schema does not allow: a: is required`},
		{`output_schema = { "$ref" = "#/$defs/a", "$defs".a.type = "array" }`, `3`, `x wrote JSON that its output_schema does not allow: result: got number, expected array`},
		{`output_schema.type = "number"`, `1e999999999`, `x wrote JSON that its output_schema does not allow: result: is a number of more than 400 digits`},
	} {
		skill := one(t, tool("output = 'json'\n"+c.schema))
		got, err := skill.StructuredOutput([]byte(c.stdout))
		if err != nil {
			got = json.RawMessage(err.Error())
		}
		if diff := cmp.Diff(c.want, string(got)); diff != "" {
			t.Errorf("%s of %s: %s", c.schema, c.stdout, diff)
		}
		if !strings.Contains(string(skill.OutputSchema), `"type":"object"`) {
			t.Errorf("%s: clients want an object, and are told %s", c.schema, skill.OutputSchema)
		}
	}
}
