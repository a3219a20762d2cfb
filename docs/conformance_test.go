package docs

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestWhatFailsInTheConformanceSuiteIsExplained(t *testing.T) {
	data, err := os.ReadFile("../internal/conformance/expected.txt")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) == 2 {
			scenario, _, _ := strings.Cut(fields[1], ":")
			listed = append(listed, fields[0]+" "+scenario)
		}
	}
	var explained []string
	for line := range strings.Lines(section(t, "clients.md", "## Conformance")) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 || !strings.Contains(cells[2], "`") {
			continue
		}
		for _, match := range inCode.FindAllStringSubmatch(cells[2], -1) {
			explained = append(explained, strings.TrimSpace(cells[1])+" "+match[1])
		}
	}
	slices.Sort(listed)
	slices.Sort(explained)
	if len(listed) == 0 || !slices.Equal(listed, explained) {
		t.Errorf("the suite fails in %q, and clients.md explains %q", listed, explained)
	}
}
