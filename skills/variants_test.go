package skills_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOneImageHasSeveralTools(t *testing.T) {
	set := parse(t, `
[skills.git]
title = "Git"
description = "works with repositories"
annotations = { read_only = true, open_world = false }
docker = { image = "git", command = ["git"] }
[skills.git.tools.log]
args = ["log", ["-n", "{n}"]]
parameters.n = { type = "integer" }
[skills.git.tools.commit]
title = "Commit"
description = "commits"
annotations.read_only = false
args = ["commit"]
success = [0, 1]
[skills.git.tools.any]
`)
	if diff := cmp.Diff([]string{"git_log", "git_commit", "git_any"}, toolNames(set)); diff != "" {
		t.Fatal(diff)
	}
	log, commit, any := set.Skills[0], set.Skills[1], set.Skills[2]
	if log.Title != "Git" || log.Description != "works with repositories" || !*log.Annotations.ReadOnly || log.Succeeded(1) {
		t.Errorf("log: %+v", log)
	}
	if commit.Title != "Commit" || commit.Description != "commits" || *commit.Annotations.ReadOnly || *commit.Annotations.OpenWorld || !commit.Succeeded(1) {
		t.Errorf("commit: %+v", commit)
	}
	if log.Line != 7 || commit.Line != 10 || !any.Raw() {
		t.Errorf("lines %d and %d, any is raw: %v", log.Line, commit.Line, any.Raw())
	}
	inv := bind(t, log, `{"n": 3}`)
	if diff := cmp.Diff([]string{"git", "log", "-n", "3"}, inv.Command); diff != "" || inv.Skill != "git_log" || inv.Image != "git" {
		t.Errorf("%+v: %s", inv, diff)
	}
}

func TestOneSkillHasSeveralConfigurations(t *testing.T) {
	set := parse(t, `
[skills.pg]
description = "queries"
timeout = "10s"
args = ["-c", "{sql}"]
parameters.sql = { type = "string", required = true }
[skills.pg.docker]
image = "postgres:16"
environment = ["PGHOST=localhost", "PGPASSWORD"]
volumes = ["a:/a"]
memory = "256m"
[skills.pg.instances.prod]
description = "queries production"
timeout = "5s"
env.PGHOST = "prod"
env.PGTOKEN = "${TOKEN}"
docker = { network = "bridge", memory = "1g", environment = ["X=1"], volumes = [] }
[skills.pg.instances.test]
env = { PGHOST = "" }
docker.image = "postgres:17"
`)
	if diff := cmp.Diff([]string{"pg_prod", "pg_test"}, toolNames(set)); diff != "" || set.Skills[0].Line != 12 || set.Skills[1].Line != 18 {
		t.Fatalf("lines %d and %d, %s", set.Skills[0].Line, set.Skills[1].Line, diff)
	}
	type facts struct {
		Description, Image, Network string
		Environment, Volumes        []string
		Memory                      int64
		Seconds                     float64
	}
	var got []facts
	for _, skill := range set.Skills {
		inv := bind(t, skill, `{"sql": "select 1"}`)
		if diff := cmp.Diff([]string{"-c", "select 1"}, inv.Command); diff != "" {
			t.Error(diff)
		}
		got = append(got, facts{skill.Description, inv.Image, inv.Network, inv.Environment, inv.Volumes, inv.Memory, inv.Timeout.Seconds()})
	}
	want := []facts{
		{"queries production", "postgres:16", "bridge", []string{"PGHOST=prod", "PGPASSWORD", "X=1", "PGTOKEN=t0ken"}, []string{}, 1 << 30, 5},
		{"queries", "postgres:17", "none", []string{"PGHOST=", "PGPASSWORD"}, []string{"a:/a"}, 256 << 20, 10},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestToolsAndInstancesMakeATooOfEachPair(t *testing.T) {
	set := parse(t, `
[skills.db]
tools.read = { args = ["r"], pids_limit = 7 }
tools.write = { args = ["w"], description = "writes" }
[skills.db.instances.a]
description = "a"
docker.image = "a"
pids_limit = 3
[skills.db.instances.b]
docker.image = "b"
`)
	type tool struct {
		Name, Description, Image, Argument string
		Pids                               int64
	}
	var got []tool
	for _, skill := range set.Skills {
		inv := bind(t, skill, `{}`)
		got = append(got, tool{skill.Name, skill.Description, inv.Image, inv.Command[0], inv.PidsLimit})
	}
	const image = "Run a fresh container of the image b"
	want := []tool{
		{"db_a_read", "a", "a", "r", 7}, {"db_a_write", "writes", "a", "w", 3},
		{"db_b_read", image, "b", "r", 7}, {"db_b_write", "writes", "b", "w", 256},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNamesOfToolsAreUniqueAndValid(t *testing.T) {
	const image = "docker.image = 'a'\n"
	for text, want := range map[string]string{
		"[skills.a_b]\n" + image + "[skills.a]\n" + image + "tools.b.args = []":                      `f:5: skills.a.tools.b: gives the tool name "a_b", which [skills.a_b] has already (rename one of the two)`,
		"[skills.a]\n" + image + "tools.b.args = []\n[skills.a_b]\n" + image:                         `f:4: skills.a_b: gives the tool name "a_b", which [skills.a.tools.b] has already (rename one of the two)`,
		"[skills.a]\n" + image + "tools.\"b c\".args = []":                                           `f:3: skills.a.tools."b c": gives the tool name "a_b c" (a name has 1 to 128 of the characters A-Z a-z 0-9 _ . -)`,
		"[skills.a]\n" + image + "instances = {}":                                                    `f:3: skills.a.instances: is empty (add a table [skills.a.instances.NAME], or remove it)`,
		"[skills.a]\n" + image + "tools = []":                                                        `f:3: skills.a.tools: is an array, expected a table (begin it with a line [skills.a.tools])`,
		"[skills.a]\n" + image + "tools.b = 'x'":                                                     `f:3: skills.a.tools.b: is a string, expected a table (begin it with a line [skills.a.tools.b])`,
		"[skills.a]\n" + image + "tools.b = {}\nparameters.x.type = 'string'":                        `f:4: skills.a.parameters: stands beside ` + "`tools`" + `, where no tool would have it (move it into [skills.a.tools.NAME])`,
		"[skills.a]\n" + image + "tools.b = {}\ninstances.c = {}\ninstances.d = {}\n\nstdin = '{x}'": `f:7: skills.a.stdin: stands beside ` + "`tools`" + `, where no tool would have it (move it into [skills.a.tools.NAME])`,
		"[skills.a]\ninstances.b.docker.image = 'a'\ninstances.c = {}":                               `f:3: skills.a.instances.c: has no image (write image = "NAME" in [skills.a.instances.c.docker])`,
	} {
		if diff := cmp.Diff(want, mistakes(t, text)); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}
