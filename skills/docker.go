package skills

import (
	"errors"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"skillet/skills/tomldoc"
)

// dockerKeys are the keys of a docker table, for the message about one that stands elsewhere.
var dockerKeys = []string{
	"image", "build", "entrypoint", "command", "volumes", "working_dir", "environment", "memory", "cpus", "network",
	"rm", "user", "gpus", "read_only", "platform", "extra_args",
}

// skillKeys are those that a skill has besides callKeys, for the same message.
var skillKeys = []string{"timeout", "max_output", "pids_limit", "warm", "background", "wait", "title", "description", "docs", "annotations"}

var misplacedEnv = tomldoc.Misplaced{Keys: []string{"env"}, Hint: `write environment = ["KEY=value"] in the docker table`}

// dockerOf reads the docker table of a skill or instance, if it has one, over what is inherited.
func (l *loader) dockerOf(t tomldoc.Table, d *draft) {
	docker, ok := t.Table("docker")
	if !ok {
		if t.Has("docker") { // and is no table: what it would have said is not known
			d.imageGiven, d.mountsLost = true, true
		}
		return
	}
	l.docker(docker, d)
	hint := "it belongs in " + t.Header()
	docker.Done(tomldoc.Misplaced{Keys: callKeys, Hint: hint}, tomldoc.Misplaced{Keys: skillKeys, Hint: hint}, misplacedEnv)
}

// docker reads the fields of a docker table. Only the shape of a value is checked here; what may run is the policy's
// business.
func (l *loader) docker(t tomldoc.Table, d *draft) {
	inv := &d.invocation
	d.imageGiven = d.imageGiven || t.Has("image")
	if l.text(t, "image", &inv.Image) && strings.TrimSpace(inv.Image) == "" {
		t.Fail("image", "is empty", `write the image's name, like "python:3.12-slim"`)
	}
	l.build(t, inv)
	l.text(t, "entrypoint", &inv.Entrypoint)
	l.texts(t, "command", &inv.Command)
	if read := l.volumes(t, inv); t.Has("volumes") {
		d.mountsLost = !read
	}
	if l.text(t, "working_dir", &inv.WorkingDir) && inv.WorkingDir != "" && !path.IsAbs(inv.WorkingDir) {
		t.Fail("working_dir", "is no absolute path in the container", `write it like "/workdir"`)
	}
	l.environment(t, inv)
	readMemory(t, inv)
	readCPUs(t, inv)
	notEmpty(t, "network", &inv.Network)
	if remove, ok := t.Bool("rm"); ok {
		inv.Keep = !remove
	}
	l.text(t, "user", &inv.User)
	notEmpty(t, "gpus", &inv.GPUs)
	if readOnly, ok := t.Bool("read_only"); ok {
		inv.ReadOnly = readOnly
	}
	notEmpty(t, "platform", &inv.Platform)
	extra, ok := t.Strings("extra_args")
	for i, argument := range extra {
		literal(t, t.Path("extra_args", strconv.Itoa(i)), argument)
	}
	if ok {
		inv.ExtraArgs = extra
	}
}

// volumes reads SOURCE:TARGET. It reports whether there are volumes without a mistake.
func (l *loader) volumes(t tomldoc.Table, inv *Invocation) bool {
	ok := l.texts(t, "volumes", &inv.Volumes)
	if !strings.Contains(l.env.Workdir, ":") {
		return ok
	}
	for i, volume := range inv.Volumes {
		if ok && strings.HasPrefix(volume, l.env.Workdir) {
			t.FailAt(t.Path("volumes", strconv.Itoa(i)), `mounts the working directory, whose name has a ":" in it, which separates the parts of a volume`,
				"take another directory, with --workdir")
		}
	}
	return ok
}

// build reads the build context. Paths of a file are relative to the directory that it lies in.
func (l *loader) build(t tomldoc.Table, inv *Invocation) {
	context := ""
	if !l.text(t, "build", &context) {
		return
	}
	if context == "" {
		t.Fail("build", "is empty", "name the directory of the Dockerfile, or leave the key out")
		return
	}
	if !filepath.IsAbs(context) {
		context = filepath.Join(l.dir, context)
	}
	inv.Build = filepath.Clean(context)
}

// text reads a string whose variables are expanded. It reports whether there is one.
func (l *loader) text(t tomldoc.Table, key string, into *string) bool {
	value, ok := t.String(key)
	if ok {
		if value, ok = l.expand(t, t.Path(key), value); ok {
			*into = value
		}
	}
	return ok
}

// texts reads an array of strings whose variables are expanded. It reports whether there is one.
func (l *loader) texts(t tomldoc.Table, key string, into *[]string) bool {
	expanded := []string{}
	ok := l.each(t, key, func(_ []string, value string) { expanded = append(expanded, value) })
	if ok {
		*into = expanded
	}
	return ok
}

// each visits the items of an array of strings, expanded. It reports whether there is one without a mistake.
func (l *loader) each(t tomldoc.Table, key string, visit func(at []string, value string)) bool {
	values, ok := t.Strings(key)
	allGood := ok
	for i, value := range values {
		if value == "" && !ok {
			continue // it may be the one that is no string
		}
		at := t.Path(key, strconv.Itoa(i))
		expanded, good := l.expand(t, at, value)
		if good {
			visit(at, expanded)
		}
		allGood = allGood && good
	}
	return allGood
}

// plain reads a string in which ${NAME} has no meaning, as the fields' table in docs/skills-toml.md says.
func plain(t tomldoc.Table, key, hint string) (string, bool) {
	value, ok := t.StringLike(key, hint)
	return value, ok && literal(t, t.Path(key), value)
}

// literal reports whether a text can be taken as it is.
func literal(t tomldoc.Table, at []string, text string) bool {
	if strings.Contains(text, "${") {
		t.FailAt(at, "variables are not expanded here", "write the value itself")
		return false
	}
	if err := noNUL(text); err != nil {
		t.FailAt(at, err.Error(), "")
		return false
	}
	return true
}

func noNUL(text string) error {
	if strings.ContainsRune(text, 0) {
		return errors.New("has a NUL character, which no program can be given")
	}
	return nil
}

func notEmpty(t tomldoc.Table, key string, into *string) {
	value, ok := plain(t, key, "put it in quotes")
	if ok && value == "" {
		t.Fail(key, "is empty", "leave the key out for the default")
		return
	}
	if ok {
		*into = value
	}
}

// environment reads KEY=value and KEY. A later entry of a key replaces an earlier, inherited one.
func (l *loader) environment(t tomldoc.Table, inv *Invocation) {
	l.each(t, "environment", func(at []string, entry string) {
		if key, _, _ := strings.Cut(entry, "="); !environmentKey(key) {
			// The entry may hold a secret in the wrong place: it is not repeated.
			t.FailAt(at, `has no variable's name before its "="`, `write "KEY=value", or "KEY" to hand on skillet's own variable`)
			return
		}
		inv.Environment = setEnvironment(inv.Environment, entry)
	})
}

func environmentKey(key string) bool {
	return key != "" && !strings.ContainsAny(key, "=\x00 \t\r\n")
}

func setEnvironment(environment []string, entry string) []string {
	key, _, _ := strings.Cut(entry, "=")
	for i, old := range environment {
		if oldKey, _, _ := strings.Cut(old, "="); oldKey == key {
			environment[i] = entry
			return environment
		}
	}
	return append(environment, entry)
}
