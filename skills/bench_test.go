package skills_test

import (
	"fmt"
	"strings"
	"testing"

	"skillet/skills"
)

func BenchmarkParseOfTwoHundredSkills(b *testing.B) {
	data := manySkills(200)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := skills.Parse("skills.toml", data, skills.Environment{Workdir: "/w", Lookup: func(string) (string, bool) { return "", false }}); err != nil {
			b.Fatal(err)
		}
	}
}

func manySkills(n int) []byte {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, `
[skills.tool%d]
description = "The tool of number %d"
args = ["-y", ["-ss", "{start}"], "-i", "{input}", { when = "quiet", args = ["-q"] }, "--width={width}", "--mode={mode}"]

[skills.tool%d.docker]
image = "example/tool:%d"
entrypoint = "tool"
volumes = ["${SKILL_WORKDIR}:/workdir"]
working_dir = "/workdir"
memory = "512m"

[skills.tool%d.parameters.input]
type = "string"
format = "path"
required = true
[skills.tool%d.parameters.start]
type = "string"
pattern = "^[0-9:.]+$"
[skills.tool%d.parameters.width]
type = "integer"
minimum = 1
maximum = 10000
default = 640
[skills.tool%d.parameters.quiet]
type = "boolean"
[skills.tool%d.parameters.mode]
type = "string"
enum = ["fast", "slow"]
default = "fast"
description = "How to work"
`, i, i, i, i, i, i, i, i, i)
	}
	return []byte(text.String())
}
