package docs

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTheTestedClientsAreTheOnesThatAreInstalled compares the table with what scripts/clients.sh and go.mod name.
func TestTheTestedClientsAreTheOnesThatAreInstalled(t *testing.T) {
	installed := map[string]*regexp.Regexp{
		"../scripts/clients.sh": regexp.MustCompile(`(@modelcontextprotocol/[a-z-]+)@([\d.]+)`),
		"../go.mod":             regexp.MustCompile(`(github\.com/modelcontextprotocol/go-sdk) (v[\d.]+)`),
	}
	var want []string
	for file, pattern := range installed {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range pattern.FindAllStringSubmatch(string(data), -1) {
			want = append(want, match[1]+" "+match[2])
		}
	}
	var got []string
	for line := range strings.Lines(section(t, "clients.md", "## Tested clients")) {
		if match := regexp.MustCompile("^\\|.*`([@a-z][^`]*/[^`]*)` \\| (\\S+) \\|").FindStringSubmatch(line); match != nil {
			got = append(got, match[1]+" "+match[2])
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if len(want) < 4 || !slices.Equal(got, want) {
		t.Errorf("the table has %q, tested are %q", got, want)
	}
}
