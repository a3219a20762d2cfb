package skills

import (
	"fmt"
	"slices"
	"strings"

	"skillet/skills/tomldoc"
)

// JobTools are the tools for calls that go on as jobs: see [Skill.Jobs].
var JobTools = []string{"job_status", "job_output", "job_cancel"}

// Jobs reports whether a call may go on as a job: its client gets a handle of it, and asks for the result later.
func (s *Skill) Jobs() bool { return s.Background || s.Wait > 0 }

// readPatience reads for how long a call is waited for. `wait` counts from the request, as the patience of clients does: it may
// be more than a program's timeout.
func readPatience(t tomldoc.Table, d *draft) {
	if background, ok := t.Bool("background"); ok {
		d.background = background
	}
	wait, ok := t.Duration("wait")
	switch {
	case ok && (wait <= 0 || wait > maxTimeout):
		t.Fail("wait", fmt.Sprintf("is %s, expected more than 0 and at most 24h", wait), "to wait for nothing, write background = true")
	case ok && d.background:
		t.Fail("wait", "has no effect with background = true, where no call is waited for", "remove one of the two, or write background = false here")
	case ok:
		d.wait = wait
	}
}

// jobToolsAreFree refuses skills with the names of the tools for jobs where these are needed.
func (l *loader) jobToolsAreFree() {
	if !slices.ContainsFunc(l.set.Skills, (*Skill).Jobs) {
		return
	}
	for _, t := range l.namedAsJobTools {
		t.Fail("", "gives a name that is taken: "+strings.Join(JobTools, ", ")+" are skillet's own tools where a skill has `background` or `wait`",
			"rename it")
	}
}
