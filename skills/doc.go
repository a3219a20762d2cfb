// Package skills reads skills.toml and turns the arguments of a call into an [Invocation].
//
//	set, err := skills.Load("skills.toml", skills.Environment{Lookup: os.LookupEnv, Workdir: dir})
//	for _, skill := range set.Skills {      // one per MCP tool, in the order of the file
//		invocation, err := skill.Bind(arguments) // the raw JSON object of a call
//	}
//
// # Loading
//
// [Load] reports every mistake of a file at once, as [ParseErrors]: the file, the line, the key, what was expected and
// what was likely meant. A file with a mistake gives no skills at all: half a configuration would be a surprise.
// A `[skills.X]` with `tools` or `instances` becomes several skills, `X_NAME` each.
//
// # Binding
//
// [Skill.Bind] validates arguments against the skill's JSON Schema (2020-12, exact integers, nothing loaded from files
// or the network), fills in defaults, checks paths, and renders the argv template. No shell is involved and no value
// ever becomes more than one element of argv, nor an option: see template.go. Mistakes of the caller come back as
// [ArgErrors], worded so that a language model can correct itself, and never repeat a value that could be a secret.
//
// # Where to look
//
//   - load.go: the file, its `[defaults]` and `[skills.X]`; variants.go: `tools` and `instances`; limits.go: timeouts and sizes
//   - docker.go: `[skills.X.docker]`; expand.go: `${VARIABLES}`
//   - call.go: how a tool is called; parameters.go, keywords.go, schemacheck.go: parameters as JSON Schema;
//     template.go: argv templates; check.go: whether templates and parameters fit together
//   - bind.go: one call; decode.go, schema.go: its arguments; explain.go, argerror.go: what is wrong with them;
//     paths.go: files; render.go: argv
//   - docs.go: documentation and examples; prompt.go: `[prompts.X]`; server.go: `[server]`; complete.go: what an argument could be
//   - progress.go: how far a program has come, by its output
package skills
