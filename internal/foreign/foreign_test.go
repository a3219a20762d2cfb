//go:build foreign

// Package foreign has clients that others wrote use the skillet program, with real containers, over stdio and HTTP: the
// official TypeScript SDK in both its generations, and the Inspector's command line. `make clients` runs it; it needs npm.
// The official Go SDK, which needs nothing but Go, has its tests in internal/e2e.
package foreign

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"skillet/internal/testlog"
)

var clients = flag.String("clients", "", "directory that node and the clients are installed in")

var (
	root    string // of the repository
	skillet string // the program
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if *clients == "" {
		fmt.Fprintln(os.Stderr, "where are the clients? Run make clients")
		return 1
	}
	dir, err := os.MkdirTemp("", "skillet-foreign")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if root, err = filepath.Abs("../.."); err != nil {
		panic(err)
	}
	skillet = filepath.Join(dir, "skillet")
	build := exec.Command("go", "build", "-o", skillet, ".")
	build.Dir, build.Stdout, build.Stderr = root, os.Stdout, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "building skillet:", err)
		return 1
	}
	// It has to be where its library is: that is where Node looks.
	program, err := os.ReadFile("client.mjs")
	if err != nil {
		panic(err)
	}
	if err := os.WriteFile(filepath.Join(*clients, "client.mjs"), program, 0o644); err != nil {
		panic(err)
	}
	return m.Run()
}

// installed is a program of the clients' directory.
func installed(name string) string { return filepath.Join(*clients, "node_modules", ".bin", name) }

// samples copies the files of the examples, for the default skills to work on.
func samples(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(root, "examples/samples"))); err != nil {
		t.Fatal(err)
	}
	return dir
}

const token = "alice-has-a-token-of-her-own"

// serveHTTP starts skillet on a free port, for clients with the token, and returns the URL and the process.
func serveHTTP(t *testing.T, workdir string, flags []string) (url string, pid int) {
	t.Helper()
	command := exec.Command(skillet, append([]string{"serve", "--workdir", workdir, "--http", "127.0.0.1:0", "--http-token-env", "TOKEN"}, flags...)...)
	stderr := &testlog.Buffer{}
	command.Env, command.Stderr = append(os.Environ(), "TOKEN="+token), stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		if err := command.Wait(); err != nil {
			t.Errorf("skillet ended with %v", err)
		}
		if t.Failed() {
			t.Logf("skillet's log:\n%s", stderr)
		}
	})
	waitFor(t, 20*time.Second, "skillet to listen", func() bool {
		_, rest, _ := strings.Cut(stderr.String(), "url=")
		whole := false
		url, _, whole = strings.Cut(rest, "\n")
		return whole
	})
	return url, command.Process.Pid
}

// toolCall is one of the calls that the example client makes: there is one of every default tool.
type toolCall struct {
	Tool      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments,omitempty"`
}

func defaultCalls(t *testing.T) []toolCall {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "examples/client/calls.json"))
	if err != nil {
		t.Fatal(err)
	}
	var raw []struct {
		Tool      string
		Arguments json.RawMessage
	}
	if err := json.Unmarshal(data, &raw); err != nil || len(raw) == 0 {
		t.Fatalf("calls.json: %d calls, %v", len(raw), err)
	}
	var calls []toolCall
	for _, call := range raw {
		calls = append(calls, toolCall(call))
	}
	return calls
}

// toolNames are the names that the calls are of, in order and once each.
func toolNames(calls []toolCall) []string {
	var names []string
	for _, call := range calls {
		names = append(names, call.Tool)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// containers are those of one skillet that run, or with the flag -a all that there are.
func containers(t *testing.T, pid int, flags ...string) []string {
	t.Helper()
	args := append([]string{"ps", "-q", "--filter", fmt.Sprintf("label=skillet.pid=%d", pid)}, flags...)
	out, err := exec.Command("docker", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker ps: %v\n%s", err, out)
	}
	return strings.Fields(string(out))
}

// decode fails unless data is a picture of the kind that it is said to be; kinds that Go cannot read are let through.
func decode(t *testing.T, mediaType string, data []byte) {
	t.Helper()
	if mediaType != "image/png" && mediaType != "image/jpeg" {
		return
	}
	picture, format, err := image.Decode(bytes.NewReader(data))
	if err != nil || "image/"+format != mediaType || picture.Bounds().Empty() {
		t.Errorf("%d bytes of %s: %s, %v", len(data), mediaType, format, err)
	}
}

func waitFor(t *testing.T, patience time.Duration, what string, reached func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !reached(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
