// Package policy decides what may run. It is the operator's side of skillet: its file is never skills.toml, which may
// come with somebody's repository.
//
//	p, err := policy.Load("policy.toml", policy.Options{…}) // or policy.New for the defaults
//	verdicts := p.VetAll(set.Skills)   // at load: a skill that is refused is not offered at all
//	plan, err := p.Approve(invocation) // at each call: what is approved is what runs
//
// Approve first makes a [Container] out of the invocation: volumes and extra_args parsed into typed fields, host paths
// canonical, nothing left to interpret. Then every rule judges that value. A [Plan] holds the value and cannot be made
// elsewhere, and the runtime takes nothing but a Plan: so no rule can be bypassed by a spelling that the policy read in
// one way and the engine in another.
//
// A refusal is [DeniedErrors]: for each broken rule its name, what broke it, why, and what to do. The rule's name is the
// key of the policy file that relaxes or tightens it. Where it is a key of skills.toml instead, such as "image", "volumes" or
// "extra_args", or "workdir", it is about the form of a skill, and nothing relaxes it.
//
// # Where to look
//
//   - levels.go: the rules by level, privileged, baseline and restricted; file.go: the policy file
//   - container.go, plan.go: what is judged and what is approved
//   - resolve.go: invocation to container; volumes.go, extraargs.go, settings.go: the texts in it
//   - rules.go: one function per rule; hostpath.go: the host's paths that they guard;
//     look.go: what host paths mean
package policy
