//go:build conformance

// Package conformance runs the official conformance suite of MCP against skillet's own server construction, HTTP transport
// and middleware. The suite calls fixed tools, resources and prompts, which skillet has not: a fixture adds them to a server
// without skills. `make conformance` runs it; it needs Node.
//
// What fails is listed in expected.txt, and docs/clients.md says why. The test fails when anything else fails, scored by the
// suite or not, and also when something on the list passes.
package conformance

import (
	"context"
	"encoding/json"
	"flag"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"skillet/mcpserver"
	"skillet/mcpserver/streamable"
	"skillet/policy"
)

var suite = flag.String("suite", "", "directory that node and the suite are installed in")

// serve starts a server that has the fixture, and returns its URL.
func serve(t *testing.T) string {
	t.Helper()
	p, err := policy.New(policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server, err := mcpserver.New(mcpserver.Options{
		Caller: mcpserver.Caller{Policy: p}, Version: "test", Workdir: t.TempDir(), Extend: extend,
	})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.ServeStreamable(ctx, listener, nil, streamable.Options{Rate: 1000}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "http://" + listener.Addr().String() + streamable.Path
}

func TestTheOfficialSuitePassesButForWhatIsListed(t *testing.T) {
	if *suite == "" {
		t.Fatal("where is the suite? Run make conformance")
	}
	for _, revision := range []string{"2025-11-25", "2026-07-28"} {
		t.Run(revision, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			modules, results := filepath.Join(*suite, "node_modules", ".bin"), t.TempDir()
			command := exec.CommandContext(ctx, filepath.Join(modules, "node"), filepath.Join(modules, "conformance"), "server",
				"--url", serve(t), "--requirements", revision, "--output-dir", results)
			out, err := command.CombinedOutput() // its exit code tells less than its results
			_, summary, complete := strings.Cut(string(out), "=== SUMMARY ===")
			if !complete {
				t.Fatalf("the suite did not come to its end: %v\n%s", err, out)
			}
			t.Log(summary)
			compare(t, expected(t, revision), read(t, results))
		})
	}
}

// compare reports what fails and is not on the list, and what is on the list and passes.
func compare(t *testing.T, expected map[string]bool, ran []check) {
	t.Helper()
	met := map[string]bool{}
	for _, check := range ran {
		if check.Status != "FAILURE" && check.Status != "WARNING" {
			continue
		}
		whole, single := check.Scenario, check.Scenario+":"+check.ID
		met[whole], met[single] = true, true
		if !expected[whole] && !expected[single] {
			t.Errorf("%s: %s: %s", single, check.Status, check.ErrorMessage)
		}
	}
	for name := range expected {
		if !met[name] {
			t.Errorf("%s passes: take it off the list", name)
		}
	}
}

// expected reads the list of what fails with a revision: a scenario, or one check of it.
func expected(t *testing.T, revision string) map[string]bool {
	t.Helper()
	data, err := os.ReadFile("expected.txt")
	if err != nil {
		t.Fatal(err)
	}
	list := map[string]bool{}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) == 2 && fields[0] == revision {
			list[fields[1]] = true
		}
	}
	return list
}

// check is what the suite writes of one check.
type check struct{ Scenario, ID, Status, ErrorMessage string }

var stamp = regexp.MustCompile(`-\d{4}-\d\d-\d\dT[0-9-]+Z$`)

// read reads the results of a run: a directory for each scenario.
func read(t *testing.T, results string) []check {
	t.Helper()
	directories, err := os.ReadDir(results)
	if err != nil || len(directories) < 30 {
		t.Fatalf("the suite ran %d scenarios, %v", len(directories), err)
	}
	var all []check
	for _, directory := range directories {
		data, err := os.ReadFile(filepath.Join(results, directory.Name(), "checks.json"))
		if err != nil {
			t.Fatal(err)
		}
		var checks []check
		if err := json.Unmarshal(data, &checks); err != nil {
			t.Fatal(err)
		}
		for _, check := range checks {
			check.Scenario = stamp.ReplaceAllString(strings.TrimPrefix(directory.Name(), "server-"), "")
			all = append(all, check)
		}
	}
	return all
}
