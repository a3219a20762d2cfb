//go:build faults

package faults

import (
	"os"
	"strings"
	"syscall"
	"time"
)

// serverFaults are the ends that a server can come to, and what other servers make of them.
func serverFaults() []fault {
	const group = "server"
	return []fault{
		{
			group: group, name: "is told to stop (SIGTERM)", short: true,
			flags: []string{"--grace", "2s", "--max-concurrent", "2", "--log-level", "debug"},
			// The last one is still queued when the grace period is over.
			programs: []program{{script: "sleep 1; echo done", want: prints("done\n")}, {script: deaf, want: fails("cancelled")}, {script: deaf, want: fails("cancelled")}, {script: deaf, want: fails("cancelled")}},
			begun:    2,
			strike: func(s *scene) {
				_ = s.server.signal(syscall.SIGTERM)
				s.over = true
				s.mustExit(15*time.Second, 0)
			},
			after: (*scene).saysWhatItRemoved,
		},
		{
			group: group, name: "is told to stop twice", short: true,
			flags:    []string{"--grace", "60s"},
			programs: times(3, program{script: deaf}),
			strike: func(s *scene) {
				_ = s.server.signal(syscall.SIGINT)
				time.Sleep(300 * time.Millisecond)
				_ = s.server.signal(syscall.SIGTERM)
				s.gone, s.over = true, true
				s.mustExit(3*time.Second, anyCode)
			},
		},
		{
			group: group, name: "is killed, another one starts", short: true,
			programs: times(3, program{script: deaf}),
			strike: func(s *scene) {
				s.noteVolumes()
				s.killServer()
				s.start(launch{})
			},
		},
		{
			// Some of the containers are being made, some were not started yet: no program in them obeys anything.
			group: group, name: "is killed while it starts calls, another one starts",
			flags:    []string{"--max-concurrent", "12"},
			programs: times(12, program{script: deaf}),
			begun:    2,
			strike: func(s *scene) {
				s.killServer()
				time.Sleep(2 * time.Second) // the engine is still at it
				s.start(launch{})
			},
		},
		{
			// The deadline is the skill's timeout, and the container obeys it by itself.
			group: group, name: "is killed, nobody comes after it", short: true,
			skill:    `timeout = "3s"`,
			programs: times(3, program{script: deaf}),
			strike: func(s *scene) {
				s.noteVolumes()
				s.killServer()
				s.over = true
				time.Sleep(3 * time.Second)
			},
		},
		{
			group: group, name: "is killed with idle containers", short: true,
			skill:    "warm = 2",
			programs: times(2, program{script: "echo on", want: prints("on\n")}),
			mend: func(s *scene) { // after the answers: only what waits for calls is there
				time.Sleep(time.Second)
				s.note("%d idle", len(s.engine.containers(s.TB, s.tool, false)))
				s.killServer()
				s.gone, s.over = false, true
			},
		},
		{
			group: group, name: "is killed with open sessions", short: true,
			skill:    "session = true",
			programs: times(2, program{script: "echo on", want: prints("on\n")}),
			mend: func(s *scene) {
				s.openSessions(3)
				s.killServer()
				s.gone, s.over = false, true
			},
		},
		{
			// One of them has a call under way, which has its time to end.
			group: group, name: "is told to stop with open sessions", short: true,
			flags:    []string{"--grace", "2s"},
			skill:    "session = true",
			programs: []program{{script: deaf, want: fails("cancelled")}},
			strike: func(s *scene) {
				s.openSessions(3)
				_ = s.server.signal(syscall.SIGTERM)
				s.over = true
				s.mustExit(15*time.Second, 0)
			},
		},
		besides("comes and goes beside another one", false, func(*scene) []string { return nil }),
		besides("comes and goes beside another one, in a PID namespace of its own", true, func(*scene) []string {
			return []string{"unshare", "--pid", "--fork", "--kill-child", "--mount-proc"}
		}),
		besides("comes and goes beside another one, on another machine", false, func(s *scene) []string {
			s.write("boot_id", "6b8b4567-327b-23c6-643c-986966334873\n")
			return []string{"unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
				`mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"`, s.path("boot_id")}
		}),
		{
			group: group, name: "is killed beside another one, a third one starts",
			programs: times(2, program{script: untilGo, want: prints("went\n")}),
			strike: func(s *scene) {
				first := s.server
				s.start(launch{})
				abandoned := s.server.call(s.tool, ": >begun-abandoned; "+deaf, "")
				waitFor(s.TB, "the second server's program", 20*time.Second, func() bool {
					_, err := os.Stat(s.path("begun-abandoned"))
					return err == nil || abandoned.done()
				})
				_ = s.server.signal(syscall.SIGKILL)
				s.start(launch{})
				waitFor(s.TB, "the killed server's container to go", 10*time.Second, func() bool {
					return len(s.engine.containers(s.TB, s.tool, true)) == len(s.programs)
				})
				s.works(s.tool + "_other")
				s.server = first
				s.write("go", "")
			},
		},
	}
}

// saysWhatItRemoved wants the server's log to tell at debug level that the containers of its last calls were removed.
func (s *scene) saysWhatItRemoved() {
	for line := range strings.Lines(s.server.log.String()) {
		if strings.Contains(line, "DBG") && strings.Contains(line, "remove") && strings.Contains(line, "skillet-"+s.tool) {
			return
		}
	}
	s.problem("the log does not say at debug level that containers were removed")
}

// openSessions opens sessions, each with a process that runs on, and returns their names.
func (s *scene) openSessions(n int) (opened []string) {
	s.Helper()
	for range n {
		reply := s.callIn("new", deaf+" & echo open")
		if reply.failed {
			s.Fatalf("no session was opened: %.300s", reply.text)
		}
		opened = append(opened, reply.result.Session)
	}
	waitFor(s.TB, "the engine to know all sessions", 10*time.Second, func() bool {
		return len(s.engine.containers(s.TB, s.tool, false)) == n+s.unanswered()
	})
	s.note("%d sessions", n)
	return opened
}

// callIn makes a call of a session, and waits for its answer.
func (s *scene) callIn(session, script string) reply {
	s.Helper()
	call := s.server.send("tools/call", map[string]any{"name": s.tool, "arguments": map[string]any{
		"args": []string{"-c", script}, "session": session,
	}})
	if !call.wait(time.Now().Add(30 * time.Second)) {
		s.Fatal("a call of a session was not answered")
	}
	return call.reply
}

// saysItsOver wants a session to have ended, and to say so.
func (s *scene) saysItsOver(session string) {
	s.Helper()
	if err := fails("session has ended")(s.callIn(session, "echo on")); err != nil {
		s.problem("a session: %v", err)
	}
}

// unanswered counts the calls whose containers are not those of sessions.
func (s *scene) unanswered() (count int) {
	for _, call := range s.calls {
		if !call.done() {
			count++
		}
	}
	return count
}

// killServer kills the server, which owes no answers then.
func (s *scene) killServer() {
	_ = s.server.signal(syscall.SIGKILL)
	s.server.exits(10 * time.Second)
	s.gone = true
}

// besides is a second server that starts, works and ends while the first one has calls in flight, which it must not touch.
func besides(name string, short bool, in func(*scene) []string) fault {
	return fault{
		group: "server", name: name, short: short,
		programs: times(2, program{script: untilGo, want: prints("went\n")}),
		strike: func(s *scene) {
			first := s.server
			s.start(launch{in: in(s)})
			s.works(s.tool + "_other")
			time.Sleep(time.Second) // for what it does behind its calls
			s.server.end(s.TB)
			s.server = first
			s.write("go", "")
		},
	}
}
