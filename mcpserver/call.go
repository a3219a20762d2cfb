package mcpserver

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"

	"skillet/mcpserver/workdir"
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

	traffic *workdir.Traffic // of all calls of a server; nil when there is one call only
}

// Call makes one call, in a container of its own. The error is [skills.ArgErrors], [policy.DeniedErrors] or one of package
// runtime's; the result has what there is by then.
func (c Caller) Call(ctx context.Context, skill *skills.Skill, arguments json.RawMessage, io runtime.IO) (Outcome, error) {
	invocation, plan, err := c.approve(skill, arguments)
	if err != nil {
		return Outcome{}, err
	}
	if invocation.Session != "" {
		return Outcome{}, skills.ArgErrors{{Skill: skill.Name, Param: "session", Reason: "is for clients of skillet serve: this call has nobody to keep a container for"}}
	}
	return c.run(ctx, Outcome{Skill: skill, Invocation: invocation}, plan, io, c.Runner)
}

// run makes a call that was approved, in a container that a runner provides.
func (c Caller) run(ctx context.Context, outcome Outcome, plan policy.Plan, io runtime.IO, by Runner) (_ Outcome, err error) {
	watch := c.watch(ctx, outcome.Skill, outcome.Invocation, plan)
	outcome.Result, err = by.Run(ctx, plan, io)
	outcome.Changes = watch.End(ctx)
	return outcome, err
}

// watch looks at the working directory before a call that can write there; nil for others.
func (c Caller) watch(ctx context.Context, skill *skills.Skill, invocation skills.Invocation, plan policy.Plan) *workdir.Watch {
	writes := slices.ContainsFunc(plan.Container().Mounts, func(mount policy.Mount) bool {
		return mount.Type == policy.MountBind && !mount.ReadOnly && (within(mount.Source, invocation.Workdir) || within(invocation.Workdir, mount.Source))
	})
	if !writes && len(invocation.Outputs) == 0 {
		return nil
	}
	return c.traffic.Begin(ctx, invocation.Workdir, workdir.Wanted{Named: invocation.Outputs, Find: writes && skill.FindsFiles()})
}

// within reports whether a path is a directory or lies below it. Both are canonical.
func within(path, directory string) bool {
	relative, err := filepath.Rel(directory, path)
	return directory != "" && err == nil && filepath.IsLocal(relative)
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
	Changes    workdir.Changes // in the working directory

	session *keptSession // nil for a call in a container of its own
}
