//go:build faults

package faults

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"skillet/internal/testlog"
)

// server is a running skillet, and the client that has started it.
type server struct {
	*client
	pid    int // skillet's own, whatever it was started by
	idle   int // KiB that are resident before the first call
	log    *testlog.Buffer
	starts *os.Process   // what was started: skillet itself, or what it was started by
	exited chan struct{} // closed when that has ended
	state  *os.ProcessState
}

// launch says how a server is started.
type launch struct {
	config, workdir string
	flags           []string
	host            string   // DOCKER_HOST
	by              []string // a command that starts the server as its child; nil for this test itself
	in              []string // a command that makes the server's surroundings and runs it there; nil for this test's own
}

// start starts a server and its client.
func (l launch) start(t testing.TB) *server {
	t.Helper()
	pidFile := filepath.Join(t.TempDir(), "pid")
	// The shell tells the process id that it hands on, which is not that of what is started here when l.by is given.
	command := slices.Concat(l.by, []string{"sh", "-c", `echo $$ >"$0" && exec "$@"`, pidFile}, l.in,
		[]string{skillet, "serve", "--config", l.config, "--workdir", l.workdir}, l.flags)
	toServer, in := pipe(t)
	out, fromServer := pipe(t)
	s := &server{log: &testlog.Buffer{}, exited: make(chan struct{})}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = toServer, fromServer, s.log
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+l.host)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	toServer.Close()
	fromServer.Close()
	s.client, s.starts = newClient(in, out), cmd.Process
	go func() {
		_ = cmd.Wait()
		s.state = cmd.ProcessState
		close(s.exited)
	}()
	t.Cleanup(func() { s.end(t) })
	if !s.hello() {
		t.Fatalf("the server does not answer:\n%s", s.log)
	}
	s.pid = pidIn(t, pidFile)
	s.idle = s.resident("VmRSS")
	return s
}

func pidIn(t testing.TB, file string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func pipe(t testing.TB) (read, write *os.File) {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return read, write
}

// end closes the server's input, as a client does that has no more to say, and kills a server that stays nevertheless.
func (s *server) end(t testing.TB) {
	t.Helper()
	s.in.Close()
	if !s.exits(40 * time.Second) {
		_ = s.signal(syscall.SIGQUIT) // its goroutines say why it stays
		s.exits(time.Second)
		t.Errorf("the server did not end with its input; its log:\n%s", s.log)
		_ = s.signal(syscall.SIGKILL)
		_ = s.starts.Kill()
	}
	s.out.Close()
}

// exits tells whether the server ends in time.
func (s *server) exits(limit time.Duration) bool {
	deadline := time.Now().Add(limit)
	select {
	case <-s.exited:
	case <-time.After(limit):
		return false
	}
	// Its parent, where it has one other than this test, can end before it.
	for s.alive() {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(10 * time.Millisecond)
	}
	return true
}

// alive tells whether skillet runs. A process that nobody has waited for yet does not.
func (s *server) alive() bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid))
	if err != nil {
		return false
	}
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	return !bytes.HasPrefix(rest, []byte("Z"))
}

func (s *server) signal(signal syscall.Signal) error { return syscall.Kill(s.pid, signal) }

// resident reads a size of the server's memory in KiB: VmRSS is what it has now, VmHWM the most it ever had. It is 0 for
// a server that is gone.
func (s *server) resident(name string) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), name+":")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	size, _ := strconv.Atoi(fields[0])
	return size
}

// count counts what a directory of /proc/PID lists: fd, task.
func (s *server) count(dir string) int {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/%s", s.pid, dir))
	if err != nil {
		return -1
	}
	return len(entries)
}
