package skills_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"skillet/skills"
)

// The 19 example skills that users of the older system have: what they ask for is what an invocation asks for.
func TestTheSeedsExampleSkillsAskForWhatTheyAlwaysAskedFor(t *testing.T) {
	const mib = 1 << 20
	type row struct {
		name, image, entrypoint, network string
		memory                           int64
		mount, environment               string
	}
	want := []row{
		{"ffmpeg", "linuxserver/ffmpeg:latest", "ffmpeg", "none", 2048 * mib, "/workdir", ""},
		{"imagemagick", "dpokidov/imagemagick:latest", "magick", "none", 1024 * mib, "/workdir", ""},
		{"python-runner", "python:3.12-slim", "python3", "none", 512 * mib, "/workdir", ""},
		{"python-runner-net", "python:3.12-slim", "python3", "bridge", 512 * mib, "/workdir", ""},
		{"node-runner", "node:20-alpine", "node", "none", 512 * mib, "/workdir", ""},
		{"node-runner-net", "node:20-alpine", "node", "bridge", 512 * mib, "/workdir", ""},
		{"npm-runner", "node:20-alpine", "npm", "bridge", 512 * mib, "/workdir", ""},
		{"postgres", "postgres:16-alpine", "psql", "bridge", 256 * mib, "", "PGPASSWORD="},
		{"pg-dump", "postgres:16-alpine", "pg_dump", "bridge", 512 * mib, "/workdir", "PGPASSWORD="},
		{"pg-restore", "postgres:16-alpine", "pg_restore", "bridge", 512 * mib, "/workdir", "PGPASSWORD="},
		{"mysql", "mysql:8", "mysql", "bridge", 256 * mib, "", "MYSQL_PWD"},
		{"mysqldump", "mysql:8", "mysqldump", "bridge", 512 * mib, "/backup", "MYSQL_PWD"},
		{"mysqladmin", "mysql:8", "mysqladmin", "bridge", 128 * mib, "", "MYSQL_PWD"},
		{"mongodb", "mongo:7", "mongosh", "bridge", 256 * mib, "", ""},
		{"mongodump", "mongo:7", "mongodump", "bridge", 512 * mib, "/backup", ""},
		{"mongorestore", "mongo:7", "mongorestore", "bridge", 512 * mib, "/backup", ""},
		{"mongoexport", "mongo:7", "mongoexport", "bridge", 256 * mib, "/export", ""},
		{"redis", "redis:7-alpine", "redis-cli", "bridge", 128 * mib, "", ""},
		{"redis-benchmark", "redis:7-alpine", "redis-benchmark", "bridge", 256 * mib, "", ""},
	}
	set, err := skills.Load("testdata/seed.toml", environment())
	if err != nil {
		t.Fatal(err)
	}
	var got []row
	for _, skill := range set.Skills {
		p := skill.Prototype()
		r := row{skill.Name, p.Image, p.Entrypoint, p.Network, p.Memory, p.WorkingDir, ""}
		for _, entry := range p.Environment {
			r.environment += entry
		}
		if r.mount != "" && !cmp.Equal(p.Volumes, []string{"/work/dir:" + r.mount}) {
			t.Errorf("%s mounts %q", skill.Name, p.Volumes)
		}
		if p.Keep || p.Command != nil || !skill.Raw() || (p.NanoCPUs != 0) != (skill.Name == "ffmpeg") {
			t.Errorf("%s: %+v", skill.Name, p)
		}
		got = append(got, r)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(row{})); diff != "" {
		t.Error(diff)
	}
}
