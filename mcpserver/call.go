package mcpserver

import (
	"context"
	"encoding/json"

	"skillet/policy"
	"skillet/runtime"
	"skillet/skills"
)

// Runner runs approved plans. [runtime.Runtime] is one.
type Runner interface {
	Run(ctx context.Context, plan policy.Plan, io runtime.IO) (runtime.Result, error)
}

// Caller is the way of every call, whoever makes it: Bind, Approve, Run.
type Caller struct {
	Policy *policy.Policy
	Runner Runner
}

// Call makes one call, in a container of its own. The error is [skills.ArgErrors], [policy.DeniedErrors] or one of package
// runtime's; the result has what there is by then.
func (c Caller) Call(ctx context.Context, skill *skills.Skill, arguments json.RawMessage, io runtime.IO) (Outcome, error) {
	outcome, plan, err := c.prepare(skill, arguments)
	if err != nil {
		return Outcome{}, err
	}
	if outcome.Invocation.Session != "" {
		return Outcome{}, skills.ArgErrors{{Skill: skill.Name, Param: "session", Reason: "is for clients of skillet serve: this call has nobody to keep a container for"}}
	}
	outcome.Result, err = c.Runner.Run(ctx, plan, io)
	return outcome, err
}

// prepare is what comes before a call's container: Bind and Approve.
func (c Caller) prepare(skill *skills.Skill, arguments json.RawMessage) (Outcome, policy.Plan, error) {
	invocation, err := skill.Bind(arguments)
	if err != nil {
		return Outcome{}, policy.Plan{}, err
	}
	plan, err := c.Policy.Approve(invocation)
	return Outcome{Skill: skill, Invocation: invocation}, plan, err
}

// Outcome is what became of a call that was started.
type Outcome struct {
	Skill      *skills.Skill
	Invocation skills.Invocation
	Result     runtime.Result
}
