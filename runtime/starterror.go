package runtime

import (
	"fmt"
	"regexp"
	"strings"

	"skillet/policy"
)

// StartReason says why the engine did not start a program.
type StartReason string

// The reasons that are told apart.
const (
	ProgramNotFound      StartReason = "program not found"
	ProgramNotExecutable StartReason = "program not executable"
	BadWorkingDir        StartReason = "working directory"
	BadUser              StartReason = "user or group"
	BadMount             StartReason = "mount"
	BadNetwork           StartReason = "network"
	BadDevice            StartReason = "device"
	OtherReason          StartReason = "other"
)

// StartError says that the engine has refused to make the container or to start the program. Nothing has run.
type StartError struct {
	Skill, Image string
	Program      string // as the engine names it; "" when the program is not the reason
	Reason       StartReason
	ExitCode     int    // what `docker run` exits with: 127 not found, 126 not executable, 125 all else
	Detail       string // the engine's words
}

func (e *StartError) Error() string {
	const format = "%s: not started: %s"
	switch e.Reason {
	case ProgramNotFound:
		return fmt.Sprintf(format, e.Skill, fmt.Sprintf("the image %s has no program %q (exit code 127). "+
			"Name one that it has, in `entrypoint` or as the first of `command`.", e.Image, e.Program))
	case ProgramNotExecutable:
		return fmt.Sprintf(format, e.Skill, fmt.Sprintf("%q in the image %s cannot be executed by the container's user (exit code 126). "+
			"Name a program in `entrypoint` or as the first of `command`.", e.Program, e.Image))
	case OtherReason:
		return fmt.Sprintf(format, e.Skill, fmt.Sprintf("the engine refused a container of the image %s: %s.", e.Image, e.Detail))
	default:
		return fmt.Sprintf(format, e.Skill, fmt.Sprintf("the %s of the skill cannot be used with the image %s: %s.", e.Reason, e.Image, e.Detail))
	}
}

// execFailure finds the program in what runc says, and crun.
var execFailure = regexp.MustCompile("exec: \"([^\"]*)\"|executable file [`'\"]([^`'\"]*)[`'\"] not found")

// startReasons maps words of the engine, runc and crun, in lower case, to reasons. The engine has one status code for all
// of them, and the words differ between versions; what is not listed is OtherReason, with the engine's own text. The first
// match counts.
var startReasons = []struct {
	words  []string
	reason StartReason
}{
	{[]string{"chdir to cwd", "cannot mkdir", "working directory", "set the cwd"}, BadWorkingDir},
	{[]string{"unable to find user", "unable to find group", "invalid user", "no matching entries in", "uids and gids must be"}, BadUser},
	{[]string{"mount config", "bind source path", "error mounting", "volume", "shared mount", "slave mount", "mount point"}, BadMount},
	{[]string{"network", "endpoint"}, BadNetwork},
	{[]string{"device"}, BadDevice},
}

// newStartError explains what the engine said to the creation or the start of c.
func newStartError(c policy.Container, err error) *StartError {
	e := &StartError{Skill: c.Skill, Image: c.Image, Reason: OtherReason, ExitCode: 125, Detail: detail(c, err)}
	words := strings.ToLower(e.Detail)
	if match := execFailure.FindStringSubmatch(e.Detail); match != nil {
		e.Program = match[1] + match[2]
		switch {
		case strings.Contains(words, "not found"), strings.Contains(words, "no such file or directory"):
			e.Reason, e.ExitCode = ProgramNotFound, 127
		case strings.Contains(words, "permission denied"), strings.Contains(words, "is a directory"):
			e.Reason, e.ExitCode = ProgramNotExecutable, 126
		}
		return e
	}
	for _, known := range startReasons {
		for _, word := range known.words {
			if strings.Contains(words, word) {
				e.Reason = known.reason
				return e
			}
		}
	}
	return e
}

// detail is the engine's text, shortened, and without variables: an engine that finds one malformed quotes it.
func detail(c policy.Container, err error) string {
	const most = 1000
	text := reason(err)
	for _, variable := range c.Env {
		key, value, _ := strings.Cut(variable, "=")
		if value != "" {
			text = strings.ReplaceAll(text, variable, key+"=…")
		}
	}
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
