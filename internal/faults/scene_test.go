//go:build faults

package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// scene is a fault at work.
type scene struct {
	testing.TB
	fault
	tool    string // the skill's name, and the beginning of its containers'
	workdir string
	engine  *engine
	server  *server // the one in use
	servers []*server
	calls   []*request

	gone      bool // nobody is there any more to answer the calls, or to be answered
	over      bool // no more calls can be made
	struck    time.Time
	volumes   []string // the anonymous volumes that containers were seen with
	counted   bool     // the leftovers are
	leftovers struct{ containers, volumes []string }
	problems  []string
	notes     []string
}

func newScene(t testing.TB, f fault) *scene {
	t.Helper()
	s := &scene{TB: t, fault: f, tool: newTool(), workdir: t.TempDir(), engine: privateEngine(t)}
	s.write("skills.toml", f.config(s.tool))
	return s
}

// play lets the fault happen and looks at what comes of it.
func (s *scene) play() {
	s.Cleanup(s.sweep)
	first := launch{}
	if s.relayed {
		first.by = relayed(s.TB)
	}
	s.start(first)
	s.do(s.before)
	stop := s.observe()
	for i := range s.programs {
		s.send(i)
	}
	s.awaitBegun()
	s.struck = time.Now()
	s.do(s.strike)
	s.awaitAnswers()
	stop()
	s.do(s.mend)
	s.awaitDeath()
	s.countLeftovers()
	s.callOnceMore()
	s.do(s.after)
	s.judgeServers()
}

func (s *scene) do(step func(*scene)) {
	if step != nil {
		step(s)
	}
}

// send makes the call of a program, which leaves a sign that it has begun.
func (s *scene) send(i int) {
	p := s.programs[i]
	s.calls = append(s.calls, s.server.call(s.tool, fmt.Sprintf(": >begun-%d; %s", i, p.script), p.stdin))
}

// also makes one more call, in the midst of a fault.
func (s *scene) also(p program) {
	s.programs = append(s.programs, p)
	s.send(len(s.programs) - 1)
}

// start starts a server, which is the one in use from then on.
func (s *scene) start(l launch) *server {
	s.Helper()
	l.config, l.workdir, l.flags, l.host = s.path("skills.toml"), s.workdir, slices.Concat(s.flags, l.flags), s.engine.host
	s.server = l.start(s.TB)
	s.servers = append(s.servers, s.server)
	return s.server
}

// observe pings the server while the fault lasts, and does what the fault wants to observe besides.
func (s *scene) observe() (stop func()) {
	if s.silent {
		return func() {}
	}
	server := s.server
	pings := repeat(20*time.Millisecond, func() *request { return server.send("ping", struct{}{}) })
	watched := func() {}
	if s.watch != nil {
		watched = s.watch(s)
	}
	return func() {
		watched()
		patience := 3 * time.Second
		if s.gone || s.over {
			patience = 0
		}
		took, err := pings(patience)
		if err != nil {
			s.problem("a ping: %v", err)
		}
		s.judgePings(took)
	}
}

func (s *scene) awaitBegun() {
	s.Helper()
	want := s.begun
	switch want {
	case 0:
		want = len(s.programs)
	case none:
		return
	}
	waitFor(s.TB, fmt.Sprintf("%d programs to start", want), 30*time.Second, func() bool {
		begun, _ := filepath.Glob(s.path("begun-*"))
		return len(begun) >= want || s.allAnswered()
	})
}

// running lists the containers of all calls, once the engine knows that they run, too: programs know it earlier.
func (s *scene) running() (names []string) {
	s.Helper()
	waitFor(s.TB, "the engine to know all containers", 10*time.Second, func() bool {
		names = s.engine.containers(s.TB, s.tool, false)
		return len(names) >= len(s.calls)
	})
	return names
}

func (s *scene) allAnswered() bool {
	return !slices.ContainsFunc(s.calls, func(call *request) bool { return !call.done() })
}

// sweep removes what should not have been left, so that one fault does not disturb the next.
func (s *scene) sweep() {
	if left := s.engine.containers(s.TB, s.tool, true); len(left) > 0 {
		_, _ = s.engine.tryDocker(append([]string{"rm", "--force", "--volumes"}, left...)...)
	}
}

func (s *scene) path(name string) string { return filepath.Join(s.workdir, name) }

func (s *scene) write(name, text string) {
	s.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o644); err != nil {
		s.Fatal(err)
	}
}

// begins tells whether a call's program has ever run.
func (s *scene) begins(i int) bool {
	_, err := os.Stat(s.path(fmt.Sprintf("begun-%d", i)))
	return err == nil
}
