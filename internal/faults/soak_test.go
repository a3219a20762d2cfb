//go:build faults

package faults

import (
	"flag"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

var soak = flag.Int("soak", 0, "how many calls TestSoak makes; 0 leaves it out")

// TestSoak makes one server answer thousands of calls of all kinds, and wants it to be in the end what it was in the
// beginning: the same memory, files and goroutines, and no container.
func TestSoak(t *testing.T) {
	if *soak == 0 {
		t.Skip("takes minutes: ask for it with -soak 2000")
	}
	s := newScene(t, fault{group: "soak", name: "calls", skill: `timeout = "3s"`, flags: []string{"--max-concurrent", "4"}})
	s.Cleanup(s.sweep)
	s.start(launch{})
	fresh := s.goroutines(s.soak(20)) // after the first calls: connections to the engine stay open
	s.start(launch{})
	early := s.soak(max(*soak/10, 100))
	late := s.soak(*soak - early.calls)
	late.calls += early.calls
	s.countLeftovers()
	t.Logf("%8s %10s %8s %6s %8s", "calls", "resident", "peak", "files", "threads")
	for _, m := range []measurement{early, late} {
		t.Logf("%8d %6d KiB %4d KiB %6d %8d", m.calls, m.resident, m.peak, m.files, m.threads)
	}
	for _, wrong := range s.server.misdeeds() {
		s.problem("the server has sent %s", wrong)
	}
	if grown := late.resident - early.resident; grown > 8<<10 {
		s.problem("memory has grown by %d KiB", grown)
	}
	if grown := late.peak - early.peak; grown > 16<<10 {
		s.problem("the peak of memory has grown by %d KiB", grown)
	}
	if late.files > early.files+4 {
		s.problem("open files have grown from %d to %d", early.files, late.files)
	}
	if now := s.goroutines(late); now > fresh+4 {
		s.problem("goroutines have grown from %d to %d:\n%s", fresh, now, s.server.log)
	} else {
		t.Logf("%d goroutines after 20 calls, %d after %d", fresh, now, late.calls)
	}
}

// measurement is what a server has when no call is in flight.
type measurement struct{ calls, resident, peak, files, threads int }

// soak makes calls, eight at a time, and measures the server after that.
func (s *scene) soak(calls int) measurement {
	kinds := []program{
		{script: "echo on", want: prints("on\n")},
		{script: "echo on", want: prints("on\n")},
		{script: "head -c 300000 /dev/zero | tr '\\0' x", want: writes(300000)},
		{script: "exit 3", want: fails("exit code 3")},
		{script: "cat", stdin: strings.Repeat("x", 10000), want: prints(strings.Repeat("x", 10000))},
		{script: "echo on", want: nil}, // cancelled
		{script: "sleep 600 & echo on", want: prints("on\n")},
	}
	s.server.crossing = 250 * time.Millisecond
	room := make(chan struct{}, 8)
	for i := range calls {
		room <- struct{}{}
		p := kinds[i%len(kinds)]
		if i == calls/2 {
			p = program{script: "sleep 600", want: timesOut}
		}
		call := s.server.call(s.tool, p.script, p.stdin)
		go func() {
			defer func() { <-room }()
			if p.want == nil {
				time.Sleep(time.Duration(i%20) * 10 * time.Millisecond)
				s.server.cancel(call)
				return
			}
			if !call.wait(time.Now().Add(time.Minute)) {
				s.Errorf("call %d has no answer", i)
			} else if err := p.want(call.reply); err != nil {
				s.Errorf("call %d: %v", i, err)
			}
		}()
	}
	for range cap(room) {
		room <- struct{}{}
	}
	waitFor(s.T, "the last containers to go", 20*time.Second, func() bool { return len(s.engine.containers(s.T, s.tool, true)) == 0 })
	time.Sleep(35 * time.Second) // idle connections to the engine are closed after 30 seconds
	return measurement{calls, s.server.resident("VmRSS"), s.server.resident("VmHWM"), s.server.count("fd"), s.server.count("task")}
}

var goroutine = regexp.MustCompile(`(?m)^goroutine \d+ `)

// goroutines counts a server's goroutines by having it tell them, which ends it.
func (s *scene) goroutines(after measurement) int {
	_ = s.server.signal(syscall.SIGQUIT)
	if !s.server.exits(10 * time.Second) {
		s.problem("the server does not end with SIGQUIT")
	}
	count := len(goroutine.FindAllString(s.server.log.String(), -1))
	if count == 0 {
		s.problem("the server told no goroutines after %d calls", after.calls)
	}
	return count
}
