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

// Call makes one call. The error is [skills.ArgErrors], [policy.DeniedErrors] or one of package runtime's; the result
// has what there is by then.
func (c Caller) Call(ctx context.Context, skill *skills.Skill, arguments json.RawMessage, io runtime.IO) (Outcome, error) {
	invocation, plan, err := c.approve(skill, arguments)
	if err != nil {
		return Outcome{}, err
	}
	result, err := c.Runner.Run(ctx, plan, io)
	return Outcome{Skill: skill, Invocation: invocation, Result: result}, err
}

// Check says what is wrong with a call without making it. That nothing is now does not mean that nothing will be: the call
// itself is judged when it is made.
func (c Caller) Check(skill *skills.Skill, arguments json.RawMessage) error {
	_, _, err := c.approve(skill, arguments)
	return err
}

func (c Caller) approve(skill *skills.Skill, arguments json.RawMessage) (skills.Invocation, policy.Plan, error) {
	invocation, err := skill.Bind(arguments)
	if err != nil {
		return skills.Invocation{}, policy.Plan{}, err
	}
	plan, err := c.Policy.Approve(invocation)
	return invocation, plan, err
}

// Outcome is what became of a call that was started.
type Outcome struct {
	Skill      *skills.Skill
	Invocation skills.Invocation
	Result     runtime.Result
}
