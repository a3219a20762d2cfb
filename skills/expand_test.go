package skills

import (
	"strings"
	"testing"
)

func lookupIn(variables map[string]string) Lookup {
	return func(name string) (string, bool) {
		value, ok := variables[name]
		return value, ok
	}
}

var someVariables = lookupIn(map[string]string{"A": "a", "EMPTY": "", "SPACED": "x y", "TEXT": "${A} $$ }"})

func TestVariablesAreExpandedAsInAShell(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "",
		"plain":                       "plain",
		"${A}":                        "a",
		"x${A}y${A}z":                 "xayaz",
		"${EMPTY}":                    "",
		"${EMPTY:-b}":                 "b",
		"${UNSET:-b}":                 "b",
		"${UNSET:-}":                  "",
		"${A:-b}":                     "a",
		"${UNSET:-${A}}":              "a",
		"${UNSET:-${EMPTY:-${A}b}c}d": "abcd",
		"${A:-${UNSET}}":              "a", // a default that is not needed is not looked up
		"${A:?no ${UNSET}}":           "a",
		"${A:?}":                      "a",
		"$${A}":                       "${A}",
		"$$$${A}":                     "$${A}",
		"$$${A}":                      "$a",
		"${UNSET:-$${A}":              "${A",
		"$A $1 $ {A} $":               "$A $1 $ {A} $",
		"}":                           "}",
		"${TEXT}":                     "${A} $$ }", // a value is not expanded again
		"${UNSET:-${TEXT}}":           "${A} $$ }",
		"${SPACED}":                   "x y",
		"${UNSET:-:-:?}":              ":-:?",
		"${UNSET:-é}é":                "éé",
		"${_x9:-b}":                   "b",
		strings.Repeat("${UNSET:-", 32) + "deep" + strings.Repeat("}", 32): "deep",
	} {
		if got, err := expand(text, someVariables); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestAMistakeInAVariableSaysWhatToWrite(t *testing.T) {
	for text, want := range map[string]string{
		"${UNSET}":                      "${UNSET}: the variable is not set; set it, or write ${UNSET:-default}",
		"${UNSET:?name a host}":         "${UNSET}: name a host",
		"${EMPTY:?name ${A} host}":      "${EMPTY}: name a host",
		"${EMPTY:?}":                    "${EMPTY}: is not set, or empty",
		"${A":                           "${A without its closing }",
		"${A:-b":                        "${A without its closing }",
		"${UNSET:-${A":                  "${A without its closing }",
		"${UNSET:-${A}":                 "${UNSET without its closing }",
		"${A:-${UNSET":                  "${UNSET without its closing }",
		"${":                            "${ needs the name of a variable after it; write $$ for a dollar sign",
		"${}":                           "${ needs the name of a variable after it; write $$ for a dollar sign",
		"${1}":                          "${ needs the name of a variable after it; write $$ for a dollar sign",
		"${A-b}":                        "${A-…: only ${NAME}, ${NAME:-default} and ${NAME:?message} are known",
		"${A:=b}":                       "${A:…: only ${NAME}, ${NAME:-default} and ${NAME:?message} are known",
		"${Aé}":                         "${Aé…: only ${NAME}, ${NAME:-default} and ${NAME:?message} are known",
		"${A }":                         "${A …: only ${NAME}, ${NAME:-default} and ${NAME:?message} are known",
		strings.Repeat("${A:-", 100000): "${ lies more than 32 deep in each other",
	} {
		if got, err := expand(text, someVariables); err == nil || err.Error() != want {
			t.Errorf("%.40s: got %q, %v\nwant %s", text, got, err, want)
		}
	}
}

// A value of a variable never is looked at for further variables, and a text without a dollar sign is not changed.
func FuzzExpansionKeepsValuesAsTheyAre(f *testing.F) {
	f.Add("${A:-${B}}$$", "x${A}")
	f.Add("${B", "}")
	f.Add("${B:-${A:?${B}}}", "")
	f.Fuzz(func(t *testing.T, text, value string) {
		lookup := lookupIn(map[string]string{"A": value})
		got, err := expand(text, lookup)
		if err == nil && !strings.Contains(text, "$") && got != text {
			t.Errorf("%q became %q", text, got)
		}
		escaped := strings.ReplaceAll(text, "$", "$$")
		if got, err := expand(escaped+"${A}"+escaped, lookup); err != nil || got != text+value+text {
			t.Errorf("%q with %q in the middle: got %q, %v", escaped, value, got, err)
		}
	})
}
