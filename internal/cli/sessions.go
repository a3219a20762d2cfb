package cli

import (
	"context"

	"skillet/mcpserver"
	"skillet/policy"
	"skillet/runtime"
)

// session is a session whose container is made as a call's own is: its image may have to be built anew before that.
type session struct {
	*runtime.Session
	rebuilds *rebuilds
	begun    bool // one call at a time reads and writes it
}

// opener begins sessions.
func opener(r *runtime.Runtime, rebuilds *rebuilds) func(policy.Plan) (mcpserver.Session, error) {
	return func(plan policy.Plan) (mcpserver.Session, error) {
		opened, err := r.Open(plan)
		if err != nil {
			return nil, err
		}
		return &session{Session: opened, rebuilds: rebuilds}, nil
	}
}

func (s *session) Run(ctx context.Context, plan policy.Plan, live runtime.IO) (runtime.Result, error) {
	if s.begun {
		return s.Session.Run(ctx, plan, live)
	}
	s.begun = true // nobody else knows of it before its first call has returned
	return s.rebuilds.run(ctx, plan, live, s.Session.Run)
}
