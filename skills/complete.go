package skills

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"
)

// What is looked at and offered to complete an argument. MCP allows 100 values (2025-11-25, Completion).
const (
	maxCandidates = 100
	maxListed     = 5000 // names in a directory
)

// Candidates are values that an argument could have which begins in some way.
type Candidates struct {
	Values []string
	More   bool // there are others
}

// Complete returns what a parameter can have that begins with a text: the values that its schema lists, or for a path what is
// below the working directory. Directories end with a slash, and can be completed further. What a call would refuse is left
// out.
func (s *Skill) Complete(parameter, begin string) Candidates {
	p := s.parameter(parameter)
	if p == nil {
		return Candidates{}
	}
	schema := p.schema
	if items, ok := schema["items"].(map[string]any); ok && p.is("array") {
		schema = items
	}
	if schema["format"] == pathFormat {
		if p.definitions != nil {
			schema = maps.Clone(schema)
			schema["$defs"] = p.definitions
		}
		return s.completePath(schema, begin)
	}
	var all []string
	switch values, isList := schema["enum"].([]any); {
	case isList:
		for _, value := range values {
			all = append(all, textOf(exact(value)))
		}
	case schema["const"] != nil:
		all = []string{textOf(exact(schema["const"]))}
	case slices.Equal(typesOf(schema), []string{"boolean"}):
		all = []string{"true", "false"}
	}
	all = slices.DeleteFunc(all, func(value string) bool { return !strings.HasPrefix(value, begin) })
	return limited(all)
}

func limited(all []string) Candidates {
	return Candidates{Values: all[:min(len(all), maxCandidates)], More: len(all) > maxCandidates}
}

// completePath lists one directory.
func (s *Skill) completePath(schema map[string]any, begin string) Candidates {
	directory, name := path.Split(begin)
	if directory != "" && outside(directory) != "" {
		return Candidates{}
	}
	root, err := os.OpenRoot(s.prototype.Workdir)
	if err != nil {
		return Candidates{}
	}
	defer root.Close()
	entries, whole := listed(root, path.Clean("./"+directory))
	fits := compileSoon(func() json.RawMessage { return json.RawMessage(mustJSON(schema)) })
	var all []string
	for _, entry := range entries {
		hidden := strings.HasPrefix(entry.Name(), ".") && !strings.HasPrefix(name, ".")
		if hidden || !strings.HasPrefix(entry.Name(), name) || !utf8.ValidString(entry.Name()) { // which no argument could have
			continue
		}
		full := directory + entry.Name()
		info, err := root.Stat(full) // what a symlink leads to, where that is inside
		switch {
		case err != nil:
		case info.IsDir():
			all = append(all, full+"/")
		case info.Mode().IsRegular() && validate(fits, full) == nil:
			all = append(all, full)
		}
	}
	slices.Sort(all)
	candidates := limited(all)
	candidates.More = candidates.More || !whole
	return candidates
}

// listed reads a directory, as far as there is room, and reports whether that was all.
func listed(root *os.Root, directory string) (entries []fs.DirEntry, whole bool) {
	opened, err := root.OpenFile(directory, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, true
	}
	defer opened.Close()
	entries, err = opened.ReadDir(maxListed)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, true
	}
	return entries, len(entries) < maxListed
}
