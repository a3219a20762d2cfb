package runtime

import (
	"io"
	"net"
	"testing"

	"skillet/runtime/supervisor/wire"

	"github.com/docker/docker/pkg/stdcopy"
)

// fakeSupervisor is what runs in the containers of a fake engine that are made for a supervisor. It speaks the real protocol, and
// can break it at any point. What it returns is the container's exit code; then the engine removes the container.
type fakeSupervisor func(*supervisorSide) (code int64)

// supervisorSide is the connection as a supervisor has it.
type supervisorSide struct {
	conn   net.Conn
	buffer []byte
}

// say sends a frame. That nobody listens any more is found out by hear.
func (s *supervisorSide) say(kind wire.Kind, content []byte) {
	s.write(wire.Append(nil, kind, content))
}

func (s *supervisorSide) write(raw []byte) {
	_, _ = stdcopy.NewStdWriter(s.conn, stdcopy.Stdout).Write(raw)
}

// hear waits for the next frame; 0 is the end of the connection.
func (s *supervisorSide) hear() wire.Kind {
	kind, _, err := wire.Read(s.conn, &s.buffer)
	if err != nil {
		return 0
	}
	return kind
}

// takeOrder does all that comes before the program, and tells whether it is to run.
func (s *supervisorSide) takeOrder() bool {
	s.say(wire.Ready, nil)
	if s.hear() != wire.Order {
		return false
	}
	s.say(wire.Accepted, nil)
	return s.hear() == wire.Go
}

// untilGone reads until the connection's end.
func (s *supervisorSide) untilGone() { _, _ = io.Copy(io.Discard, s.conn) }

func (s *supervisorSide) exit(code int) int64 {
	s.say(wire.Exit, wire.ExitFrame{How: wire.Exited, Code: code}.Encode())
	return int64(code)
}

// honest is a supervisor as it should be, with a program that writes "out" and ends.
func honest(s *supervisorSide) int64 {
	if !s.takeOrder() {
		return 0
	}
	s.say(wire.Output, []byte("out"))
	return s.exit(0)
}

// patient is an honest one whose program runs until it is killed.
func patient(s *supervisorSide) int64 {
	if !s.takeOrder() {
		return 0
	}
	s.say(wire.Output, []byte("out"))
	for {
		switch s.hear() {
		case wire.Signal:
			s.say(wire.Exit, wire.ExitFrame{How: wire.Signalled, Code: int(s.buffer[0])}.Encode())
			return 137
		case 0:
			return 137
		}
	}
}

// newSupervisedEngine is a fake engine whose containers have this supervisor.
func newSupervisedEngine(t *testing.T, what fakeSupervisor) (*Runtime, *fakeEngine) {
	t.Helper()
	fake := newFakeEngine()
	fake.arch, fake.supervisor = "amd64", what
	return newFakeRuntime(t, fake), fake
}

// supervise runs the supervisor of a container to its end.
func (f *fakeEngine) supervise(name string, c *fakeContainer) {
	code := f.supervisor(&supervisorSide{conn: c.stream})
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.containers[name] == c {
		c.end(code)
		delete(f.containers, name)
	}
}
