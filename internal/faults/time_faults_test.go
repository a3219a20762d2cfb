//go:build faults

package faults

import (
	"fmt"
	"time"
)

// timeFaults are programs that do not end in time, and do not want to end.
func timeFaults() []fault {
	faults := []fault{
		{
			name: "a program ignores SIGTERM", short: true,
			programs: times(2, program{script: deaf, want: timesOut}),
		},
		{
			name:     "a program has last words for SIGTERM",
			programs: times(2, program{script: `trap 'echo bye; exit 3' TERM; while :; do sleep 0.05; done`, want: fails("time limit", "bye")}),
		},
		{
			name: "a program forks",
			programs: times(2, program{script: `trap '' TERM
				for i in 1 2 3 4 5 6 7 8 9 10; do (sleep 600 & setsid sleep 600 & wait) & done; while :; do sleep 1; done`, want: timesOut}),
		},
		{
			name: "a background child holds stdout",
			programs: times(2, program{script: `trap '' TERM
				(while :; do echo x; sleep 0.1; done) & setsid sh -c 'while :; do echo y; sleep 0.1; done' & while :; do sleep 1; done`, want: fails("time limit", "x\n", "y\n")}),
		},
		{
			name:     "a program ends, and its children hold stdout",
			programs: times(2, program{script: `trap '' TERM; sleep 600 & setsid sleep 600 & echo done`, want: prints("done\n")}),
		},
		{
			// PID 1 cannot be stopped from inside; so it has to be another.
			name:     "a program stops itself (SIGSTOP)",
			docker:   `extra_args = ["--init", "--stop-timeout=1"]`,
			programs: times(2, program{script: `kill -STOP $$`, want: timesOut}),
		},
		{
			name:     "a program is killed at once without a stop timeout",
			docker:   `extra_args = []`,
			programs: times(2, program{script: `trap 'echo bye; exit 3' TERM; while :; do sleep 0.05; done`, want: silently(timesOut)}),
		},
	}
	for i := range faults {
		f := &faults[i]
		f.group, f.skill, f.dead = "time", `timeout = "2s"`, 500*time.Millisecond
		// From the start of the programs: their time, that for their last words, and what a busy machine takes for a kill.
		f.within = 8 * time.Second
		if f.docker == "" {
			f.docker = `extra_args = ["--stop-timeout=1"]`
		}
	}
	return faults
}

// silently wants no output besides what else is wanted.
func silently(want func(reply) error) func(reply) error {
	return func(r reply) error {
		if r.result.Stdout != "" {
			return fmt.Errorf("want no output, got %.100q", r.result.Stdout)
		}
		return want(r)
	}
}
