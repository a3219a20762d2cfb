package skills

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

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

// Load reads a file. The error is [ParseErrors] with every mistake, or says why the file cannot be read.
func Load(file string, env Environment) (*Set, error) {
	data, err := ReadFile(file)
	if err != nil {
		return nil, err
	}
	return Parse(file, data, env)
}

// ReadFile reads a configuration, for [Parse]. A pipe, a device and what is far too large are none.
func ReadFile(file string) ([]byte, error) { return tomldoc.ReadFile(file) }

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
	l := loader{env: env, dir: filepath.Dir(absolute), set: &Set{File: file}, names: map[string]string{}, schemas: map[string]lazySchema{}}
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

	namedAsJobTools []tomldoc.Table

	schemas map[string]lazySchema // of parameters, by their text

	sessionEnd *tomldoc.Table // of the skill with the name of skillet's own tool; nil when there is none
}

// draft is a skill while it is read: what is inherited from [defaults] to skill to tool and instance.
type draft struct {
	invocation Invocation
	imageGiven bool // somewhere, be it wrongly
	mountsLost bool // volumes were given that could not be read: what is mounted is not known
	background bool
	wait       time.Duration

	session     bool
	sessionIdle time.Duration
}

func (d draft) clone() draft {
	d.invocation = d.invocation.clone()
	return d
}

func (l *loader) file(root tomldoc.Table) {
	if version, ok := root.StringLike("version", `write version = "1"`); ok && version != "1" {
		root.Fail("version", fmt.Sprintf("is %q, and this skillet reads version \"1\"", version), "")
	}
	l.base = draft{
		invocation: Invocation{
			Network: "none", PidsLimit: defaultPidsLimit, Timeout: defaultTimeout, MaxOutput: defaultMaxOutput,
			Workdir: l.env.Workdir, User: l.env.User, BuildRoot: l.dir, Warm: Warm{Auto: true},
		},
		sessionIdle: defaultSessionIdle,
	}
	if defaults, ok := root.Table("defaults"); ok {
		readLimits(defaults, &l.base)
		readPatience(defaults, &l.base)
		readMemory(defaults, &l.base.invocation)
		readCPUs(defaults, &l.base.invocation)
		defaults.Done(tomldoc.Misplaced{Keys: dockerKeys, Hint: "only limits have a default for all skills"})
	}
	if skills, ok := root.Any("skills"); !ok || isEmpty(skills) {
		root.Fail("", "names no skills", "add a table [skills.NAME] and a table [skills.NAME.docker] with its image")
	}
	for _, table := range root.Tables("skills") {
		l.skill(table)
	}
	l.reserve()
	l.jobToolsAreFree()
	l.prompts(root)
	l.server(root)
	root.Done()
}

func isEmpty(value any) bool {
	table, ok := value.(map[string]any)
	return ok && len(table) == 0
}

// skill reads one [skills.X] and everything below it.
func (l *loader) skill(t tomldoc.Table) {
	d := l.base.clone()
	if runtime, ok := t.String("runtime"); ok && runtime != "docker" {
		t.Fail("runtime", fmt.Sprintf("is %q, and skillet runs skills in containers of the Docker engine only", runtime),
			`write runtime = "docker", or leave the key out`)
	}
	readLimits(t, &d)
	readSession(t, &d)
	readPatience(t, &d)
	l.dockerOf(t, &d)
	l.source(t, &d)
	l.variants(t, d)
	t.Done(tomldoc.Misplaced{Keys: dockerKeys, Hint: "it belongs in " + t.Header("docker")}, misplacedEnv)
}

// source reads `source = "docker:IMAGE"`, the older way to name the image.
func (l *loader) source(t tomldoc.Table, d *draft) {
	given := d.imageGiven
	d.imageGiven = given || t.Has("source") || t.Has("image") // the latter is an unknown key here, which says it all
	source, ok := t.String("source")
	if !ok {
		return
	}
	image, isDocker := strings.CutPrefix(source, "docker:")
	if !isDocker || image == "" {
		t.Fail("source", fmt.Sprintf("is %q, expected \"docker:IMAGE\"", source), "")
		return
	}
	image, ok = l.expand(t, t.Path("source"), image)
	switch {
	case !ok:
	case !given:
		d.invocation.Image = image
	case d.invocation.Image != "" && d.invocation.Image != image:
		t.Fail("source", "names another image than docker.image", "remove one of the two")
	}
}

// expand replaces the variables in a value of the file.
func (l *loader) expand(t tomldoc.Table, at []string, text string) (string, bool) {
	value, err := expand(text, l.lookup)
	if err == nil {
		err = noNUL(value)
	}
	if err != nil {
		t.FailAt(at, err.Error(), "")
		return "", false
	}
	return value, true
}

// lookup adds skillet's own variables to the environment's.
func (l *loader) lookup(name string) (string, bool) {
	own := ""
	switch name {
	case "SKILL_WORKDIR":
		own = l.env.Workdir
	case "UID":
		own = l.env.UID
	case "GID":
		own = l.env.GID
	}
	if own != "" {
		return own, true
	}
	if l.env.Lookup != nil {
		if value, ok := l.env.Lookup(name); ok {
			return value, true
		}
	}
	if name == "PWD" && l.env.Workdir != "" { // a client that is no shell sets none, and manifests mount it
		return l.env.Workdir, true
	}
	return "", false
}

var toolName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,128}$`)

// add puts a finished skill into the set, unless its name is not one that MCP allows (2025-11-25, Tool Names) or is taken.
func (l *loader) add(t tomldoc.Table, s *Skill) {
	if s.Name == SessionEnd {
		l.sessionEnd = &t
	}
	switch taken, ok := l.names[s.Name]; {
	case !toolName.MatchString(s.Name):
		t.Fail("", fmt.Sprintf("gives the tool name %q", s.Name), "a name has 1 to 128 of the characters A-Z a-z 0-9 _ . -")
	case ok:
		t.Fail("", fmt.Sprintf("gives the tool name %q, which %s has already", s.Name, taken), "rename one of the two")
	default:
		l.names[s.Name] = t.Header()
		if slices.Contains(JobTools, s.Name) {
			l.namedAsJobTools = append(l.namedAsJobTools, t)
		}
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
