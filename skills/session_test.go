package skills_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"skillet/skills"
)

func TestASkillWithSessionsTakesASession(t *testing.T) {
	set := parse(t, `
[skills.x]
session = true
args = ["{text}"]
parameters.text = { type = "string", required = true }
docker = { image = "debian" }
[skills.y]
session = true
session_idle = "1h"
docker = { image = "debian" }
tools.short = { args = ["a"], session_idle = "30s" }
tools.none = { args = ["a"], session = false }
[skills.z]
docker = { image = "debian" }
`)
	for name, idle := range map[string]time.Duration{"x": 10 * time.Minute, "y_short": 30 * time.Second, "y_none": 0, "z": 0} {
		s := set.Find(name)
		if s.Prototype().SessionIdle != idle || s.Session != (idle > 0) || strings.Contains(string(s.InputSchema), `"session"`) != s.Session {
			t.Errorf("%s: idle %s, session %t, %s", name, s.Prototype().SessionIdle, s.Session, s.InputSchema)
		}
		if slices.Contains(s.ParameterNames(), "session") {
			t.Errorf("%s: the session is among the skill's own parameters", name)
		}
	}
	for given, want := range map[string]string{
		`{"text": "a"}`: "", `{"text": "a", "session": ""}`: "", `{"text": "a", "session": "new"}`: skills.NewSession, `{"text": "a", "session": "ABC"}`: "ABC",
	} {
		inv, err := set.Find("x").Bind(json.RawMessage(given))
		if err != nil || inv.Session != want || !slices.Equal(inv.Command, []string{"a"}) {
			t.Errorf("%s: %q %q %v", given, inv.Session, inv.Command, err)
		}
	}
	for name, given := range map[string]string{"x": `{"text": "a", "session": 7}`, "z": `{"session": "new"}`} {
		if _, err := set.Find(name).Bind(json.RawMessage(given)); err == nil || !strings.Contains(err.Error(), "session: ") {
			t.Errorf("%s: %v", given, err)
		}
	}
}

func TestMistakesAboutSessions(t *testing.T) {
	for text, want := range map[string]string{
		`session = 1`:                            `f:2: skills.x.session: is an integer, expected true or false`,
		`session_idle = "1m"`:                    `f:2: skills.x.session_idle: is for sessions, and the skill has none (add session = true, or remove it)`,
		"session = true\nsession_idle = \"1ms\"": `f:3: skills.x.session_idle: is 1ms, expected at least 1s and at most 24h`,
		"session = true\nsession_idle = \"25h\"": `f:3: skills.x.session_idle: is 25h0m0s, expected at least 1s and at most 24h`,
		"session = true\ndocker.rm = false":      `f:2: skills.x.session: does not go with rm = false: a session's container is gone after the session (remove one of the two)`,
		"session = true\nargs = [[\"{session}\"]]\nparameters.session.type = 'string'": `f:4: skills.x.parameters.session: is skillet's own parameter in a skill with session = true (rename it)`,
		"session = true\n[skills.session_end]\ndocker.image = 'a'":                     `f:4: skills.session_end: gives the tool name "session_end", which is skillet's own tool beside skills with session = true, such as x (rename it)`,
	} {
		head, tail, _ := strings.Cut(text, "\n[")
		if tail != "" {
			tail = "\n[" + tail
		}
		if got := mistakes(t, "[skills.x]\n"+head+"\ndocker.image = 'a'"+tail); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", text, got, want)
		}
	}
	if _, err := skills.Parse("f", []byte("skills.session_end.docker.image = 'a'"), environment()); err != nil {
		t.Errorf("without sessions: %v", err)
	}
}
