package skills

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Lookup finds a variable, as os.LookupEnv does.
type Lookup func(name string) (value string, ok bool)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*`)

// expand replaces variables as a POSIX shell does (2.6.2 Parameter Expansion), in the forms that skills.toml has:
//
//	${NAME}           the value; unset is an error
//	${NAME:-default}  the default when unset or empty; the default may hold variables itself
//	${NAME:?message}  an error with the message when unset or empty
//	$$                a dollar sign
//
// Any other $ stands for itself. A default or message that is not needed has to be well formed but is not evaluated.
func expand(text string, lookup Lookup) (string, error) {
	e := expander{rest: text, lookup: lookup}
	return e.word(false, true)
}

// maxNesting is how deep a default may lie in defaults: far more than anybody writes, far less than the stack has room for.
const maxNesting = 32

// expander walks over the text once; rest is what is still to read.
type expander struct {
	rest   string
	lookup Lookup
	depth  int
}

// word reads up to the end of the text, or up to the closing brace when nested. Without live, it only reads.
func (e *expander) word(nested, live bool) (string, error) {
	var out strings.Builder
	for e.rest != "" {
		switch {
		case strings.HasPrefix(e.rest, "$$"):
			out.WriteByte('$')
			e.rest = e.rest[2:]
		case strings.HasPrefix(e.rest, "${"):
			value, err := e.variable(live)
			if err != nil {
				return "", err
			}
			out.WriteString(value)
		case nested && e.rest[0] == '}':
			return out.String(), nil
		default:
			out.WriteByte(e.rest[0])
			e.rest = e.rest[1:]
		}
	}
	return out.String(), nil // the variable around it misses its brace
}

// variable reads one ${…}.
func (e *expander) variable(live bool) (string, error) {
	if e.depth++; e.depth > maxNesting {
		return "", fmt.Errorf("${ lies more than %d deep in each other", maxNesting)
	}
	defer func() { e.depth-- }()
	e.rest = e.rest[len("${"):]
	name := variableName.FindString(e.rest)
	if name == "" {
		return "", errors.New("${ needs the name of a variable after it; write $$ for a dollar sign")
	}
	e.rest = e.rest[len(name):]
	value, set := "", false
	if live {
		value, set = e.lookup(name)
	}
	operator, word := "", ""
	if strings.HasPrefix(e.rest, ":-") || strings.HasPrefix(e.rest, ":?") {
		operator = e.rest[:2]
		e.rest = e.rest[2:]
		var err error
		if word, err = e.word(true, live && value == ""); err != nil {
			return "", err
		}
	}
	if !strings.HasPrefix(e.rest, "}") {
		if e.rest == "" {
			return "", fmt.Errorf("${%s without its closing }", name)
		}
		return "", fmt.Errorf("${%s%c…: only ${NAME}, ${NAME:-default} and ${NAME:?message} are known", name, []rune(e.rest)[0])
	}
	e.rest = e.rest[1:]
	switch {
	case !live || value != "" || (set && operator == ""):
		return value, nil
	case operator == ":-":
		return word, nil
	case operator == ":?":
		if word == "" {
			word = "is not set, or empty"
		}
		return "", fmt.Errorf("${%s}: %s", name, word)
	}
	return "", fmt.Errorf("${%s}: the variable is not set; set it, or write ${%s:-default}", name, name)
}
