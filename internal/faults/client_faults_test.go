//go:build faults

package faults

import (
	"strings"
	"syscall"
	"time"
)

// clientFaults are what clients do to their server.
func clientFaults() []fault {
	const group = "client"
	return []fault{
		{
			group: group, name: "cancels a running call",
			programs: times(1, program{script: deaf}),
			strike:   (*scene).cancelAll, dead: 3 * time.Second,
		},
		{
			group: group, name: "cancels a queued call",
			flags:    []string{"--max-concurrent", "1"},
			programs: []program{{script: untilGo, want: prints("went\n")}, {script: "echo ran"}, {script: "echo ran", want: prints("ran\n")}},
			begun:    1,
			strike: func(s *scene) {
				s.server.cancel(s.calls[1])
				time.Sleep(200 * time.Millisecond)
				s.write("go", "")
			},
			after: func(s *scene) {
				if s.begins(1) {
					s.problem("the cancelled call was made")
				}
			},
		},
		{
			group: group, name: "cancels 40 calls, 4 of which run", short: true,
			flags:    []string{"--max-concurrent", "4"},
			programs: times(40, program{script: deaf}),
			begun:    4,
			strike:   (*scene).cancelAll, dead: 3 * time.Second,
		},
		{
			// From the first moment, in which the container is not even asked for, to that in which its program runs.
			group: group, name: "cancels at any moment of a call", short: true,
			flags:    []string{"--max-concurrent", "24"},
			programs: times(24, program{script: "sleep 600"}),
			begun:    none,
			strike: func(s *scene) {
				for _, call := range s.calls {
					s.server.cancel(call)
					time.Sleep(40 * time.Millisecond)
				}
			},
		},
		{
			// The programs that end within the grace period give their answers, the others' calls say that they were ended.
			group: group, name: "closes its end of stdin",
			flags:    []string{"--grace", "3s"},
			programs: []program{{script: "sleep 1; echo done", want: prints("done\n")}, {script: "sleep 1; echo done", want: prints("done\n")}, {script: deaf, want: fails("cancelled")}},
			strike: func(s *scene) {
				s.server.in.Close()
				s.over = true
				s.mustExit(15*time.Second, 0)
			},
		},
		{
			// The first program ends while the server waits for the others. It has nobody to tell.
			group: group, name: "is killed", short: true,
			relayed: true, flags: []string{"--grace", "2s"},
			programs: []program{{script: "sleep 1; echo done"}, {script: deaf}, {script: deaf}},
			strike: func(s *scene) {
				_ = s.server.starts.Signal(syscall.SIGKILL)
				s.gone, s.over = true, true
				s.mustExit(15*time.Second, anyCode)
			},
		},
		{
			group: group, name: "closes its end of stdout",
			flags:    []string{"--grace", "2s"},
			silent:   true,
			programs: []program{{script: "sleep 1; echo done"}, {script: deaf}, {script: deaf}},
			strike: func(s *scene) {
				s.server.out.Close()
				s.gone, s.over = true, true
				s.mustExit(15*time.Second, anyCode)
			},
		},
		{
			group: group, name: "sends a message of 100 MB", short: true,
			silent:   true,
			programs: times(2, program{script: untilGo, want: prints("went\n")}),
			strike: func(s *scene) {
				s.also(program{script: "cat", stdin: strings.Repeat("x", 100<<20), want: fails("larger than")})
				s.write("go", "")
			},
		},
		{
			group: group, name: "does not read 40 MB of answers", short: true,
			flags:    []string{"--max-concurrent", "8"},
			silent:   true,
			programs: times(40, program{script: "head -c 1000000 /dev/zero | tr '\\0' x", want: writes(1000000)}),
			begun:    none, within: 60 * time.Second,
			before: func(s *scene) {
				resume := s.server.stopReading()
				go func() {
					time.Sleep(6 * time.Second)
					resume()
				}()
			},
		},
	}
}

// cancelAll cancels every call.
func (s *scene) cancelAll() {
	for _, call := range s.calls {
		s.server.cancel(call)
	}
	time.Sleep(500 * time.Millisecond) // an answer that comes now is wrong
}

// anyCode stands for an exit code that does not matter.
const anyCode = -2

// mustExit wants the server to end by itself.
func (s *scene) mustExit(limit time.Duration, code int) {
	s.Helper()
	if !s.server.exits(limit) {
		s.problem("the server still runs after %s", limit)
		return
	}
	if got := s.server.state.ExitCode(); code != anyCode && got != code {
		s.problem("the server ended with %s", s.server.state)
	}
}
