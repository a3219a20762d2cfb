package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"skillet/skills"
)

// property is what the command line needs to know of a parameter's schema.
type property struct {
	Type        types     `json:"type"`
	Items       *property `json:"items"`
	Description string    `json:"description"`
	Default     any       `json:"default"`
	Enum        []any     `json:"enum"`
}

// types reads the keyword `type`, one name or a list.
type types []string

func (t *types) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*t = types{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(t))
}

func (t types) has(name string) bool { return slices.Contains(t, name) }

// parameterFlags reads --PARAMETER VALUE after the types of the schema. Whether the values are right is for the schema
// to say, when the call is made.
func (c *command) parameterFlags(skill *skills.Skill, args []string) (json.RawMessage, error) {
	var schema struct {
		Properties map[string]*property `json:"properties"`
		Required   []string             `json:"required"`
	}
	if err := json.Unmarshal(skill.InputSchema, &schema); err != nil {
		return nil, err
	}
	flags := pflag.NewFlagSet(skill.Name, pflag.ContinueOnError)
	flags.SortFlags = false
	flags.Usage = func() {
		fmt.Fprintf(c.stdout, "%s\n\nParameters:\n%s", skill.Description, flags.FlagUsages())
	}
	for _, name := range skill.ParameterNames() {
		defineFlag(flags, name, schema.Properties[name], slices.Contains(schema.Required, name))
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return nil, err
		}
		return nil, usage("see skillet run "+skill.Name+" --help", "%w", err)
	}
	if flags.NArg() > 0 {
		return nil, usage("see skillet run "+skill.Name+" --help", "%s takes its arguments as flags, and %q is none", skill.Name, flags.Arg(0))
	}
	given := map[string]any{}
	flags.Visit(func(flag *pflag.Flag) {
		given[flag.Name] = flagValue(flag, schema.Properties[flag.Name])
	})
	return json.Marshal(given)
}

func defineFlag(flags *pflag.FlagSet, name string, p *property, required bool) {
	about := strings.ReplaceAll(p.Description, "`", "'")
	if len(p.Enum) > 0 {
		about += fmt.Sprintf(" (one of %v)", p.Enum)
	}
	if p.Default != nil {
		about += fmt.Sprintf(" (default %v)", p.Default)
	}
	if required {
		about += " (required)"
	}
	switch {
	case p.Type.has("boolean"):
		flags.Bool(name, false, about)
		flags.Lookup(name).DefValue = "false"
	case p.Type.has("array"):
		flags.StringArray(name, nil, about+" (may be repeated)")
	default:
		flags.String(name, "", about)
	}
}

// flagValue turns what stood on the command line into JSON.
func flagValue(flag *pflag.Flag, p *property) any {
	if list, ok := flag.Value.(pflag.SliceValue); ok {
		items := []any{}
		for _, text := range list.GetSlice() {
			items = append(items, textValue(text, p.Items))
		}
		return items
	}
	if p.Type.has("boolean") {
		return flag.Value.String() == "true"
	}
	return textValue(flag.Value.String(), p)
}

// textValue reads a text as JSON where the schema wants something else than a string.
func textValue(text string, p *property) any {
	if p == nil || len(p.Type) == 0 || p.Type.has("string") || !json.Valid([]byte(text)) {
		return text
	}
	return json.RawMessage(text)
}
