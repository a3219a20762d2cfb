package skills

import (
	"slices"

	"skillet/skills/tomldoc"
)

// The keywords of JSON Schema 2020-12 (Core, and Validation, sections 6 to 9), by what stands behind them. A keyword
// that is none of these is a mistake: JSON Schema itself would ignore it, and with it the rule that somebody meant.
var (
	schemaKeywords     = []string{"items", "contains", "additionalProperties", "propertyNames", "if", "then", "else", "not", "unevaluatedItems", "unevaluatedProperties", "contentSchema"}
	schemaListKeywords = []string{"prefixItems", "allOf", "anyOf", "oneOf"}
	schemaMapKeywords  = []string{"properties", "patternProperties", "dependentSchemas", "$defs"}
	valueKeywords      = []string{
		"$schema", "$id", "$ref", "$anchor", "$dynamicRef", "$dynamicAnchor", "$vocabulary", "$comment",
		"type", "enum", "const", "multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum",
		"maxLength", "minLength", "pattern", "maxItems", "minItems", "uniqueItems", "maxContains", "minContains",
		"maxProperties", "minProperties", "required", "dependentRequired", "format",
		"title", "description", "default", "deprecated", "readOnly", "writeOnly", "examples",
		"contentEncoding", "contentMediaType",
	}
	knownKeywords = slices.Concat(valueKeywords, schemaKeywords, schemaListKeywords, schemaMapKeywords)

	// Formats that the schema library asserts, and skillet's own.
	knownFormats = []string{pathFormat,
		"regex", "uuid", "ipv4", "ipv6", "hostname", "email", "date", "time", "date-time", "duration",
		"json-pointer", "relative-json-pointer", "uri", "uri-reference", "iri", "iri-reference", "uri-template", "period", "semver",
	}
)

// checkKeywords looks for unknown keywords and formats in a schema and everything below it.
func checkKeywords(t tomldoc.Table, schema map[string]any) {
	walkSchema(schema, nil, true, func(path []string, schema map[string]any, reachable bool) {
		at := func(key string) []string { return t.Path(append(slices.Clone(path), key)...) }
		for key := range schema {
			if !slices.Contains(knownKeywords, key) {
				known := knownKeywords
				if len(path) == 0 {
					known = append([]string{"required", "allow_dash", "creates"}, knownKeywords...)
				}
				t.FailAt(at(key), "is no keyword of JSON Schema", nearestOnly(key, known))
			}
		}
		format, ok := schema["format"].(string)
		switch {
		case ok && !slices.Contains(knownFormats, format):
			t.FailAt(at("format"), "is a format that skillet does not know and could not check", tomldoc.NearMiss(format, knownFormats))
		case ok && format == pathFormat && !reachable:
			t.FailAt(at("format"), "a path is checked only as a parameter, as the items of an array or as a property of an object",
				"move it to one of these places")
		}
	})
}

// nearestOnly is a near miss without the long list of everything that is known.
func nearestOnly(name string, known []string) string {
	if hint := tomldoc.NearMiss(name, known); len(hint) < 60 {
		return hint
	}
	return "see docs/skills-toml.md for the keywords"
}

// walkSchema visits a schema and all schemas below it. reachable tells whether a value of the schema can be found by
// going through items and properties alone.
func walkSchema(schema map[string]any, path []string, reachable bool, visit func(path []string, schema map[string]any, reachable bool)) {
	visit(path, schema, reachable)
	below := func(value any, reachable bool, path ...string) {
		if sub, ok := value.(map[string]any); ok {
			walkSchema(sub, path, reachable, visit)
		}
	}
	for key, value := range schema {
		here := append(slices.Clone(path), key)
		switch {
		case slices.Contains(schemaKeywords, key):
			below(value, reachable && key == "items", here...)
		case slices.Contains(schemaListKeywords, key):
			list, _ := value.([]any)
			for _, one := range list {
				below(one, false, here...)
			}
		case slices.Contains(schemaMapKeywords, key):
			entries, _ := value.(map[string]any)
			for name, one := range entries {
				below(one, reachable && key == "properties", append(slices.Clone(here), name)...)
			}
		}
	}
}
