package skills

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/docker/go-units"

	"skillet/skills/tomldoc"
)

// Environment is what a file is read against.
type Environment struct {
	Lookup  Lookup // variables for ${NAME}
	Workdir string // canonical absolute path, what ${SKILL_WORKDIR} stands for
	UID     string // what ${UID} and ${GID} stand for
	GID     string
	User    string // "uid:gid" for skills without a user of their own, "" for the image's own
}

// What a skill has when neither it nor [defaults] says otherwise.
const (
	defaultTimeout   = 60 * time.Second
	defaultMaxOutput = 1 << 20
	defaultPidsLimit = 256
)

// Bounds that keep a typing error from becoming a resource problem.
const (
	maxTimeout   = 24 * time.Hour
	maxMaxOutput = 64 << 20 // each stream is held in memory until the result is sent
	minMemory    = 6 << 20  // the engine's own bound
	maxPidsLimit = 4 << 20  // PID_MAX_LIMIT of Linux
)

// Load reads a file. The error is [ParseErrors] with every mistake, or says why the file cannot be read.
func Load(file string, env Environment) (*Set, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return Parse(file, data, env)
}

// Parse is Load for text that was read already; build contexts are looked for beside file.
func Parse(file string, data []byte, env Environment) (*Set, error) {
	doc, err := tomldoc.Parse(file, data)
	if err != nil {
		return nil, err
	}
	absolute, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	l := loader{env: env, dir: filepath.Dir(absolute), set: &Set{File: file}, names: map[string]string{}}
	l.file(doc.Root())
	if err := doc.Err(); err != nil {
		return nil, err
	}
	return l.set, nil
}

type loader struct {
	env   Environment
	dir   string            // of the file
	base  draft             // what [defaults] made
	set   *Set              // what was read so far
	names map[string]string // tool name -> table that has it
}

// draft is a skill while it is read: what is inherited from [defaults] to skill to tool and instance.
type draft struct {
	invocation Invocation
	warm       Warm
}

func (l *loader) file(root tomldoc.Table) {
	if version, ok := root.String("version"); ok && version != "1" {
		root.Fail("version", fmt.Sprintf("is %q, and this skillet reads version \"1\"", version), "")
	}
	l.base = draft{
		invocation: Invocation{
			Network: "none", PidsLimit: defaultPidsLimit, Timeout: defaultTimeout, MaxOutput: defaultMaxOutput,
			Workdir: l.env.Workdir, User: l.env.User, BuildRoot: l.dir,
		},
		warm: Warm{Auto: true},
	}
	if defaults, ok := root.Table("defaults"); ok {
		l.limits(defaults, &l.base)
		readMemory(defaults, &l.base.invocation)
		readCPUs(defaults, &l.base.invocation)
		defaults.Done()
	}
	if !root.Has("skills") {
		root.Fail("", "names no skills", "add a table [skills.NAME] with [skills.NAME.docker]")
	}
	for _, table := range root.Tables("skills") {
		l.skill(table)
	}
	root.Done()
}

// limits reads what [defaults], a skill and a tool have in common.
func (l *loader) limits(t tomldoc.Table, d *draft) {
	if timeout, ok := t.Duration("timeout"); ok {
		if timeout <= 0 || timeout > maxTimeout {
			t.Fail("timeout", fmt.Sprintf("has to be more than 0 and at most %s", maxTimeout), "")
		}
		d.invocation.Timeout = timeout
	}
	if size, ok := readSize(t, "max_output"); ok {
		if size <= 0 || size > maxMaxOutput {
			t.Fail("max_output", fmt.Sprintf("has to be more than 0 and at most %s", units.BytesSize(maxMaxOutput)), "")
		}
		d.invocation.MaxOutput = size
	}
	if limit, ok := t.Int("pids_limit"); ok {
		if limit <= 0 || limit > maxPidsLimit {
			t.Fail("pids_limit", fmt.Sprintf("has to be between 1 and %d: every container has a limit", maxPidsLimit), "")
		}
		d.invocation.PidsLimit = limit
	}
	if value, ok := t.Any("warm"); ok {
		switch count, isInt := value.(int64); {
		case value == "auto":
			d.warm = Warm{Auto: true}
		case isInt && count >= 0 && count <= 1000:
			d.warm = Warm{Count: int(count)}
		default:
			t.Fail("warm", `has to be "auto" or a number of containers from 0 to 1000`, "")
		}
	}
}

// readSize reads a size such as "512m" or "1MiB"; both are powers of 1024, as for the engine.
func readSize(t tomldoc.Table, key string) (int64, bool) {
	text, ok := t.String(key)
	if !ok {
		return 0, false
	}
	size, err := units.RAMInBytes(text)
	if err != nil {
		t.Fail(key, fmt.Sprintf("%q is no size", text), `write it like "512m", "2g" or "1MiB"`)
		return 0, false
	}
	return size, true
}

// skill reads one [skills.X] and everything below it.
func (l *loader) skill(t tomldoc.Table) {
	d := l.base
	d.invocation = l.base.invocation.clone()
	if runtime, ok := t.String("runtime"); ok && runtime != "docker" {
		t.Fail("runtime", fmt.Sprintf("is %q, and skillet runs skills in containers of the Docker engine only", runtime),
			`write runtime = "docker", or leave the key out`)
	}
	l.limits(t, &d)
	docker, hasDocker := t.Table("docker")
	if hasDocker {
		l.docker(docker, &d.invocation)
	}
	l.source(t, docker, hasDocker, &d.invocation)

	tools, instances := t.Tables("tools"), t.Tables("instances")
	if len(instances) == 0 {
		l.tools(t, t.Name(), tools, d)
	}
	for _, instance := range instances {
		own := d
		own.invocation = d.invocation.clone()
		l.instance(instance, &own)
		instance.String("title")
		instance.String("description")
		l.tools(t, t.Name()+"_"+instance.Name(), tools, own, instance)
		instance.Done()
	}
	t.Done()
}

// source reads `source = "docker:IMAGE"`, the older way to name the image.
func (l *loader) source(t, docker tomldoc.Table, hasDocker bool, inv *Invocation) {
	source, ok := t.String("source")
	if ok {
		image, found := strings.CutPrefix(source, "docker:")
		image, expanded := l.expand(t, "source", image)
		switch {
		case !found || image == "":
			t.Fail("source", fmt.Sprintf("is %q, expected \"docker:IMAGE\"", source), "")
		case hasDocker && docker.Has("image") && expanded && inv.Image != image:
			t.Fail("source", fmt.Sprintf("names another image than docker.image = %q", inv.Image), "remove one of the two")
		default:
			inv.Image = image
		}
	}
	if inv.Image == "" && !ok && !(hasDocker && docker.Has("image")) {
		t.Fail("", "has no image", "add [skills."+t.Name()+".docker] with image = \"…\"")
	}
}

// expand replaces the variables in a value of the file.
func (l *loader) expand(t tomldoc.Table, key, text string) (string, bool) {
	value, err := expand(text, l.lookup)
	if err != nil {
		t.Fail(key, err.Error(), "")
		return "", false
	}
	return value, true
}

// lookup adds skillet's own variables to the environment's.
func (l *loader) lookup(name string) (string, bool) {
	switch name {
	case "SKILL_WORKDIR":
		return l.env.Workdir, true
	case "UID":
		return l.env.UID, true
	case "GID":
		return l.env.GID, true
	}
	value, ok := l.env.Lookup(name)
	if name == "PWD" && !ok {
		// A client that is no shell sets no PWD, and manifests mount it.
		return l.env.Workdir, true
	}
	return value, ok
}

var toolName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,128}$`)

// add puts a finished skill into the set, unless its name is not one that MCP allows (2025-11-25, Tool Names) or is taken.
func (l *loader) add(t tomldoc.Table, s *Skill) {
	where := strings.Join(t.Path(), ".")
	switch taken, ok := l.names[s.Name]; {
	case !toolName.MatchString(s.Name):
		t.Fail("", fmt.Sprintf("gives the tool name %q", s.Name), "a name has 1 to 128 of the characters A-Z a-z 0-9 _ . -")
	case ok:
		t.Fail("", fmt.Sprintf("gives the tool name %q, which %s has already", s.Name, taken), "rename one of the two")
	default:
		l.names[s.Name] = where
		l.set.Skills = append(l.set.Skills, s)
	}
}

// Find returns the skill of a name, nil when there is none.
func (s *Set) Find(name string) *Skill {
	i := slices.IndexFunc(s.Skills, func(skill *Skill) bool { return skill.Name == name })
	if i < 0 {
		return nil
	}
	return s.Skills[i]
}
