package skills

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"

	"skillet/skills/tomldoc"
)

// maxDocs bounds a file of documentation: it is held in memory, and read by models.
const maxDocs = 1 << 20

// Example is a call that shows what a tool is for. Its arguments are ones that the tool takes.
type Example struct {
	Title     string
	Arguments json.RawMessage
}

// docs reads `docs = "file.md"`: what there is to say about a skill beyond its description, which every list repeats. The
// file lies in the directory of skills.toml or below it: a file that somebody else wrote must not publish others.
func (l *loader) docs(t tomldoc.Table, s *Skill) {
	name, ok := plain(t, "docs", "")
	if !ok {
		return
	}
	text, err := readBelow(l.dir, name)
	if err != nil {
		t.Fail("docs", strconv.Quote(name)+" "+err.Error(), "name a text file of the directory of skills.toml, or below it")
		return
	}
	s.Docs = text
}

func readBelow(directory, name string) (string, error) {
	if !filepath.IsLocal(name) {
		return "", errors.New("is no relative path inside the directory of skills.toml")
	}
	root, err := os.OpenRoot(directory)
	if err != nil {
		return "", errors.New("cannot be read: the directory of skills.toml cannot be opened")
	}
	defer root.Close()
	file, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", errors.New("does not exist")
	case err != nil:
		return "", errors.New("cannot be read inside the directory of skills.toml")
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", errors.New("is no regular file")
	}
	data, err := io.ReadAll(io.LimitReader(file, maxDocs+1))
	switch {
	case err != nil:
		return "", errors.New("cannot be read")
	case len(data) > maxDocs:
		return "", errors.New("has more than 1 MiB")
	case !utf8.Valid(data):
		return "", errors.New("is no UTF-8 text")
	}
	return string(data), nil
}

// examples reads `examples`, and tries each on the schema: an example that fails would teach a model to fail.
func (l *loader) examples(t tomldoc.Table, s *Skill) {
	value, ok := t.Any("examples")
	if !ok {
		return
	}
	list, isList := asList(value)
	if !isList {
		t.Fail("examples", "is "+tomldoc.TypeName(value)+", expected an array", `write [{ title = "…", arguments = { … } }]`)
		return
	}
	for i, value := range list {
		at := func(below ...string) []string { return append(t.Path("examples", strconv.Itoa(i)), below...) }
		table, _ := value.(map[string]any)
		title, _ := table["title"].(string)
		arguments, hasArguments := table["arguments"].(map[string]any)
		if !hasArguments || table["title"] != nil && title == "" || len(table) > 2 || len(table) == 2 && title == "" {
			t.FailAt(at(), "is no example", `write { title = "…", arguments = { … } }; the title may be left out`)
			continue
		}
		converted, err := toJSON(arguments)
		if err != nil {
			t.FailAt(at("arguments"), err.Error(), "")
			continue
		}
		example := Example{Title: title, Arguments: json.RawMessage(mustJSON(converted))}
		for _, mistake := range s.tryOn(example) {
			t.FailAt(at("arguments"), "is not what the tool takes: "+mistake.Error(), "")
		}
		s.Examples = append(s.Examples, example)
	}
}

// tryOn checks an example as [Skill.Bind] would, apart from files, which need not be there.
func (s *Skill) tryOn(example Example) ArgErrors {
	given, wrong := decodeArguments(example.Arguments)
	if wrong == nil && s.schema != nil {
		for _, p := range s.parameters {
			if _, ok := given[p.name]; !ok && p.fallback != nil {
				given[p.name] = p.fallback
			}
		}
		wrong = validate(s.schema, given)
	}
	return wrong
}

// Documentation is all that there is to say about a skill, in Markdown; "" when that is no more than its description.
func (s *Skill) Documentation() string {
	if s.Docs == "" && len(s.Examples) == 0 {
		return ""
	}
	var text strings.Builder
	title := s.Name
	if s.Title != "" {
		title = s.Title + " (" + s.Name + ")"
	}
	text.WriteString("# " + title + "\n\n" + strings.TrimSpace(s.Description) + "\n")
	if s.Docs != "" {
		text.WriteString("\n" + strings.TrimSpace(s.Docs) + "\n")
	}
	if len(s.Examples) > 0 {
		text.WriteString("\n## Examples\n")
	}
	for _, example := range s.Examples {
		if example.Title != "" {
			text.WriteString("\n" + example.Title + ":\n")
		}
		text.WriteString("\n```json\n" + `{"name": ` + mustJSON(s.Name) + `, "arguments": ` + string(example.Arguments) + "}\n```\n")
	}
	return text.String()
}
