// Package e2e tries the skillet program as a whole: real containers with real programs, spoken to by the official Go SDK,
// a client that this project did not write.
package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"skillet/internal/testlog"
)

var (
	root    string // of the repository
	skillet string // the program
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "skillet-e2e")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	root, skillet = mustAbs("../.."), filepath.Join(dir, "skillet")
	build := exec.Command("go", "build", "-o", skillet, ".")
	build.Dir, build.Stdout, build.Stderr = root, os.Stdout, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "building skillet:", err)
		return 1
	}
	return m.Run()
}

func mustAbs(path string) string {
	absolute, err := filepath.Abs(path)
	if err != nil {
		panic(err)
	}
	return absolute
}

// server is a running skillet and a client connected to it.
type server struct {
	*mcp.ClientSession
	process *os.Process
	stderr  *testlog.Buffer
	workdir string
}

// serve starts skillet with a configuration in a fresh working directory.
func serve(t *testing.T, config string, env ...string) *server {
	t.Helper()
	workdir := t.TempDir()
	file := filepath.Join(workdir, "skills.toml")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	return serveFile(t, file, workdir, env...)
}

func serveFile(t *testing.T, file, workdir string, env ...string) *server {
	t.Helper()
	s := &server{stderr: &testlog.Buffer{}, workdir: workdir}
	command := exec.Command(skillet, "serve", "--config", file, "--workdir", workdir)
	command.Env = append(os.Environ(), env...)
	command.Stderr = s.stderr
	session, err := mcp.NewClient(&mcp.Implementation{Name: "e2e", Version: "1"}, nil).
		Connect(t.Context(), &mcp.CommandTransport{Command: command}, nil)
	if err != nil {
		t.Fatalf("connecting: %v\n%s", err, s.stderr)
	}
	s.ClientSession, s.process = session, command.Process
	t.Cleanup(func() {
		if err := session.Close(); err != nil {
			t.Errorf("closing: %v\n%s", err, s.stderr)
		}
		// An engine lists what it removes for some milliseconds after it has said that it is gone.
		waitFor(t, "the last containers to go", func() bool { return containers(t) == "" })
	})
	return s
}

// containers names the containers of skillet that are there. The tests of other packages may have some, too; those of
// this one have skills whose names begin with "e2e".
func containers(t *testing.T) string {
	t.Helper()
	return docker(t, "ps", "-aq", "--filter", "name=skillet-e2e")
}

func docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("docker", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (s *server) call(t *testing.T, tool string, arguments any) *mcp.CallToolResult {
	t.Helper()
	result, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: arguments})
	if err != nil {
		t.Fatalf("%s: %v\n%s", tool, err, s.stderr)
	}
	return result
}

func texts(result *mcp.CallToolResult) string {
	var all []string
	for _, content := range result.Content {
		if text, ok := content.(*mcp.TextContent); ok {
			all = append(all, text.Text)
		}
	}
	return strings.Join(all, "\n")
}

// sh is a skill without parameters, to make containers do what a test needs.
const sh = `
[skills.e2e_sh]
timeout = "60s"
warm = 0
[skills.e2e_sh.docker]
image = "debian:bookworm-slim"
entrypoint = "sh"
volumes = ["${SKILL_WORKDIR}:/workdir"]
working_dir = "/workdir"
memory = "64m"
`

func script(text string) map[string]any { return map[string]any{"args": []string{"-c", text}} }

func TestACancelledCallLeavesNoContainer(t *testing.T) {
	s := serve(t, sh)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := s.CallTool(ctx, &mcp.CallToolParams{Name: "e2e_sh", Arguments: script("trap '' TERM; touch started; sleep 600")})
		done <- err
	}()
	waitFor(t, "the program to start", func() bool { return exists(filepath.Join(s.workdir, "started")) })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("the call ended with %v", err)
	}
	waitFor(t, "the container to go", func() bool { return containers(t) == "" })
	if got := texts(s.call(t, "e2e_sh", script("echo on"))); got != "on\n" {
		t.Errorf("the next call gave %q", got)
	}
}

func TestContainersWaitForCallsAndGoWithTheServer(t *testing.T) {
	s := serve(t, strings.Replace(sh, "warm = 0", "warm = 2", 1))
	running := func() []string {
		return strings.Fields(docker(t, "ps", "-q", "--filter", "name=skillet-e2e"))
	}
	waitFor(t, "two containers to wait", func() bool { return len(running()) == 2 })
	before := running()
	if got := texts(s.call(t, "e2e_sh", script("echo on"))); got != "on\n" {
		t.Errorf("the call gave %q", got)
	}
	waitFor(t, "another container in the place of the one that was used", func() bool {
		now := running()
		return len(now) == 2 && !slices.Equal(now, before)
	})
} // the end of the test closes the connection, and looks whether anything is left

func TestMuchOutputDoesNotGrowTheServer(t *testing.T) {
	s := serve(t, sh)
	s.call(t, "e2e_sh", script("echo warm-up"))
	before := peakKiB(t, s.process.Pid)
	result := s.call(t, "e2e_sh", script("head -c 200000000 /dev/zero | tr '\\0' x; echo end >&2"))
	grown := peakKiB(t, s.process.Pid) - before
	t.Logf("200 MB of output grew the server by %d KiB", grown)
	if grown > 24<<10 { // the 1 MiB that is kept stands in the result as text, as JSON and encoded, and the collector lags behind
		t.Errorf("the server grew by %d KiB", grown)
	}
	structured, _ := json.Marshal(result.StructuredContent)
	for _, want := range []string{`"truncated":true`, fmt.Sprintf(`"stdout_dropped_bytes":%d`, 200000000-1<<20), `"stderr":"end\n"`, `"exit_code":0`} {
		if !strings.Contains(string(structured), want) {
			t.Errorf("the result has no %s", want)
		}
	}
}

// peakKiB is the largest resident size that a process ever had.
func peakKiB(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	size, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return size
}

func TestRunningOutOfMemoryIsToldApart(t *testing.T) {
	s := serve(t, sh)
	result := s.call(t, "e2e_sh", script("x=$(head -c 500000000 /dev/zero | tr '\\0' x); echo survived"))
	if !result.IsError || !strings.Contains(texts(result), "out of memory") {
		t.Errorf("got %q", texts(result))
	}
	result = s.call(t, "e2e_sh", script("exit 137"))
	if !result.IsError || strings.Contains(texts(result), "out of memory") {
		t.Errorf("got %q", texts(result))
	}
}

func TestFilesBelongToTheOwnerOfTheWorkingDirectory(t *testing.T) {
	workdir := t.TempDir()
	file := filepath.Join(workdir, "skills.toml")
	if err := errors.Join(os.WriteFile(file, []byte(sh), 0o644), os.Chown(workdir, 1234, 2345)); err != nil {
		t.Fatal(err)
	}
	s := serveFile(t, file, workdir)
	if result := s.call(t, "e2e_sh", script("touch made; echo text > $HOME/x && cat $HOME/x")); result.IsError {
		t.Fatal(texts(result))
	}
	info, err := os.Stat(filepath.Join(workdir, "made"))
	if err != nil {
		t.Fatal(err)
	}
	if owner := info.Sys().(*syscall.Stat_t); owner.Uid != 1234 || owner.Gid != 2345 {
		t.Errorf("the file belongs to %d:%d", owner.Uid, owner.Gid)
	}
}

func TestTheServerOutlivesTheAbsenceOfItsEngine(t *testing.T) {
	p := &proxy{socket: filepath.Join(t.TempDir(), "engine.sock"), stop: func() {}}
	t.Cleanup(func() { p.stop() }) // after the server's end, which removes its containers
	s := serve(t, sh, "DOCKER_HOST=unix://"+p.socket)
	if list, err := s.ListTools(t.Context(), nil); err != nil || len(list.Tools) != 1 {
		t.Fatalf("without an engine: %v %v", list, err)
	}
	for range 2 {
		result := s.call(t, "e2e_sh", script("echo on"))
		if !result.IsError || !strings.Contains(texts(result), p.socket) || !strings.Contains(texts(result), "Start Docker") {
			t.Errorf("without an engine: %q", texts(result))
		}
		p.start(t)
		if got := texts(s.call(t, "e2e_sh", script("echo on"))); got != "on\n" {
			t.Errorf("with an engine: %q", got)
		}
		waitFor(t, "the container to go", func() bool { return containers(t) == "" })
		p.stop()
	}
	p.start(t)
}

// proxy serves the engine at another socket, where it can be made to vanish.
type proxy struct {
	socket string
	stop   func() // ends it, with all connections
}

func (p *proxy) start(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("unix", p.socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = func() { listener.Close(); cancel() }
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("unix", engineSocket())
			if err != nil {
				from.Close()
				continue
			}
			context.AfterFunc(ctx, func() { from.Close(); to.Close() })
			go func() { _, _ = io.Copy(to, from); _ = to.(*net.UnixConn).CloseWrite() }()
			go func() { _, _ = io.Copy(from, to); from.Close() }()
		}
	}()
}

func engineSocket() string {
	if path, ok := strings.CutPrefix(os.Getenv("DOCKER_HOST"), "unix://"); ok {
		return path
	}
	return "/var/run/docker.sock"
}

func TestRefusedSkillsAreNotListedAndTheRestServes(t *testing.T) {
	s := serve(t, sh+"[skills.e2e_evil.docker]\nimage = \"debian:bookworm-slim\"\nextra_args = [\"--privileged\"]\n")
	list, err := s.ListTools(t.Context(), nil)
	if err != nil || len(list.Tools) != 1 || list.Tools[0].Name != "e2e_sh" {
		t.Errorf("got %v %v", list, err)
	}
	if _, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "e2e_evil"}); err == nil {
		t.Error("a refused skill can be called")
	}
	if !strings.Contains(s.stderr.String(), "block_privileged") {
		t.Errorf("stderr does not say why: %s", s.stderr)
	}
}

func TestManyCallsAtOnceAreAllAnswered(t *testing.T) {
	s := serve(t, sh)
	const calls = 20
	answers := make(chan string, calls)
	for i := range calls {
		go func() {
			result, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "e2e_sh", Arguments: script(fmt.Sprintf("echo %d", i))})
			if err != nil {
				answers <- err.Error()
				return
			}
			answers <- strings.TrimSpace(texts(result))
		}()
	}
	seen := map[string]bool{}
	for range calls {
		seen[<-answers] = true
	}
	for i := range calls {
		if !seen[strconv.Itoa(i)] {
			t.Errorf("call %d was not answered rightly: %v", i, seen)
		}
	}
}

func waitFor(t *testing.T, what string, reached func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !reached(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
