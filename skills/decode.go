package skills

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// What a value may have before checking it becomes a way to keep the server busy.
const (
	maxDigits = 400 // of a number, written out: arithmetic is exact
	maxLevels = 100 // of arrays and objects in each other: schemas can be recursive
)

// decodeArguments reads the JSON object of a call with its numbers exact. No arguments at all are an empty object; of a
// key that comes twice, the last one counts.
func decodeArguments(arguments json.RawMessage) (map[string]any, ArgErrors) {
	if trimmed := bytes.TrimSpace(arguments); len(trimmed) == 0 || string(trimmed) == "null" {
		return map[string]any{}, nil
	}
	if !utf8.Valid(arguments) { // encoding/json would put other characters into the program's arguments
		return nil, ArgErrors{{Reason: "the arguments are no valid UTF-8"}}
	}
	decoder := json.NewDecoder(bytes.NewReader(arguments))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, ArgErrors{{Reason: "the arguments are no valid JSON"}}
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, ArgErrors{{Reason: "the arguments are more than one JSON value"}}
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, ArgErrors{{Reason: "the arguments have to be a JSON object, with a property for each parameter"}}
	}
	return object, excesses(object, nil)
}

// excesses finds what exceeds maxDigits or maxLevels.
func excesses(value any, path []string) (all ArgErrors) {
	if len(path) > maxLevels {
		return ArgErrors{{Param: location(path[:1]), Reason: fmt.Sprintf("has arrays and objects more than %d deep in each other", maxLevels)}}
	}
	switch value := value.(type) {
	case json.Number:
		if digits(value) > maxDigits {
			return ArgErrors{{Param: location(path), Reason: fmt.Sprintf("is a number of more than %d digits", maxDigits)}}
		}
	case []any:
		for i, item := range value {
			all = append(all, excesses(item, append(path, strconv.Itoa(i)))...)
		}
	case map[string]any:
		for name, item := range value {
			all = append(all, excesses(item, append(path, name))...)
		}
	}
	return all
}

// digits returns about how many digits a number has without an exponent.
func digits(number json.Number) int {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(number.String()), "e")
	if exponent == "" {
		return len(mantissa)
	}
	size, err := strconv.Atoi(exponent)
	if err != nil { // more than an int
		return maxDigits + 1
	}
	return len(mantissa) + max(size, -size)
}
