package skills

import (
	"encoding/json"
	"slices"
	"time"

	"skillet/skills/tomldoc"
)

// ParseError is one mistake in skills.toml.
type ParseError = tomldoc.Error

// ParseErrors are all mistakes of one file, in the order of its lines.
type ParseErrors = tomldoc.Errors

// Set is a whole skills.toml.
type Set struct {
	File    string
	Skills  []*Skill  // in the order of the file
	Prompts []*Prompt // likewise
	Listing Listing
}

// Skill is one tool: what a model is told about it, and how a call of it becomes an [Invocation].
type Skill struct {
	Name        string // [A-Za-z0-9_.-]{1,128}, unique in its set
	Title       string
	Description string
	Annotations Annotations
	Line        int // of the skill in its file

	InputSchema  json.RawMessage // JSON Schema 2020-12 of the arguments, an object
	Output       Output
	OutputSchema json.RawMessage // of the structured content when Output is OutputJSON, else nil
	Success      []int           // exit codes that are no failure
	Progress     *Progress       // how a call's output says how far it has come; nil when it does not
	Session      bool            // calls can share a container, see [Invocation]
	Docs         string          // what the file named by `docs` says
	Examples     []Example

	Background bool          // no call is waited for: each goes on as a job
	Wait       time.Duration // calls that last longer go on as jobs; 0: all are waited for, unless Background

	raw          bool
	parameters   []*parameter
	schema       lazySchema // of the arguments, with the formats that skillet checks itself
	outputSchema lazySchema // of the parsed standard output; nil accepts all
	wrapped      bool       // what output_schema describes stands under "result"
	argv         template
	stdin        []piece   // nil: the program gets no standard input
	outputs      [][]piece // paths of files that a call makes
	mountTarget  string    // where the working directory is in the container, "" when it is not mounted
	prototype    Invocation

	mountReadOnly bool
}

// Annotations are MCP's hints about a tool (schema 2025-11-25, ToolAnnotations); nil means that nothing was said.
type Annotations struct {
	ReadOnly, Destructive, Idempotent, OpenWorld *bool
}

// Output says what a call's result is made of.
type Output string

// The forms of `output`.
const (
	OutputText  Output = "text"  // standard output and standard error as text
	OutputJSON  Output = "json"  // standard output is JSON and becomes the structured content
	OutputFiles Output = "files" // the files named by `outputs`, or else those that are found to be new or changed
	OutputAuto  Output = "auto"  // all of this, as far as it is there
)

// Prototype returns an invocation without a caller's arguments: the image, mounts, limits and flags that every call of
// the skill has.
func (s *Skill) Prototype() Invocation { return s.prototype.clone() }

// Succeeded reports whether an exit code is no failure.
func (s *Skill) Succeeded(exitCode int) bool { return slices.Contains(s.Success, exitCode) }

// FindsFiles reports whether a call returns what it has made or changed in the working directory without having named it.
func (s *Skill) FindsFiles() bool {
	return s.Output == OutputAuto || s.Output == OutputFiles && len(s.outputs) == 0
}

// Raw reports whether the skill takes `args` and `stdin` as they are, for want of parameters of its own.
func (s *Skill) Raw() bool { return s.raw }

// ParameterNames returns the names of the parameters in the order of the file.
func (s *Skill) ParameterNames() []string {
	names := make([]string, len(s.parameters))
	for i, p := range s.parameters {
		names[i] = p.name
	}
	return names
}

func (i Invocation) clone() Invocation {
	i.Command = slices.Clone(i.Command)
	i.Environment = slices.Clone(i.Environment)
	i.Volumes = slices.Clone(i.Volumes)
	i.ExtraArgs = slices.Clone(i.ExtraArgs)
	i.Stdin = slices.Clone(i.Stdin)
	i.Outputs = slices.Clone(i.Outputs)
	return i
}
