//go:build faults

package faults

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// programFaults are what programs do from inside their container. While they do it, other calls are made, and the server is
// looked at.
func programFaults() []fault {
	mebibyte := strings.Repeat("a line of text\n\n", 1<<16)
	faults := []fault{
		{
			name: "is a fork bomb", short: true, skill: limited("2s"),
			programs: times(2, program{script: `perl -e 'fork while 1'`, want: timesOut}),
		},
		{
			name: "is a fork bomb of a shell", skill: limited("3s"),
			programs: times(2, program{script: `b() { b | b & }; b 2>/dev/null; sleep 60`, want: ends}),
		},
		{
			name: "is a memory bomb", short: true,
			programs: []program{
				{script: "x=$(head -c 500000000 /dev/zero | tr '\\0' x); echo survived", want: outOfMemory(true)},
				{script: "perl -e '$x .= \"x\" x 1000000 while 1'; exit $?", want: outOfMemory(true)},
				{script: "exit 137", want: outOfMemory(false)},
				{script: "sh -c 'kill -KILL $$'; exit $?", want: outOfMemory(false)},
			},
		},
		{
			name:     "writes 200 MB",
			programs: times(2, program{script: "yes 'a line of text' | head -c 200000000", want: writes(200000000)}),
			within:   60 * time.Second,
		},
		{
			name: "writes without end", skill: limited("4s"),
			programs: []program{{script: "yes", want: endless}, {script: "yes >&2", want: timesOut}},
		},
		{
			name: "writes without end or newline", short: true, skill: limited("2s"),
			programs: times(2, program{script: "tr '\\0' x </dev/zero", want: endless}),
		},
		{
			name: "writes what is no text", short: true,
			programs: []program{
				{script: "head -c 3000000 /dev/urandom", want: binary},
				{script: "head -c 3000000 /dev/zero", want: binary},
				{script: "printf 'gr\\374n \\355\\240\\200 \\300\\257\\n'", want: binary},
				{script: "printf 'cut in the midst of \\342\\202'", want: binary},
			},
		},
		{
			name:     "writes a million times",
			programs: times(1, program{script: `perl -e 'for (1..1000000) { syswrite(STDOUT, "x") }'`, want: writes(1000000)}),
			within:   60 * time.Second,
		},
		{
			name: "does not read its stdin", short: true,
			programs: []program{
				{script: "sleep 2; echo slept", stdin: mebibyte, want: prints("slept\n")},
				{script: "exec <&-; sleep 1; echo closed", stdin: mebibyte, want: prints("closed\n")},
				{script: "head -c 1000 >/dev/null; sleep 1; echo enough", stdin: mebibyte, want: prints("enough\n")},
				{script: "cat", stdin: mebibyte, want: prints(mebibyte)},
			},
		},
		{
			name:     "does not read its stdin until its time is over",
			skill:    limited("3s"),
			programs: times(2, program{script: deaf, stdin: mebibyte, want: timesOut}),
		},
		{
			name:     "closes its stdout early",
			programs: times(2, program{script: "echo early; exec >&- 2>&-; sleep 2", want: prints("early\n")}),
		},
		{
			name: "leaves zombies",
			programs: []program{
				{script: `perl -e 'for (1..40) { fork or exit } sleep 1; print "done\n"'`, want: prints("done\n")},
				{script: `for i in 1 2 3 4 5 6 7 8 9; do (sleep 0.2 &); done; sleep 1; echo done`, want: prints("done\n")},
			},
		},
		{
			name: "leaves daemons", short: true,
			programs: times(2, program{script: `for i in 1 2 3; do setsid sh -c "trap '' TERM HUP; sleep 600" & done; echo done`, want: prints("done\n")}),
			within:   8 * time.Second,
		},
		{
			name:     "attacks PID 1, which it is",
			programs: times(2, program{script: attack, want: prints("alive\n")}),
		},
		{
			name: "attacks PID 1, which is an init", short: true,
			docker:   `extra_args = ["--init"]`,
			programs: times(2, program{script: attack, want: prints("alive\n")}),
		},
	}
	for i := range faults {
		f := &faults[i]
		f.group, f.begun, f.watch = "program", none, (*scene).watchOthers
		f.docker += "\nmemory = \"64m\"\ncpus = \"0.7\""
	}
	return faults
}

// attack is what a program may try against the first process of its container. Signals that an init hands on to its child,
// and a shell has handlers for, are no attack.
const attack = `sh -c 'kill -KILL 1; kill -STOP 1; kill -KILL 1; cat /proc/1/mem /proc/1/environ; : >/proc/1/mem' >/dev/null 2>&1; echo alive`

// limited is a tool's time and number of processes.
func limited(timeout string) string {
	return fmt.Sprintf("timeout = %q\npids_limit = 64", timeout)
}

// watchOthers makes calls that have nothing to do with the fault, and wants them to be answered in a time that is sane.
func (s *scene) watchOthers() (stop func()) {
	server := s.server
	other := func() *request { return server.call(s.tool+"_other", ":", "") }
	alone := other()
	alone.wait(time.Now().Add(20 * time.Second))
	calls := repeat(0, other)
	return func() {
		took, err := calls(20 * time.Second)
		if err != nil || !alone.done() {
			s.problem("another call: %v", err)
			return
		}
		slowest := slices.Max(took)
		s.note("other calls ≤ %s, alone %s", slowest.Round(time.Millisecond), alone.took().Round(time.Millisecond))
		if slowest > 10*time.Second {
			s.problem("another call took %s", slowest)
		}
	}
}

// outOfMemory wants a failure that is, or is not, put down to a lack of memory.
func outOfMemory(expected bool) func(reply) error {
	return func(r reply) error {
		told := strings.Contains(r.text, "out of memory")
		if !r.failed || r.result.OOMKilled != expected || told != expected || expected && r.result.ExitCode != 137 {
			return fmt.Errorf("want out of memory %t, got exit code %d, oom_killed %t, %.300q", expected, r.result.ExitCode, r.result.OOMKilled, r.text)
		}
		return nil
	}
}

// atCut is the line where bytes are left out of a text.
var atCut = regexp.MustCompile(`\n\[… \d+ bytes are left out here …\]\n`)

// keptOf is how much of a program's output is in a result.
func keptOf(r reply) int64 { return int64(len(atCut.ReplaceAllString(r.result.Stdout, ""))) }

// writes wants a success that tells how many bytes were written, of which one MiB was kept.
func writes(bytes int64) func(reply) error {
	return func(r reply) error {
		kept := min(bytes, 1<<20)
		if r.failed || keptOf(r) != kept || r.result.StdoutDropped != bytes-kept || r.result.Truncated != (kept < bytes) {
			return fmt.Errorf("want %d bytes, got %d and %d dropped, truncated=%t, failed=%t: %.100q",
				bytes, len(r.result.Stdout), r.result.StdoutDropped, r.result.Truncated, r.failed, r.text)
		}
		return nil
	}
}

// endless wants the time limit, with one MiB of the output.
func endless(r reply) error {
	if err := timesOut(r); err != nil {
		return err
	}
	if !r.result.TimedOut || !r.result.Truncated || keptOf(r) != 1<<20 {
		return fmt.Errorf("got %d bytes, timed_out %t, truncated %t", len(r.result.Stdout), r.result.TimedOut, r.result.Truncated)
	}
	return nil
}

// binary wants a success whose output is not called text.
func binary(r reply) error {
	if r.failed || r.result.StdoutType == "" || r.result.Stdout != "" {
		return fmt.Errorf("want binary output, got failed=%t, type %q, %.100q", r.failed, r.result.StdoutType, r.text)
	}
	return nil
}
