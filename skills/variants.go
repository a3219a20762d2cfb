package skills

import (
	"fmt"
	"slices"
	"strconv"

	"skillet/skills/tomldoc"
)

// One table [skills.X] becomes
//
//   - the tool X;
//   - with [skills.X.tools.NAME], a tool X_NAME for each: one image, several ways to call it;
//   - with [skills.X.instances.NAME], a tool X_NAME for each: one way to call it, several configurations;
//   - with both, a tool X_INSTANCE_TOOL for each pair.

// callKeys are the keys that say how a tool is called. A skill with tools of its own has them there.
var callKeys = []string{"args", "parameters", "stdin", "success", "output", "outputs", "output_schema", "progress", "examples"}

// variants reads `tools` and `instances` of a skill and adds what it becomes to the set.
func (l *loader) variants(t tomldoc.Table, d draft) {
	tools, instances := named(t, "tools"), named(t, "instances")
	if tools != nil {
		for _, key := range callKeys {
			if _, ok := t.Any(key); ok {
				t.Fail(key, "stands beside `tools`, where no tool would have it", "move it into "+t.Header("tools", "NAME"))
			}
		}
	}
	if instances == nil {
		l.tools(t, t.Name(), tools, d, t)
		return
	}
	for _, instance := range instances {
		own := d.clone()
		l.instance(instance, &own)
		l.tools(t, t.Name()+"_"+instance.Name(), tools, own, t, instance)
		instance.Done(
			tomldoc.Misplaced{Keys: callKeys, Hint: "it belongs in " + t.Header() + ": all instances are called the same way"},
			tomldoc.Misplaced{Keys: dockerKeys, Hint: "it belongs in " + instance.Header("docker")})
	}
}

// named reads a table of named tables, which is of no use when empty.
func named(t tomldoc.Table, key string) []tomldoc.Table {
	if value, ok := t.Any(key); ok && isEmpty(value) {
		t.Fail(key, "is empty", "add a table "+t.Header(key, "NAME")+", or remove it")
	}
	return t.Tables(key)
}

// tools reads the skill's own tool, or those below `tools`. The tables in about say what a tool is, the nearest one last.
func (l *loader) tools(t tomldoc.Table, name string, tools []tomldoc.Table, d draft, about ...tomldoc.Table) {
	if owner := about[len(about)-1]; !d.imageGiven {
		owner.Fail("", "has no image", `write image = "NAME" in `+owner.Header("docker"))
	}
	if tools == nil {
		l.tool(t, name, d, about)
	}
	for _, tool := range tools {
		own := d.clone()
		readLimits(tool, &own)
		readPatience(tool, &own)
		readSession(tool, &own)
		l.tool(tool, name+"_"+tool.Name(), own, append(slices.Clone(about), tool))
		hint := "it belongs in " + t.Header("docker") + ", which all tools of a skill share"
		tool.Done(tomldoc.Misplaced{Keys: dockerKeys, Hint: hint}, tomldoc.Misplaced{Keys: []string{"docker"}, Hint: hint}, misplacedEnv)
	}
}

// instance reads [skills.X.instances.NAME]: `env` and what differs in `docker`.
func (l *loader) instance(t tomldoc.Table, d *draft) {
	readLimits(t, d)
	readPatience(t, d)
	readSession(t, d)
	l.dockerOf(t, d)
	env, ok := t.Table("env")
	if !ok {
		return
	}
	for _, key := range env.Keys() {
		value, ok := env.String(key)
		if ok && !environmentKey(key) {
			env.FailAt(env.Path(key), "is no name of an environment variable", "")
			continue
		}
		if !ok {
			continue
		}
		if value, ok = l.expand(env, env.Path(key), value); ok {
			d.invocation.Environment = setEnvironment(d.invocation.Environment, key+"="+value)
		}
	}
}

// tool reads how one tool is called, from the table that says so.
func (l *loader) tool(t tomldoc.Table, name string, d draft, about []tomldoc.Table) {
	s := &Skill{Name: name, Line: about[len(about)-1].Line(), Background: d.background, Wait: d.wait, prototype: d.invocation}
	s.prototype.Skill = name
	for _, table := range about {
		readAbout(table, s)
		l.docs(table, s)
	}
	if s.Description == "" {
		s.Description = describe(d.invocation)
	}
	s.mountTarget, s.mountReadOnly = workdirTarget(d.invocation)
	s.Output = readOutput(t)
	s.Success = readSuccess(t)
	s.Progress = readProgress(t)
	readOutputSchema(t, s)
	s.sessions(about[len(about)-1], d)
	l.call(t, s, d.mountsLost)
	l.examples(t, s)
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

// outputForms are the values of `output`.
var outputForms = []string{string(OutputText), string(OutputJSON), string(OutputFiles), string(OutputAuto)}

func readOutput(t tomldoc.Table) Output {
	text, ok := t.String("output")
	switch {
	case !t.Has("output") && t.Has("outputs"):
		return OutputFiles
	case !ok:
		return OutputText
	case !slices.Contains(outputForms, text):
		t.Fail("output", fmt.Sprintf("is %q, expected \"text\", \"json\", \"files\" or \"auto\"", text), suggestion(text, outputForms))
	}
	return Output(text)
}

// suggestion is a near miss where what is known has been listed already.
func suggestion(name string, known []string) string {
	if nearest := tomldoc.Nearest(name, known); nearest != "" {
		return fmt.Sprintf("did you mean %q?", nearest)
	}
	return ""
}

func readSuccess(t tomldoc.Table) []int {
	codes, ok := t.Ints("success")
	if !ok {
		return []int{0}
	}
	success := make([]int, len(codes))
	for i, code := range codes {
		if code < 0 || code > 255 {
			t.FailAt(t.Path("success", strconv.Itoa(i)), fmt.Sprintf("%d is no exit code, expected 0 to 255", code), "")
		}
		success[i] = int(code)
	}
	if len(success) == 0 {
		t.Fail("success", "is empty, and no call could succeed", "leave the key out for [0]")
	}
	return success
}
