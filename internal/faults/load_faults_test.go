//go:build faults

package faults

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"time"
)

// loadFaults are more calls than there is room for.
func loadFaults() []fault {
	ok := program{script: "echo ok", want: prints("ok\n")}
	faults := []fault{
		{
			name: "40 calls, 4 at a time", short: true,
			flags:    []string{"--max-concurrent", "4"},
			programs: times(40, ok), within: 60 * time.Second,
			after: func(s *scene) { s.inOrder(8) },
		},
		{
			name:     "200 calls, as many at a time as suits the machine",
			programs: times(200, ok), within: 240 * time.Second,
		},
		{
			name:     "200 calls, 4 at a time",
			flags:    []string{"--max-concurrent", "4"},
			programs: times(200, ok), within: 240 * time.Second,
			after: func(s *scene) { s.inOrder(8) },
		},
		{
			name:     "12 calls, one after the other",
			flags:    []string{"--max-concurrent", "1"},
			programs: times(12, ok), within: 60 * time.Second,
			after: func(s *scene) { s.inOrder(0) },
		},
		{
			name: "10 calls where one runs and 3 may wait", short: true,
			flags: []string{"--max-concurrent", "1", "--max-queue", "3"},
			programs: slices.Concat(
				times(4, program{script: untilGo, want: prints("went\n")}),
				times(6, program{script: untilGo, want: fails("busy", "again")})),
			begun: 1,
			strike: func(s *scene) {
				for i, call := range s.calls[4:] {
					if !call.wait(s.struck.Add(2 * time.Second)) {
						s.problem("call %d was not told at once that the server is busy", i+4)
					}
				}
				s.write("go", "")
			},
		},
	}
	for i := range faults {
		faults[i].group = "load"
		if faults[i].begun == 0 {
			faults[i].begun = none
		}
	}
	return faults
}

// inOrder wants the programs to have begun in the order of their calls, but for a few places: containers that are started at
// the same time overtake each other.
func (s *scene) inOrder(places int) {
	var order []int
	times := map[int]time.Time{}
	for i := range s.programs {
		info, err := os.Stat(s.path(fmt.Sprintf("begun-%d", i)))
		if err != nil {
			s.problem("call %d was not made", i)
			return
		}
		order, times[i] = append(order, i), info.ModTime()
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(times[a].UnixNano(), times[b].UnixNano()) })
	furthest := 0
	for place, i := range order {
		furthest = max(furthest, place-i, i-place)
	}
	if places > 0 {
		s.note("at most %d places out of order", furthest)
	}
	if furthest > places {
		s.problem("calls were made up to %d places out of their order", furthest)
	}
}
