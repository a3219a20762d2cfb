//go:build faults

package faults

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// table is the matrix with what came out.
type table []string

func (t *table) add(s *scene) {
	*t = append(*t, fmt.Sprintf("%s: %s\t%d\t%s\t%s\t%s", s.group, s.name, len(s.programs), s.answered(), s.left(), s.verdict()))
}

func (t table) print(to io.Writer) {
	columns := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(columns, "FAULT\tCALLS IN FLIGHT\tANSWERED\tLEFT AFTER 10 S\tVERDICT")
	for _, row := range t {
		fmt.Fprintln(columns, row)
	}
	columns.Flush()
}

// answered is how many of the owed answers have come.
func (s *scene) answered() string {
	owed, answered := 0, 0
	for _, call := range s.calls {
		if s.owed(call) {
			owed++
			if call.done() {
				answered++
			}
		}
	}
	switch {
	case len(s.calls) < len(s.programs):
		return "?"
	case owed == 0:
		return "none owed"
	case owed < len(s.calls):
		return fmt.Sprintf("%d of %d owed", answered, owed)
	}
	return fmt.Sprintf("%d of %d", answered, owed)
}

func (s *scene) left() string {
	switch {
	case !s.counted:
		return "?"
	case len(s.leftovers.volumes) > 0:
		return fmt.Sprintf("%d, and %d volumes", len(s.leftovers.containers), len(s.leftovers.volumes))
	}
	return fmt.Sprint(len(s.leftovers.containers))
}

// verdict is "ok" with what was measured, or the first thing that is wrong.
func (s *scene) verdict() string {
	switch {
	case len(s.problems) > 1:
		return fmt.Sprintf("FAILED: %.160s (and %d more)", s.problems[0], len(s.problems)-1)
	case len(s.problems) == 1:
		return fmt.Sprintf("FAILED: %.160s", s.problems[0])
	case s.Failed():
		return "FAILED before its end"
	case len(s.notes) > 0:
		return "ok (" + strings.Join(s.notes, ", ") + ")"
	}
	return "ok"
}
