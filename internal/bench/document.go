package main

import (
	"fmt"
	"os"
	"strings"
)

// document is a Markdown file with text that people write and sections that this program writes, which stand between
//
//	<!-- bench: NAME -->
//	<!-- /bench -->
//
// Its chart is a file beside it, of the same name.
type document struct {
	file, text string
}

const sectionEnd = "<!-- /bench -->"

func sectionBegin(name string) string { return "<!-- bench: " + name + " -->" }

// openDocument reads a document and checks that it has a place for each section.
func openDocument(file string) (*document, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	d := &document{file: file, text: string(data)}
	for _, name := range sectionNames {
		if _, err := replaceSection(d.text, section{name: name}); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return d, nil
}

// chartFile is where the chart is.
func (d *document) chartFile() string { return strings.TrimSuffix(d.file, ".md") + ".svg" }

// save writes the sections and the chart. The document is read again: somebody may have written in it meanwhile.
func (d *document) save(sections []section, r *results) error {
	fresh, err := openDocument(d.file)
	if err != nil {
		return err
	}
	for _, s := range sections {
		if fresh.text, err = replaceSection(fresh.text, s); err != nil {
			return fmt.Errorf("%s: %w", d.file, err)
		}
	}
	chart, err := r.chart()
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.chartFile(), chart, 0o644); err != nil {
		return err
	}
	return os.WriteFile(d.file, []byte(fresh.text), 0o644)
}

// replaceSection puts a section's text between its marks and leaves all else as it is.
func replaceSection(text string, s section) (string, error) {
	before, rest, found := strings.Cut(text, sectionBegin(s.name)+"\n")
	if !found {
		return "", fmt.Errorf("there is no line %q", sectionBegin(s.name))
	}
	if strings.Contains(rest, sectionBegin(s.name)) {
		return "", fmt.Errorf("the line %q is there twice", sectionBegin(s.name))
	}
	old, after, found := strings.Cut(rest, sectionEnd)
	if !found || strings.Contains(old, "<!-- bench: ") {
		return "", fmt.Errorf("there is no line %q after %q", sectionEnd, sectionBegin(s.name))
	}
	return before + sectionBegin(s.name) + "\n" + s.text + sectionEnd + after, nil
}
