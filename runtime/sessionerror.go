package runtime

import "fmt"

// SessionError says that a call cannot be one of a session's. Nothing has run, and the session is as it was.
type SessionError struct {
	Skill, Reason string
}

func (e *SessionError) Error() string { return fmt.Sprintf("%s: the session %s.", e.Skill, e.Reason) }

const noSupervisor = "needs a container with a supervisor: none with rm = false or a PID namespace that is not its own, " +
	"and none on an engine that is neither amd64 nor arm64"

// SessionGoneError says that a session has ended, and so its container is gone. The call has not run.
type SessionGoneError struct {
	Skill, Why string
}

func (e *SessionGoneError) Error() string {
	return fmt.Sprintf("%s: the session has ended: %s. Nothing of it is left, and this call has not run.", e.Skill, e.Why)
}
