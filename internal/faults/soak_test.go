//go:build faults

package faults

import (
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkSoak makes one server answer thousands of calls of all kinds, and wants it to be in the end what it was in the
// beginning: the same memory, files and goroutines, and no container. How many is said by -benchtime, as in 2000x.
func BenchmarkSoak(b *testing.B) {
	s := newScene(b, fault{group: "soak", name: "calls", skill: `timeout = "3s"`, flags: []string{"--max-concurrent", "4"}})
	s.Cleanup(s.sweep)
	s.start(launch{})
	s.soak(20)
	fresh := s.goroutines(s.settle()) // after the first calls: connections to the engine stay open
	s.start(launch{})
	s.soak(warmUp)
	early := s.settle()
	calls := s.soaking()
	for b.Loop() {
		calls.one()
	}
	calls.end()
	late := s.settle()
	s.countLeftovers()
	b.Logf("%8s %10s %8s %6s %8s", "calls", "resident", "peak", "files", "threads")
	for _, row := range []struct {
		calls int
		measurement
	}{{warmUp, early}, {warmUp + calls.made, late}} {
		b.Logf("%8d %6d KiB %4d KiB %6d %8d", row.calls, row.resident, row.peak, row.files, row.threads)
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
	now := s.goroutines(late)
	if now > fresh+4 {
		s.problem("goroutines have grown from %d to %d:\n%s", fresh, now, s.server.log)
	}
	b.Logf("%d goroutines after 20 calls, %d in the end", fresh, now)
}

// warmUp is how many calls come before the ones that must not change anything.
const warmUp = 200

// measurement is what a server has when no call is in flight.
type measurement struct{ resident, peak, files, threads int }

// settle waits until nothing of the calls is left, and measures the server after that.
func (s *scene) settle() measurement {
	waitFor(s.TB, "the last containers to go", 20*time.Second, func() bool { return len(s.engine.containers(s.TB, s.tool, true)) == 0 })
	time.Sleep(35 * time.Second) // idle connections to the engine are closed after 30 seconds
	return measurement{s.server.resident("VmRSS"), s.server.resident("VmHWM"), s.server.count("fd"), s.server.count("task")}
}

// soaking is calls of all kinds, eight at a time.
type soaking struct {
	*scene
	kinds []program
	room  chan struct{}
	made  int
}

func (s *scene) soaking() *soaking {
	s.server.crossing = 250 * time.Millisecond
	return &soaking{scene: s, room: make(chan struct{}, 8), kinds: []program{
		{script: "echo on", want: prints("on\n")},
		{script: "echo on", want: prints("on\n")},
		{script: "head -c 300000 /dev/zero | tr '\\0' x", want: writes(300000)},
		{script: "exit 3", want: fails("exit code 3")},
		{script: "cat", stdin: strings.Repeat("x", 10000), want: prints(strings.Repeat("x", 10000))},
		{script: "echo on", want: nil}, // cancelled
		{script: "sleep 600 & echo on", want: prints("on\n")},
	}}
}

// soak makes a number of calls.
func (s *scene) soak(number int) {
	calls := s.soaking()
	for range number {
		calls.one()
	}
	calls.end()
}

// one makes the next call, as soon as there is room for it.
func (s *soaking) one() {
	s.room <- struct{}{}
	i := s.made
	s.made++
	p := s.kinds[i%len(s.kinds)]
	if i%500 == 250 {
		p = program{script: "sleep 600", want: timesOut}
	}
	call := s.server.call(s.tool, p.script, p.stdin)
	go func() {
		defer func() { <-s.room }()
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

// end waits for the last calls.
func (s *soaking) end() {
	for range cap(s.room) {
		s.room <- struct{}{}
	}
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
		s.problem("the server told no goroutines, with %d threads", after.threads)
	}
	return count
}
