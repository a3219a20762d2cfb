package skills

import (
	"fmt"
	"slices"

	"skillet/skills/tomldoc"
)

// One table [skills.X] becomes
//
//   - the tool X;
//   - with [skills.X.tools.NAME], a tool X_NAME for each: one image, several ways to call it;
//   - with [skills.X.instances.NAME], a tool X_NAME for each: one way to call it, several configurations;
//   - with both, a tool X_INSTANCE_TOOL for each pair.

// callKeys are the keys that say how a tool is called. A skill with tools of its own has them there.
var callKeys = []string{"args", "parameters", "stdin", "success", "output", "outputs", "output_schema"}

// tools reads the skill's own tool, or those below `tools`. The tables that say what it is come last in about, the
// nearest one last.
func (l *loader) tools(t tomldoc.Table, name string, tools []tomldoc.Table, d draft, about ...tomldoc.Table) {
	about = append([]tomldoc.Table{t}, about...)
	if len(tools) == 0 {
		l.tool(t, name, d, about)
		return
	}
	for _, key := range callKeys {
		if _, ok := t.Any(key); ok {
			t.Fail(key, "stands beside `tools`, where no tool would have it", "move it into [skills."+t.Name()+".tools.NAME]")
		}
	}
	readAbout(t, new(Skill))
	for _, tool := range tools {
		own := d
		own.invocation = d.invocation.clone()
		l.limits(tool, &own)
		l.tool(tool, name+"_"+tool.Name(), own, append(slices.Clone(about), tool))
		tool.Done()
	}
}

// instance reads [skills.X.instances.NAME]: `env` and what differs in `docker`.
func (l *loader) instance(t tomldoc.Table, d *draft) {
	l.limits(t, d)
	if docker, ok := t.Table("docker"); ok {
		l.docker(docker, &d.invocation)
	}
	env, ok := t.Table("env")
	if !ok {
		return
	}
	for _, key := range env.Keys() {
		value, ok := env.String(key)
		if !ok {
			continue
		}
		if !environmentKey(key) {
			env.Fail(key, "is no name of a variable", "")
			continue
		}
		if value, ok = l.expand(env, key, value); ok {
			d.invocation.Environment = setEnvironment(d.invocation.Environment, key+"="+value)
		}
	}
}

// tool reads how one tool is called, from the table that says so.
func (l *loader) tool(t tomldoc.Table, name string, d draft, about []tomldoc.Table) {
	s := &Skill{Name: name, Line: t.Line(), Warm: d.warm, prototype: d.invocation}
	s.prototype.Skill = name
	for _, table := range about {
		readAbout(table, s)
	}
	if s.Description == "" {
		s.Description = describe(d.invocation)
	}
	s.mountTarget = workdirTarget(d.invocation)
	s.Output = readOutput(t)
	s.Success = readSuccess(t)
	readOutputSchema(t, s)
	readCall(t, s)
	l.add(t, s)
}

// readAbout reads title, description and annotations; what is absent stays as it is.
func readAbout(t tomldoc.Table, s *Skill) {
	if title, ok := t.String("title"); ok {
		s.Title = title
	}
	if description, ok := t.String("description"); ok {
		s.Description = description
	}
	annotations, ok := t.Table("annotations")
	if !ok {
		return
	}
	for key, into := range map[string]**bool{
		"read_only":   &s.Annotations.ReadOnly,
		"destructive": &s.Annotations.Destructive,
		"idempotent":  &s.Annotations.Idempotent,
		"open_world":  &s.Annotations.OpenWorld,
	} {
		if value, ok := annotations.Bool(key); ok {
			*into = &value
		}
	}
	annotations.Done()
}

// describe stands in for a description, which a model needs to choose a tool.
func describe(inv Invocation) string {
	if inv.Entrypoint != "" {
		return fmt.Sprintf("Run %s in a fresh container of the image %s", inv.Entrypoint, inv.Image)
	}
	return "Run a fresh container of the image " + inv.Image
}

func readOutput(t tomldoc.Table) Output {
	text, ok := t.String("output")
	output := Output(text)
	switch {
	case !ok && t.Has("outputs"):
		return OutputFiles
	case !ok:
		return OutputText
	case output == OutputFiles && !t.Has("outputs"):
		t.Fail("output", `is "files" without outputs`, `name the files: outputs = ["{parameter}"]`)
	case !slices.Contains([]Output{OutputText, OutputJSON, OutputFiles}, output):
		t.Fail("output", fmt.Sprintf("is %q, expected \"text\", \"json\" or \"files\"", text), "")
	}
	return output
}

func readSuccess(t tomldoc.Table) []int {
	codes, ok := t.Ints("success")
	if !ok {
		return []int{0}
	}
	success := make([]int, len(codes))
	for i, code := range codes {
		if code < 0 || code > 255 {
			t.Fail("success", fmt.Sprintf("%d is no exit code, which are 0 to 255", code), "")
		}
		success[i] = int(code)
	}
	if len(success) == 0 {
		t.Fail("success", "is empty, and no call could succeed", "leave the key out for [0]")
	}
	return success
}
