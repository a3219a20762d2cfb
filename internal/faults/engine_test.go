//go:build faults

package faults

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// engine is a Docker engine that may be broken, and on which there is nobody else: any skillet that is started elsewhere on
// the machine's own engine, by another test or by its owner, would remove what the faults are to show.
type engine struct {
	host string // DOCKER_HOST
	dir  string // where all of it is
}

// docker runs the command-line client, which has to succeed.
func (e *engine) docker(t testing.TB, args ...string) string {
	t.Helper()
	out, err := e.tryDocker(args...)
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (e *engine) tryDocker(args ...string) (string, error) {
	out, err := exec.Command("docker", append([]string{"--host", e.host}, args...)...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// containers lists the containers whose names begin with "skillet-" and a tool's name, those that run or all of them.
func (e *engine) containers(t testing.TB, tool string, all bool) []string {
	t.Helper()
	return strings.Fields(e.docker(t, "ps", fmt.Sprintf("--all=%t", all), "--filter", "name=skillet-"+tool, "--format", "{{.Names}}"))
}

// private is the engine of this run. It is started for the first fault, and ends with this process, however that ends.
var private = struct {
	sync.Once
	*engine
	err  error
	stop func()
}{stop: func() {}}

func privateEngine(t testing.TB) *engine {
	t.Helper()
	private.Do(startPrivate)
	if private.err != nil {
		t.Fatalf("the private engine: %v", private.err)
	}
	private.restore(t)
	return private.engine
}

// diskSize is little more than the base image needs.
const diskSize = "400m"

func script(args ...string) *exec.Cmd {
	return exec.Command(filepath.Join(root, "scripts/private-engine.sh"), args...)
}

func startPrivate() {
	dir := filepath.Join(scratch, "engine")
	private.engine = &engine{host: "unix://" + dir + "/docker.sock", dir: dir}
	cmd := script("run", dir, "--disk", diskSize)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		private.err = err
		return
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		private.err = err
		return
	}
	if private.err = cmd.Start(); private.err != nil {
		return
	}
	private.stop = func() {
		in.Close()
		_ = cmd.Wait()
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		private.err = fmt.Errorf("it did not start: %q, %w", line, err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
}

// on runs a command on the private engine's host.
func (e *engine) on(t testing.TB, command ...string) {
	t.Helper()
	e.script(t, append([]string{"exec", e.dir}, command...)...)
}

func (e *engine) script(t testing.TB, args ...string) {
	t.Helper()
	if out, err := script(args...).CombinedOutput(); err != nil {
		t.Fatalf("private-engine.sh %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// down ends dockerd by a signal, up starts it again.
func (e *engine) down(t testing.TB, signal string) { t.Helper(); e.script(t, "down", e.dir, signal) }
func (e *engine) up(t testing.TB)                  { t.Helper(); e.script(t, "up", e.dir) }

// freeze stops dockerd where it is: its socket takes connections, and nobody answers.
func (e *engine) freeze(t testing.TB) { t.Helper(); e.signal(t, "STOP") }
func (e *engine) thaw(t testing.TB)   { t.Helper(); e.signal(t, "CONT") }

func (e *engine) signal(t testing.TB, signal string) {
	t.Helper()
	e.on(t, "sh", "-c", `kill -"$1" "$(cat "$2")"`, "sh", signal, filepath.Join(e.dir, "docker.pid"))
}

// fill leaves no space where the engine keeps its data; clear takes that back.
func (e *engine) fill(t testing.TB) {
	t.Helper()
	e.on(t, "sh", "-c", `! head -c 10G /dev/zero >"$1" 2>/dev/null`, "sh", filepath.Join(e.dir, "data/full"))
}

func (e *engine) clear(t testing.TB) {
	t.Helper()
	e.on(t, "rm", "-f", filepath.Join(e.dir, "data/full"))
}

// restore undoes what a fault that was broken off has left.
func (e *engine) restore(t testing.TB) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(e.dir, "down")); err == nil {
		e.up(t)
		return
	}
	e.thaw(t)
	e.clear(t)
}

// waitFor waits until something is so, and fails the test when it takes too long.
func waitFor(t testing.TB, what string, limit time.Duration, reached func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !reached(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain for %s", limit, what)
		}
	}
}
