package skills

import (
	"fmt"
	"time"

	"skillet/skills/tomldoc"
)

// What a skill with `session = true` takes beside its parameters, and what belongs to it.
const (
	sessionParameterName = "session"
	// NewSession as the argument asks for a new session.
	NewSession = "new"
	// SessionEnd is the name of the tool that ends sessions.
	SessionEnd = "session_end"

	defaultSessionIdle = 10 * time.Minute
	maxSessionIdle     = 24 * time.Hour
)

// sessionParameter is what a caller may say about sessions.
var sessionParameter = &parameter{name: sessionParameterName, schema: map[string]any{
	"type": "string", "maxLength": int64(64),
	"description": `"new" keeps the container after this call and returns its session. Give that here to continue in the same container. ` +
		`Without it, the container is fresh and removed afterwards.`,
}}

// readSession reads `session` and `session_idle`, which a skill hands down to its tools and instances.
func readSession(t tomldoc.Table, d *draft) {
	if session, ok := t.Bool("session"); ok {
		d.session = session
	}
	idle, ok := t.Duration("session_idle")
	if !ok {
		return
	}
	if idle < time.Second || idle > maxSessionIdle {
		t.Fail("session_idle", fmt.Sprintf("is %s, expected at least 1s and at most 24h", idle), "")
	}
	if !d.session {
		t.Fail("session_idle", "is for sessions, and the skill has none", "add session = true, or remove it")
	}
	d.sessionIdle = idle
}

// sessions decides whether calls of a skill can share a container.
func (s *Skill) sessions(t tomldoc.Table, d draft) {
	if !d.session {
		return
	}
	s.Session = true
	s.prototype.SessionIdle = d.sessionIdle
	if d.invocation.Keep {
		t.Fail("session", "does not go with rm = false: a session's container is gone after the session", "remove one of the two")
	}
}

// callerParameters are all that a caller can give.
func (s *Skill) callerParameters() []*parameter {
	if !s.Session {
		return s.parameters
	}
	return append(s.parameters[:len(s.parameters):len(s.parameters)], sessionParameter)
}

// takesName refuses a parameter of the skill's own in the place of skillet's.
func (s *Skill) takesName(t tomldoc.Table) {
	if s.Session && s.parameter(sessionParameterName) != nil {
		t.FailAt(t.Path("parameters", sessionParameterName), "is skillet's own parameter in a skill with session = true", "rename it")
	}
}

// reserve refuses a skill with the name of skillet's own tool, where there is that tool.
func (l *loader) reserve() {
	if l.sessionEnd == nil {
		return
	}
	for _, s := range l.set.Skills {
		if s.Session {
			l.sessionEnd.Fail("", fmt.Sprintf("gives the tool name %q, which is skillet's own tool beside skills with session = true, such as %s",
				SessionEnd, s.Name), "rename it")
			return
		}
	}
}
