//go:build faults

package faults

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// jobFaults are ends of servers and clients with calls that have their answers, and go on.
func jobFaults() []fault {
	const group = "jobs"
	return []fault{
		{
			// One ends within the grace period, one does not, and one is still queued when that is over.
			group: group, name: "the server is told to stop (SIGTERM)", short: true,
			flags:    []string{"--grace", "2s", "--max-concurrent", "2"},
			skill:    "background = true",
			programs: []program{{script: "sleep 1; touch ended", want: becomesAJob}, {script: deaf, want: becomesAJob}, {script: deaf, want: becomesAJob}},
			begun:    none,
			strike: func(s *scene) {
				s.awaitPrograms(2)
				_ = s.server.signal(syscall.SIGTERM)
				s.over = true
				s.mustExit(15*time.Second, 0)
				if found, _ := filepath.Glob(s.path("ended")); found == nil {
					s.problem("the job that had the time to end did not")
				}
			},
		},
		{
			group: group, name: "the server is killed, another one starts", short: true,
			skill:    "background = true",
			programs: times(3, program{script: deaf, want: becomesAJob}),
			begun:    none, dead: 3 * time.Second,
			strike: func(s *scene) {
				s.awaitAnswers()
				s.awaitPrograms(3)
				s.noteVolumes()
				handle := handleIn(s.TB, s.calls[0].reply)
				s.killServer()
				s.start(launch{})
				status := s.server.send("tools/call", map[string]any{"name": "job_status", "arguments": map[string]any{"job": handle}})
				if !status.wait(time.Now().Add(5*time.Second)) || status.reply.failed || !strings.Contains(status.reply.text, "its result is lost") {
					s.problem("the next server says of the job: %+v", status.reply)
				}
			},
		},
		{
			group: group, name: "the client is killed",
			relayed: true, flags: []string{"--grace", "60s"},
			skill:    `wait = "1s"`,
			programs: times(3, program{script: deaf, want: becomesAJob}),
			begun:    none,
			strike: func(s *scene) {
				s.awaitAnswers()
				_ = s.server.starts.Signal(syscall.SIGKILL)
				s.gone, s.over = true, true
				s.mustExit(15*time.Second, anyCode)
			},
		},
		{
			// From the first moment of a job to that in which its program runs.
			group: group, name: "are cancelled at any moment", short: true,
			flags:    []string{"--max-concurrent", "12"},
			skill:    "background = true",
			programs: times(24, program{script: deaf, want: becomesAJob}),
			begun:    none, dead: 3 * time.Second,
			strike: func(s *scene) {
				for _, call := range s.calls {
					if !call.wait(time.Now().Add(5 * time.Second)) {
						s.problem("a job has no handle")
						return
					}
				}
				for _, call := range s.calls {
					handle := handleIn(s.TB, call.reply)
					ended := s.server.send("tools/call", map[string]any{"name": "job_cancel", "arguments": map[string]any{"job": handle}})
					if !ended.wait(time.Now().Add(5*time.Second)) || ended.reply.failed || !strings.Contains(ended.reply.text, "cancelled after") {
						s.problem("a job that was ended says %+v", ended.reply)
					}
				}
			},
		},
	}
}

// becomesAJob wants the handle of a job.
func becomesAJob(r reply) error {
	if r.failed || !strings.Contains(r.text, "goes on as the job ") {
		return fmt.Errorf("want a job, got failed=%t %.300q", r.failed, r.text)
	}
	return nil
}

// handleIn is the handle in an answer.
func handleIn(t testing.TB, r reply) string {
	t.Helper()
	_, rest, _ := strings.Cut(r.text, "goes on as the job ")
	handle, _, _ := strings.Cut(rest, " ")
	return handle
}

// awaitPrograms waits for programs whose calls are answered before they run.
func (s *scene) awaitPrograms(want int) {
	s.Helper()
	waitFor(s.TB, fmt.Sprintf("%d programs to start", want), 30*time.Second, func() bool {
		begun, _ := filepath.Glob(s.path("begun-*"))
		return len(begun) >= want
	})
	s.struck = time.Now()
}
