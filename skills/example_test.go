package skills_test

import (
	"fmt"

	"skillet/skills"
)

const wordcount = `
[skills.wc]
args = [{ when = "lines", args = ["-l"] }, "--", "{text}"]
docker = { image = "debian:bookworm-slim", entrypoint = "wc" }
[skills.wc.parameters]
text = { type = "string", required = true }
lines = { type = "boolean" }
`

func ExampleSkill_Bind() {
	set, err := skills.Parse("skills.toml", []byte(wordcount), skills.Environment{})
	if err != nil {
		fmt.Println(err)
		return
	}
	invocation, err := set.Find("wc").Bind([]byte(`{"text": "-l; rm -rf /", "lines": true}`))
	fmt.Printf("%s %q %v\n", invocation.Entrypoint, invocation.Command, err)

	_, err = set.Find("wc").Bind([]byte(`{"lines": "yes"}`))
	fmt.Println(err)
	// Output:
	// wc ["-l" "--" "-l; rm -rf /"] <nil>
	// wrong arguments for wc:
	// - lines: got string, expected boolean
	// - text: is required
}
