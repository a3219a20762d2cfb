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

// maxDigits is how many digits a number may have, written out: beyond it, exact arithmetic is a way to keep the server
// busy.
const maxDigits = 400

// decodeArguments reads the JSON object of a call with its numbers exact. No arguments at all are an empty object; of a
// key that comes twice, the last one counts.
func decodeArguments(arguments json.RawMessage) (map[string]any, *ArgError) {
	if trimmed := bytes.TrimSpace(arguments); len(trimmed) == 0 || string(trimmed) == "null" {
		return map[string]any{}, nil
	}
	if !utf8.Valid(arguments) { // encoding/json would put other characters into the program's arguments
		return nil, &ArgError{Reason: "the arguments are no valid UTF-8"}
	}
	decoder := json.NewDecoder(bytes.NewReader(arguments))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, &ArgError{Reason: "the arguments are no valid JSON"}
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, &ArgError{Reason: "the arguments are more than one JSON value"}
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, &ArgError{Reason: "the arguments have to be a JSON object, with a property for each parameter"}
	}
	if path, found := hugeNumber(object); found {
		return nil, &ArgError{Param: location(path), Reason: fmt.Sprintf("is a number of more than %d digits", maxDigits)}
	}
	return object, nil
}

// hugeNumber finds a number that takes more than maxDigits digits to write out.
func hugeNumber(value any) (path []string, found bool) {
	switch value := value.(type) {
	case json.Number:
		return nil, digits(value) > maxDigits
	case []any:
		for i, item := range value {
			if path, found := hugeNumber(item); found {
				return append([]string{strconv.Itoa(i)}, path...), true
			}
		}
	case map[string]any:
		for name, item := range value {
			if path, found := hugeNumber(item); found {
				return append([]string{name}, path...), true
			}
		}
	}
	return nil, false
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
