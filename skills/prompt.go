package skills

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"skillet/skills/tomldoc"
)

// Prompt is a text that a user can have put into a conversation, with arguments filled in.
type Prompt struct {
	Name        string // as a tool's
	Title       string
	Description string
	Arguments   []PromptArgument // in the order of the file

	text []piece
}

// PromptArgument is one argument of a prompt, a text.
type PromptArgument struct {
	Name, Description string
	Required          bool

	// What the argument is completed from: a parameter of a tool. "" for nothing.
	Tool, Parameter string
}

// prompts reads [prompts.NAME], after the skills.
func (l *loader) prompts(root tomldoc.Table) {
	for _, t := range root.Tables("prompts") {
		p := &Prompt{Name: t.Name()}
		if !toolName.MatchString(p.Name) {
			t.Fail("", fmt.Sprintf("gives the prompt name %q", p.Name), "a name has 1 to 128 of the characters A-Z a-z 0-9 _ . -")
		}
		p.Title, _ = t.String("title")
		p.Description, _ = t.String("description")
		for _, argument := range t.Tables("arguments") {
			p.Arguments = append(p.Arguments, l.promptArgument(argument))
		}
		l.promptText(t, p)
		t.Done()
		l.set.Prompts = append(l.set.Prompts, p)
	}
}

func (l *loader) promptArgument(t tomldoc.Table) PromptArgument {
	a := PromptArgument{Name: t.Name()}
	if !parameterName.MatchString(a.Name) {
		t.Fail("", "is no name for an argument", "a name has 1 to 64 of the characters A-Z a-z 0-9 _ . -")
	}
	a.Description, _ = t.String("description")
	a.Required, _ = t.Bool("required")
	a.Tool, _ = t.String("tool")
	if parameter, ok := t.String("parameter"); ok {
		a.Parameter = parameter
	} else if a.Tool != "" {
		a.Parameter = a.Name
	}
	l.completedFrom(t, a)
	t.Done()
	return a
}

// completedFrom checks that what an argument is completed from is there.
func (l *loader) completedFrom(t tomldoc.Table, a PromptArgument) {
	switch skill := l.set.Find(a.Tool); {
	case a.Tool == "" && a.Parameter != "":
		t.Fail("parameter", "has no tool beside it", `write tool = "NAME"`)
	case a.Tool == "":
	case skill == nil:
		var names []string
		for _, known := range l.set.Skills {
			names = append(names, known.Name)
		}
		t.Fail("tool", fmt.Sprintf("%q is no tool", a.Tool), tomldoc.NearMiss(a.Tool, names))
	case skill.parameter(a.Parameter) == nil:
		key := "parameter"
		if !t.Has(key) {
			key = "tool"
		}
		t.Fail(key, fmt.Sprintf("%s has no parameter %q", a.Tool, a.Parameter), tomldoc.NearMiss(a.Parameter, skill.ParameterNames()))
	}
}

// promptText reads the text, whose placeholders are the arguments.
func (l *loader) promptText(t tomldoc.Table, p *Prompt) {
	text, ok := t.String("text")
	if !ok {
		if !t.Has("text") {
			t.Fail("", "has no text", `write text = "…", with {NAME} where an argument belongs`)
		}
		return
	}
	reader := templateReader{fail: func(at []string, text, hint string) { t.FailAt(t.Path(at...), text, hint) }}
	if p.text = reader.pieces([]string{"text"}, text); p.text == nil {
		return
	}
	var names []string
	for _, argument := range p.Arguments {
		names = append(names, argument.Name)
	}
	used := placeholders(p.text)
	for _, name := range used {
		if !slices.Contains(names, name) {
			hint := tomldoc.NearMiss(name, names)
			if len(names) == 0 {
				hint = "add " + t.Header("arguments", name) + ", or write {{ for a brace"
			}
			t.Fail("text", "{"+name+"} is no argument", hint)
		}
	}
	for _, name := range names {
		if !slices.Contains(used, name) {
			t.FailAt(t.Path("arguments", name), "is used by nothing", "insert {"+name+"} in text, or remove it")
		}
	}
}

// Render fills in the arguments. One that is optional and was not given leaves nothing in its place. The error says what is
// wrong with the arguments.
func (p *Prompt) Render(given map[string]string) (string, error) {
	var wrong []string
	for name := range given {
		if !slices.ContainsFunc(p.Arguments, func(a PromptArgument) bool { return a.Name == name }) {
			wrong = append(wrong, strconv.Quote(name)+" is no argument of the prompt")
		}
	}
	for _, a := range p.Arguments {
		if _, ok := given[a.Name]; a.Required && !ok {
			wrong = append(wrong, a.Name+" is required")
		}
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return "", fmt.Errorf("%s: %s", p.Name, strings.Join(wrong, "; "))
	}
	var text strings.Builder
	for _, piece := range p.text {
		text.WriteString(piece.literal)
		if piece.param != "" {
			text.WriteString(given[piece.param])
		}
	}
	return text.String(), nil
}
