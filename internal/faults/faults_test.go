//go:build faults

// Package faults proves that skillet leaves nothing behind and nothing unanswered, whatever goes wrong: clients that cancel,
// leave or are killed, a server that is killed, engines that vanish, hang or are full, programs that misbehave in every way
// that their container allows, and more calls than there is room for.
//
// A [fault] is one row of a matrix. It starts the real program with a configuration of its own, puts calls in flight, lets
// something go wrong, and then looks at five things: each call has the one answer that is owed, or none where none is owed;
// the answer says what has happened; the next call works; no container is left; and the server has not grown. To add one, add
// a value to one of the lists of matrix.
//
// The full matrix takes five minutes, and with -short, which takes the most telling faults, one. [BenchmarkSoak] makes thousands
// of calls. All of it needs root and a Docker engine, and fails without; hence the build tag.
package faults

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var (
	root    string // of the repository
	skillet string // the program
	scratch string // a directory for this run
)

// racy builds the server with the race detector, which says more and needs more memory and time.
var racy = flag.Bool("racy", false, "build the server with the race detector, and do not judge its memory")

// relay is the environment variable that makes this program a client that only passes on what it reads. See relay_test.go.
const relay = "SKILLET_FAULTS_RELAY"

func TestMain(m *testing.M) {
	if os.Getenv(relay) != "" {
		passOn(os.Args[1:])
		return
	}
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "skillet-faults")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if root, err = filepath.Abs("../.."); err != nil {
		panic(err)
	}
	scratch, skillet = dir, filepath.Join(dir, "skillet")
	build := exec.Command("go", "build", "-o", skillet)
	if *racy {
		build.Args = append(build.Args, "-race")
	}
	build.Dir, build.Stdout, build.Stderr = root, os.Stdout, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "building skillet:", err)
		return 1
	}
	defer func() { private.stop() }()
	return m.Run()
}

// matrix lists the faults, by what is at fault.
func matrix() []fault {
	return slices.Concat(clientFaults(), serverFaults(), timeFaults(), engineFaults(), programFaults(), loadFaults(), jobFaults())
}

func TestNothingIsLeftBehindAndNothingUnanswered(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("the faults need root: they freeze engines and look into processes")
	}
	var rows table
	defer func() { rows.print(os.Stdout) }()
	for _, f := range matrix() {
		if testing.Short() && !f.short {
			continue
		}
		t.Run(f.group+"/"+strings.ReplaceAll(f.name, " ", "_"), func(t *testing.T) {
			s := newScene(t, f)
			defer rows.add(s)
			s.play()
		})
	}
}
