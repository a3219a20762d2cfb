package skills_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"skillet/skills"
)

// environment is what the files of these tests are read against.
func environment() skills.Environment {
	variables := map[string]string{"PWD": "/work/dir", "TOKEN": "t0ken", "EMPTY": ""}
	return skills.Environment{
		Lookup:  func(name string) (string, bool) { value, ok := variables[name]; return value, ok },
		Workdir: "/work/dir", UID: "1000", GID: "100", User: "1000:100",
	}
}

func parse(t *testing.T, text string) *skills.Set {
	t.Helper()
	set, err := skills.Parse("/etc/skillet/skills.toml", []byte(text), environment())
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// one parses a file with one tool.
func one(t *testing.T, text string) *skills.Skill {
	t.Helper()
	set := parse(t, text)
	if len(set.Skills) != 1 {
		t.Fatalf("got %d tools, want one", len(set.Skills))
	}
	return set.Skills[0]
}

func toolNames(set *skills.Set) []string {
	var names []string
	for _, skill := range set.Skills {
		names = append(names, skill.Name)
	}
	return names
}

// plainInvocation is that of a skill which says nothing but its image.
func plainInvocation(skill, image string) skills.Invocation {
	return skills.Invocation{
		Skill: skill, Image: image, BuildRoot: "/etc/skillet", Network: "none", User: "1000:100",
		PidsLimit: 256, Warm: skills.Warm{Auto: true}, Timeout: time.Minute, MaxOutput: 1 << 20, Workdir: "/work/dir",
	}
}

func TestASkillThatNamesOnlyItsImageHasTheDefaults(t *testing.T) {
	skill := one(t, `skills.x.docker.image = "alpine"`)
	if diff := cmp.Diff(plainInvocation("x", "alpine"), skill.Prototype()); diff != "" {
		t.Error(diff)
	}
	if !skill.Raw() || !skill.Prototype().Warm.Auto || skill.Output != skills.OutputText || !skill.Succeeded(0) || skill.Succeeded(1) {
		t.Errorf("got %+v", skill)
	}
	if want := "Run a fresh container of the image alpine"; skill.Description != want {
		t.Errorf("a model is told %q", skill.Description)
	}
}

func TestEveryFieldOfADockerTableIsRead(t *testing.T) {
	skill := one(t, `
[skills.x.docker]
image = "registry/${EMPTY:-tool}:1"
build = "images/x"
entrypoint = "/bin/${TOKEN}"
command = ["run", "${TOKEN}", "$${TOKEN}"]
volumes = ["${SKILL_WORKDIR}:/w", "cache:/c:ro"]
working_dir = "/w/${EMPTY}"
environment = ["A=${TOKEN}", "B", "C=", "A=again"]
memory = "1.5g"
cpus = "0.25"
network = "bridge"
rm = false
user = "${UID}:${GID}"
gpus = "device=0,1"
read_only = true
platform = "linux/arm64"
extra_args = ["--init", "--label=a=$b"]
`)
	want := plainInvocation("x", "registry/tool:1")
	want.Build = "/etc/skillet/images/x"
	want.Entrypoint = "/bin/t0ken"
	want.Command = []string{"run", "t0ken", "${TOKEN}"}
	want.Volumes = []string{"/work/dir:/w", "cache:/c:ro"}
	want.WorkingDir = "/w/"
	want.Environment = []string{"A=again", "B", "C="}
	want.Memory, want.NanoCPUs = 3<<29, 25e7
	want.Network, want.Keep, want.User = "bridge", true, "1000:100"
	want.GPUs, want.ReadOnly, want.Platform = "device=0,1", true, "linux/arm64"
	want.ExtraArgs = []string{"--init", "--label=a=$b"}
	if diff := cmp.Diff(want, skill.Prototype()); diff != "" {
		t.Error(diff)
	}
}

func TestLimitsAreInheritedFromTheFileToTheSkillToTheTool(t *testing.T) {
	set := parse(t, `
[defaults]
timeout = "10s"
memory = "1g"
cpus = "2"
pids_limit = 10
max_output = "10KiB"
warm = 3
[skills.inherits.docker]
image = "a"
[skills.overrides]
timeout = "20s"
pids_limit = 20
max_output = "20 k"
warm = 0
docker = { image = "b", memory = "2g", cpus = ".5" }
tools.same.args = []
tools.own = { args = [], timeout = "1m30s", pids_limit = 30, max_output = "30B", warm = "auto" }
`)
	type limits struct {
		Timeout              time.Duration
		Memory, CPUs         int64
		PidsLimit, MaxOutput int64
		Warm                 skills.Warm
	}
	got := map[string]limits{}
	for _, skill := range set.Skills {
		p := skill.Prototype()
		got[skill.Name] = limits{p.Timeout, p.Memory, p.NanoCPUs, p.PidsLimit, p.MaxOutput, p.Warm}
	}
	want := map[string]limits{
		"inherits":       {10 * time.Second, 1 << 30, 2e9, 10, 10 << 10, skills.Warm{Count: 3}},
		"overrides_same": {20 * time.Second, 2 << 30, 5e8, 20, 20 << 10, skills.Warm{}},
		"overrides_own":  {90 * time.Second, 2 << 30, 5e8, 30, 30, skills.Warm{Auto: true}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSourceNamesTheImage(t *testing.T) {
	set := parse(t, `
[skills.a]
source = "docker:registry:5000/tool:${EMPTY:-1}"
[skills.b]
source = "docker:alpine"
docker = { image = "alpine", network = "bridge" }
runtime = "docker"
`)
	for i, want := range []string{"registry:5000/tool:1", "alpine"} {
		if got := set.Skills[i].Prototype().Image; got != want {
			t.Errorf("got the image %q, want %q", got, want)
		}
	}
}

func TestWhatASkillSaysOfItselfIsKept(t *testing.T) {
	skill := one(t, `
version = "1"
[skills.x]
title = "X"
description = "does x"
annotations = { read_only = true, destructive = false, open_world = false }
success = [0, 1, 255]
warm = 1000
docker.image = "alpine"
`)
	yes, no := true, false
	if diff := cmp.Diff(skills.Annotations{ReadOnly: &yes, Destructive: &no, OpenWorld: &no}, skill.Annotations); diff != "" {
		t.Error(diff)
	}
	if skill.Title != "X" || skill.Description != "does x" || skill.Line != 3 || skill.Prototype().Warm != (skills.Warm{Count: 1000}) {
		t.Errorf("got %+v", skill)
	}
	for code, want := range map[int]bool{0: true, 1: true, 2: false, 255: true} {
		if skill.Succeeded(code) != want {
			t.Errorf("exit code %d: success is %v", code, !want)
		}
	}
}

func TestSkilletsOwnVariablesAreAlwaysSet(t *testing.T) {
	env := environment()
	env.Lookup = func(name string) (string, bool) { return "from outside", name == "SKILL_WORKDIR" || name == "UID" }
	text := []byte(`skills.x.docker = { image = "a", user = "${UID}", volumes = ["${SKILL_WORKDIR}:/w", "${PWD}:/p"] }`)
	set, err := skills.Parse("skills.toml", text, env)
	if err != nil {
		t.Fatal(err)
	}
	p := set.Skills[0].Prototype()
	if diff := cmp.Diff([]string{"/work/dir:/w", "/work/dir:/p"}, p.Volumes); diff != "" || p.User != "1000" {
		t.Errorf("user %s, volumes: %s", p.User, diff)
	}
}

func TestSkillsComeInTheOrderOfTheFile(t *testing.T) {
	set := parse(t, `
skills.z.docker.image = "a"
[skills.b.docker]
image = "a"
[skills.a.docker]
image = "a"
[skills.b.tools.z]
args = []
[skills.b.tools.a]
args = []
`)
	if diff := cmp.Diff([]string{"z", "b_z", "b_a", "a"}, toolNames(set)); diff != "" {
		t.Error(diff)
	}
	if set.Find("b_a") != set.Skills[2] || set.Find("b") != nil {
		t.Error("Find finds another skill")
	}
}

func TestWhatACallChangesIsNotTheSkillsOwn(t *testing.T) {
	skill := one(t, `skills.x.docker = { image = "a", command = ["a"], environment = ["A=1"], volumes = ["v:/v"], extra_args = ["--init"] }`)
	before := skill.Prototype()
	for _, inv := range []skills.Invocation{skill.Prototype(), bind(t, skill, `{"args":["b"]}`)} {
		inv.Command[0], inv.Environment[0], inv.Volumes[0], inv.ExtraArgs[0] = "x", "x", "x", "x"
	}
	if diff := cmp.Diff(before, skill.Prototype()); diff != "" {
		t.Error(diff)
	}
}

func TestAFileThatCannotBeReadSaysSo(t *testing.T) {
	if _, err := skills.Load(filepath.Join(t.TempDir(), "none.toml"), environment()); !os.IsNotExist(err) {
		t.Errorf("got %v", err)
	}
	if _, err := skills.Load("/dev/zero", environment()); err == nil {
		t.Error("an endless file was read")
	}
}

func TestAWorkingDirectoryWithAColonIsNotMountedAsAnother(t *testing.T) {
	env := environment()
	env.Workdir = "/work/a:b"
	text := "[skills.x.docker]\nimage = 'a'\nvolumes = ['c:/c', '${SKILL_WORKDIR}:/w']\n"
	_, err := skills.Parse("f", []byte(text), env)
	want := `f:3: skills.x.docker.volumes[1]: mounts the working directory, whose name has a ":" in it, which separates the parts of a volume (take another directory, with --workdir)`
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	if _, err := skills.Parse("f", []byte("skills.x.docker.image = 'a'"), env); err != nil {
		t.Error(err)
	}
}

func TestAnEnvironmentWithoutAnythingIsEnough(t *testing.T) {
	set, err := skills.Parse("f", []byte(`skills.x.docker = { image = "${A:-a}", user = "${UID:-5}", volumes = ["${PWD:-/}:/w"] }`), skills.Environment{})
	if err != nil {
		t.Fatal(err)
	}
	if p := set.Skills[0].Prototype(); p.Image != "a" || p.User != "5" || p.Volumes[0] != "/:/w" {
		t.Errorf("got %+v", p)
	}
}

func TestALimitIsANumberWithinBounds(t *testing.T) {
	for text, want := range map[string]string{
		`timeout = "0s"`:          `f:1: defaults.timeout: is 0s, expected more than 0 and at most 24h`,
		`timeout = "-1s"`:         `f:1: defaults.timeout: is -1s, expected more than 0 and at most 24h`,
		`timeout = "24h1ns"`:      `f:1: defaults.timeout: is 24h0m0.000000001s, expected more than 0 and at most 24h`,
		`timeout = "${T}"`:        `f:1: defaults.timeout: "${T}" is no duration (write it like "30s", "2m" or "1m30s")`,
		`max_output = "0"`:        `f:1: defaults.max_output: is 0B, expected more than 0 and at most 8MiB`,
		`max_output = "65MiB"`:    `f:1: defaults.max_output: is 65MiB, expected more than 0 and at most 8MiB`,
		`pids_limit = -1`:         `f:1: defaults.pids_limit: is -1, expected 1 to 4194304: every container has a limit`,
		`warm = -1`:               `f:1: defaults.warm: expected "auto" or a number of idle containers, 0 to 1000`,
		`warm = "1"`:              `f:1: defaults.warm: expected "auto" or a number of idle containers, 0 to 1000`,
		`memory = 512`:            `f:1: defaults.memory: is an integer, expected a string (write it like "512m", "2g" or "1MiB")`,
		`memory = "512"`:          `f:1: defaults.memory: is 512B, expected at least 6MiB (write it like "512m", "2g" or "1MiB")`,
		`memory = ""`:             `f:1: defaults.memory: "" is no size (write it like "512m", "2g" or "1MiB")`,
		`memory = "-1g"`:          `f:1: defaults.memory: "-1g" is no size (write it like "512m", "2g" or "1MiB")`,
		`memory = "1e9"`:          `f:1: defaults.memory: "1e9" is no size (write it like "512m", "2g" or "1MiB")`,
		`memory = "0x1p30"`:       `f:1: defaults.memory: "0x1p30" is no size (write it like "512m", "2g" or "1MiB")`,
		`memory = "inf"`:          `f:1: defaults.memory: "inf" is no size (write it like "512m", "2g" or "1MiB")`,
		`memory = "1 gb please"`:  `f:1: defaults.memory: "1 gb please" is no size (write it like "512m", "2g" or "1MiB")`,
		`memory = "99999999999t"`: `f:1: defaults.memory: "99999999999t" is more than any machine has (write it like "512m", "2g" or "1MiB")`,
		`memory = "${M}"`:         `f:1: defaults.memory: variables are not expanded here (write the value itself)`,
		`cpus = 2`:                `f:1: defaults.cpus: is an integer, expected a string (write it like "0.5" or "2")`,
	} {
		if diff := cmp.Diff(want, mistakes(t, "defaults."+text+minimal)); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
	for _, text := range []string{`timeout = "24h"`, `max_output = "8m"`, `memory = "6m"`, `memory = "512 MB"`, `memory = "1.5GiB"`, `pids_limit = 1`, `warm = 1000`} {
		parse(t, "defaults."+text+minimal)
	}
}

func TestANumberOfCPUsIsReadAsByDocker(t *testing.T) {
	for text, want := range map[string]int64{"2": 2e9, "0.5": 5e8, ".5": 5e8, "2.": 2e9, "0.000000001": 1, "999999": 999999e9} {
		if got, err := skills.ParseCPUs(text); err != nil || got != want {
			t.Errorf("%q: got %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "0.0", "-1", "+1", "1e3", "1e999999999", "1/2", "0x1", "1_0", " 1", "0.0000000001", "1000000", "two", "NaN", "."} {
		if got, err := skills.ParseCPUs(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}
