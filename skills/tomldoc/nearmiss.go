package tomldoc

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"
)

// NearMiss says which of the known names was likely meant, or lists them when none is near.
func NearMiss(name string, known []string) string {
	if nearest := Nearest(name, known); nearest != "" {
		return fmt.Sprintf("did you mean %q?", nearest)
	}
	if len(known) == 0 {
		return "nothing is expected here"
	}
	return "known here: " + strings.Join(known, ", ")
}

// Nearest returns the known name that is nearest to a mistyped or shortened one, "" when none is near: a third of the
// letters may be wrong, two where letters changed places, but not all of them, and the first only where it is the only one.
func Nearest(name string, known []string) string {
	name = strings.ToLower(name)
	length := utf8.RuneCountInString(name)
	nearest, distance := "", min((length+2)/3, length-1)+1
	for _, candidate := range known {
		lower := strings.ToLower(candidate)
		d := levenshtein.ComputeDistance(name, lower)
		if d < distance && (d < 2 || name[0] == lower[0]) {
			nearest, distance = candidate, d
		}
	}
	if nearest != "" || length < 3 {
		return nearest
	}
	for _, candidate := range known {
		if strings.HasPrefix(strings.ToLower(candidate), name) {
			return candidate
		}
	}
	return ""
}
