package skills

import (
	"maps"
	"slices"
)

// keyword is what may stand behind a keyword of JSON Schema.
type keyword struct {
	want  string
	fits  func(value any) bool
	holds holding
}

// holding says where in the value of a keyword other schemas are.
type holding int

const (
	noSchema holding = iota
	oneSchema
	listOfSchemas
	tableOfSchemas
)

var (
	aText    = keyword{want: "a string", fits: is[string]}
	aFlag    = keyword{want: "true or false", fits: is[bool]}
	anArray  = keyword{want: "an array", fits: is[[]any]}
	aTable   = keyword{want: "a table", fits: is[map[string]any]}
	aNumber  = keyword{want: "a number", fits: isNumber}
	aFactor  = keyword{want: "a number above 0", fits: isFactor}
	aCount   = keyword{want: "a whole number from 0", fits: isCount}
	anything = keyword{want: "anything", fits: func(any) bool { return true }}

	names    = keyword{want: "an array of different strings", fits: isNames}
	nameMap  = keyword{want: "a table of arrays of different strings", fits: isTableOf(isNames)}
	typeName = keyword{want: "the name of a type or an array of them", fits: func(value any) bool { return is[string](value) || isNames(value) }}

	aSchema    = keyword{want: "a schema, which is a table or a boolean", fits: isSchema, holds: oneSchema}
	schemaList = keyword{want: "an array of schemas", fits: isArrayOf(isSchema), holds: listOfSchemas}
	schemaMap  = keyword{want: "a table of schemas", fits: isTableOf(isSchema), holds: tableOfSchemas}
)

// keywords are those of JSON Schema 2020-12 (Core, and Validation, sections 6 to 9). One that is none of these is a
// mistake: JSON Schema itself would ignore it, and with it the rule that somebody meant.
var keywords = map[string]keyword{
	"$schema": aText, "$id": aText, "$ref": aText, "$anchor": aText, "$dynamicRef": aText, "$dynamicAnchor": aText,
	"$comment": aText, "$vocabulary": aTable, "$defs": schemaMap,

	"type": typeName, "enum": anArray, "const": anything, "format": aText,
	"maximum": aNumber, "exclusiveMaximum": aNumber, "minimum": aNumber, "exclusiveMinimum": aNumber, "multipleOf": aFactor,
	"maxLength": aCount, "minLength": aCount, "pattern": aText,
	"maxItems": aCount, "minItems": aCount, "uniqueItems": aFlag, "maxContains": aCount, "minContains": aCount,
	"maxProperties": aCount, "minProperties": aCount, "required": names, "dependentRequired": nameMap,

	"title": aText, "description": aText, "default": anything, "examples": anArray,
	"deprecated": aFlag, "readOnly": aFlag, "writeOnly": aFlag,
	"contentEncoding": aText, "contentMediaType": aText, "contentSchema": aSchema,

	"items": aSchema, "contains": aSchema, "additionalProperties": aSchema, "propertyNames": aSchema,
	"unevaluatedItems": aSchema, "unevaluatedProperties": aSchema, "if": aSchema, "then": aSchema, "else": aSchema, "not": aSchema,
	"prefixItems": schemaList, "allOf": schemaList, "anyOf": schemaList, "oneOf": schemaList,
	"properties": schemaMap, "patternProperties": schemaMap, "dependentSchemas": schemaMap,
}

var (
	knownKeywords = slices.Sorted(maps.Keys(keywords))
	ownKeywords   = append([]string{"allow_dash", "creates"}, knownKeywords...) // of a parameter itself, in skills.toml

	// annotations say nothing about which values are allowed.
	annotations = []string{"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment"}

	jsonTypes = []string{"string", "integer", "number", "boolean", "array", "object", "null"}

	// Formats that the schema library asserts, and skillet's own.
	knownFormats = []string{pathFormat,
		"regex", "uuid", "ipv4", "ipv6", "hostname", "email", "date", "time", "date-time", "duration",
		"json-pointer", "relative-json-pointer", "uri", "uri-reference", "iri", "iri-reference", "uri-template", "period", "semver",
	}
)

func is[T any](value any) bool { _, ok := value.(T); return ok }

func isNumber(value any) bool { return is[int64](value) || is[float64](value) }

func isFactor(value any) bool {
	whole, _ := value.(int64)
	fraction, _ := value.(float64)
	return whole > 0 || fraction > 0
}

func isCount(value any) bool {
	count, ok := value.(int64)
	return ok && count >= 0
}

func isSchema(value any) bool { return is[map[string]any](value) || is[bool](value) }

func isNames(value any) bool {
	seen := map[string]bool{}
	return isArrayOf(func(item any) bool {
		name, ok := item.(string)
		fresh := ok && !seen[name]
		seen[name] = true
		return fresh
	})(value)
}

func isArrayOf(fits func(any) bool) func(any) bool {
	return func(value any) bool {
		list, ok := value.([]any)
		return ok && !slices.ContainsFunc(list, func(item any) bool { return !fits(item) })
	}
}

func isTableOf(fits func(any) bool) func(any) bool {
	return func(value any) bool {
		table, ok := value.(map[string]any)
		for _, entry := range table {
			ok = ok && fits(entry)
		}
		return ok
	}
}
