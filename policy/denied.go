package policy

import (
	"fmt"
	"strings"
)

// DeniedError is one broken rule. Its texts never hold the value of a variable, an argument or standard input.
type DeniedError struct {
	Skill   string
	Rule    string // key of the policy file, or the part of a skill that is malformed
	Subject string // what broke it; a host path is canonical here
	Reason  string
	Fix     string // what to do
}

func (e *DeniedError) Error() string {
	text := fmt.Sprintf("%s: %s", e.Rule, e.Reason)
	if e.Subject != "" {
		text = fmt.Sprintf("%s: %s: %s", e.Rule, e.Subject, e.Reason)
	}
	if e.Fix != "" {
		text += "; " + e.Fix
	}
	return text
}

// DeniedErrors are all rules that one skill breaks.
type DeniedErrors []*DeniedError

func (e DeniedErrors) Error() string {
	if len(e) == 0 {
		return "nothing refused"
	}
	lines := []string{"the policy refuses the skill " + e[0].Skill + ":"}
	for _, one := range e {
		lines = append(lines, "- "+one.Error())
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find the single refusals.
func (e DeniedErrors) Unwrap() []error {
	all := make([]error, len(e))
	for i, one := range e {
		all[i] = one
	}
	return all
}
