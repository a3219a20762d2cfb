package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestTheTableOfPackagesHasEveryPackage(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{if .GoFiles}}{{.ImportPath}}{{end}}", "../...").Output()
	if err != nil {
		t.Fatal(err)
	}
	same(t, "packages", firstCells(section(t, "architecture.md", "## Packages")), strings.Fields(string(out)))
}

func TestTheArchitectureNamesOnlyWhatThereIs(t *testing.T) {
	data, err := os.ReadFile("architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	symbol := regexp.MustCompile(`^(skills|policy|runtime|mcpserver)\.[A-Z]\w*(\.\w+)?$`)
	file := regexp.MustCompile(`^([a-z/]+/)?[a-z_]+\.go$`)
	seen := map[string]bool{}
	for _, match := range inCode.FindAllStringSubmatch(fenced.ReplaceAllString(string(data), ""), -1) {
		name := match[1]
		if seen[name] {
			continue
		}
		seen[name] = true
		switch {
		case symbol.MatchString(name):
			if out, err := exec.Command("go", "doc", "-short", "skillet/"+name).CombinedOutput(); err != nil {
				t.Errorf("%s: %s", name, out)
			}
		case file.MatchString(name):
			found, err := filepath.Glob("../" + name)
			if err == nil && !strings.Contains(name, "/") && len(found) == 0 {
				found, err = filepath.Glob("../*/" + name)
			}
			if err != nil || len(found) == 0 {
				if _, err := os.Stat("../internal/cli/" + name); err != nil {
					t.Errorf("there is no %s", name)
				}
			}
		}
	}
	if len(seen) < 50 {
		t.Errorf("only %d names were looked at", len(seen))
	}
}

func TestTheVariablesOfTheEnvironmentAreTheDocumentedOnes(t *testing.T) {
	files, err := filepath.Glob("../internal/cli/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var real []string
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`(?:variable|lookup)\("([A-Z_]+)"\)`).FindAllStringSubmatch(string(data), -1) {
			if !slices.Contains(real, match[1]) {
				real = append(real, match[1])
			}
		}
	}
	same(t, "variables", firstCells(section(t, "clients.md", "## Environment")), real)
}

func TestTheLabelsOfContainersAreTheDocumentedOnes(t *testing.T) {
	data, err := os.ReadFile("../runtime/owner.go")
	if err != nil {
		t.Fatal(err)
	}
	label := regexp.MustCompile("[\"`](skillet\\.[a-z]+)[\"`]")
	names := func(text string) []string {
		var all []string
		for _, match := range label.FindAllStringSubmatch(text, -1) {
			all = append(all, match[1])
		}
		return all
	}
	same(t, "labels", names(section(t, "architecture.md", "## The engine")), names(string(data)))
}
