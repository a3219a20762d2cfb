// Package mcpserver offers skills as tools of the Model Context Protocol. It translates and decides nothing: a call goes
// to [skills.Skill.Bind], then to [policy.Policy.Approve], then to a [Runner], and what comes back becomes a result.
//
//	server, err := mcpserver.New(mcpserver.Options{Skills: vetted, Caller: mcpserver.Caller{Policy: p, Runner: r}})
//	err = server.ServeStdio(ctx, os.Stdin, os.Stdout)           // or
//	err = server.ServeStreamable(ctx, listener, nil, options) // over HTTP
//
// Everything that a model could mend, or has to know about, is a tool result with isError (2025-11-25, Tools, "Error
// Handling"): wrong arguments, a refusal of the policy, a failed program, an engine that does not answer. Protocol errors
// are left for what no model can mend, such as an unknown tool.
//
// # Where to look
//
//   - server.go: the tools, and how they are replaced; tool.go: what a client is told about a skill
//   - connection.go: one client over stdio; http.go: clients over HTTP; session.go: the protocol's two eras, and who hears of
//     a changed list
//   - call.go: one call; progress.go: what its client is told meanwhile, tap.go and message.go: out of what; overflow.go: what it
//     writes, in full
//   - result.go: a program's end as a result; content.go: bytes as content; files.go: files that a call made
//   - resources.go: what a client can read; uri.go: by which name; ledger.go: which files
//   - documents.go: documentation, prompts and completion; finder.go: two tools in the place of many
package mcpserver
