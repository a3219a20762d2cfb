//go:build faults

package faults

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// awaitAnswers waits for what is owed, and judges it.
func (s *scene) awaitAnswers() {
	limit := s.within
	if limit == 0 {
		limit = 20 * time.Second
	}
	deadline := s.struck.Add(limit)
	for i, call := range s.calls {
		if !s.owed(call) {
			continue
		}
		if !call.wait(deadline) {
			s.problem("call %d has no answer after %s", i, limit)
			continue
		}
		if err := s.programs[i].want(call.reply); err != nil {
			s.problem("call %d: %v", i, err)
		}
	}
}

// owed tells whether a call is owed an answer.
func (s *scene) owed(call *request) bool { return !s.gone && call.cancelled.IsZero() }

// awaitDeath waits for the programs' end, which comes before their containers'.
func (s *scene) awaitDeath() {
	if s.dead == 0 {
		return
	}
	since := s.struck
	for _, call := range s.calls {
		if call.done() && call.reply.at.After(since) {
			since = call.reply.at
		}
	}
	// The time to ask is not the time to die: what counts is when they were last seen alive.
	seen := since
	for asked := time.Now(); len(s.engine.containers(s.TB, s.tool, false)) > 0; asked = time.Now() {
		seen = asked
		if time.Since(since) > s.dead+10*time.Second {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if took := seen.Sub(since).Round(10 * time.Millisecond); took > s.dead {
		s.problem("programs ran for %s after their calls, not %s", took, s.dead)
	}
}

// countLeftovers gives the containers 10 seconds to go.
func (s *scene) countLeftovers() {
	s.Helper()
	left := &s.leftovers
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		left.containers, left.volumes = s.engine.containers(s.TB, s.tool, true), s.volumesLeft()
		s.counted = true
		if len(left.containers)+len(left.volumes) == 0 {
			return
		}
		if time.Now().After(deadline) {
			break
		}
	}
	s.problem("left: %d containers, %d volumes", len(left.containers), len(left.volumes))
	s.Logf("left behind:\n%s\n%s", s.engine.docker(s.TB, "ps", "-a", "--filter", "name=skillet-"+s.tool), strings.Join(left.volumes, "\n"))
}

// noteVolumes remembers the anonymous volumes of the containers that run.
func (s *scene) noteVolumes() {
	s.Helper()
	for _, name := range s.running() {
		s.volumes = append(s.volumes, strings.Fields(s.engine.docker(s.TB, "inspect", "--format",
			`{{range .Mounts}}{{if and (eq .Type "volume") (ne .Destination "/.skillet")}}{{.Name}} {{end}}{{end}}`, name))...)
	}
	if len(s.volumes) == 0 {
		s.Fatal("no container with an anonymous volume was seen")
	}
}

func (s *scene) volumesLeft() (left []string) {
	for _, name := range s.volumes {
		if _, err := s.engine.tryDocker("volume", "inspect", name); err == nil { // nil: it is there
			left = append(left, name)
		}
	}
	return left
}

// callOnceMore sees whether the server still does its work.
func (s *scene) callOnceMore() {
	if !s.over {
		s.works(s.tool + "_other")
	}
}

// works makes a call that has to succeed.
func (s *scene) works(tool string) {
	call := s.server.call(tool, "echo on", "")
	if !call.wait(time.Now().Add(30 * time.Second)) {
		s.problem("the next call has no answer")
		return
	}
	if err := prints("on\n")(call.reply); err != nil {
		s.problem("the next call: %v", err)
	}
}

// maxGrowth is how much a server may grow above its idle memory, in KiB.
const maxGrowth = 64 << 10

// judgeServers looks at the servers as they end.
func (s *scene) judgeServers() {
	grown := s.servers[0].resident("VmHWM") - s.servers[0].idle
	if grown > 8<<10 {
		s.note("memory +%d MiB", grown>>10)
	}
	if grown > maxGrowth && !*racy {
		s.problem("the server grew by %d MiB", grown>>10)
	}
	for _, server := range s.servers {
		ends := server.alive()
		server.end(s.TB)
		if ends && server.state.ExitCode() != 0 {
			s.problem("the server ended with %s", server.state)
		}
		for _, wrong := range server.misdeeds() {
			s.problem("the server has sent %s", wrong)
		}
		for _, word := range []string{"panicked", "DATA RACE", "goroutine 1 ["} {
			if strings.Contains(server.log.String(), word) {
				s.problem("the server's log has %q", word)
			}
		}
		if s.Failed() {
			s.Logf("log of the server:\n%s", server.log)
		}
	}
	if left := s.engine.containers(s.TB, s.tool, true); len(left) > 0 && len(s.leftovers.containers) == 0 {
		s.problem("left at the server's end: %s", strings.Join(left, " "))
	}
}

// judgePings notes the slowest ping. The promise is 50 ms, on a machine that has time for it; the bounds here are for one that
// does several other things. A server that holds up its pings behind its calls is far beyond them.
func (s *scene) judgePings(took []time.Duration) {
	if len(took) == 0 {
		return
	}
	slices.Sort(took)
	usual, slowest := took[len(took)*95/100], took[len(took)-1]
	s.note("ping ≤ %s", slowest.Round(time.Millisecond))
	if usual > 250*time.Millisecond || slowest > 3*time.Second {
		s.problem("pings took up to %s, one in twenty more than %s", slowest, usual)
	}
}

func (s *scene) problem(format string, args ...any) {
	s.Helper()
	s.problems = append(s.problems, fmt.Sprintf(format, args...))
	s.Errorf(format, args...)
}

func (s *scene) note(format string, args ...any) {
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}
