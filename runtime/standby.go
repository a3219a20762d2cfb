package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"skillet/policy"
	"skillet/runtime/supervisor/wire"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
	"golang.org/x/sync/semaphore"
)

// line is the connection to a container's supervisor.
type line struct {
	*vessel
	image   string        // the ID of what it was made from
	sources []os.FileInfo // of its bind mounts, as they were before it was made
	conn    types.HijackedResponse
	forget  context.CancelFunc // ends the question for its removal

	launched time.Time
	answered chan struct{} // closed when the engine has answered to the start, and startErr is there
	ended    chan struct{} // closed when nothing more comes, and err is there
	startErr error
	err      error

	listener *standby // who hears what the supervisor says; of the listening goroutine
	writing  sync.Mutex
	said     said
}

// standby is a container whose supervisor waits for an order, or carries one out. It takes one order in its life; the next one
// of a session is for its successor.
type standby struct {
	*line
	ready    chan struct{}
	accepted chan struct{}
	finished chan struct{} // closed when exit is there, and next
	exit     wire.ExitFrame

	stays bool     // the order says so
	next  *standby // which may take another one after it; nil for none

	task     atomic.Pointer[task]
	feeding  sync.WaitGroup
	inFlight atomic.Int64 // bytes of input that were not credited yet
	credit   *semaphore.Weighted
	times    phases
}

func newStandby(l *line) *standby {
	return &standby{line: l, ready: make(chan struct{}), accepted: make(chan struct{}), finished: make(chan struct{}),
		credit: semaphore.NewWeighted(wire.Window)}
}

// task is where the output of the one order goes.
type task struct{ stdout, stderr *capture }

// phases are when a container reached what. They are written by those who bring it about, before what tells others of it.
type phases struct{ created, attached, ready, ordered, accepted, exit time.Time }

// launch makes a container with a supervisor in it, and starts it. It does not wait for the start: orders can be given at once.
// Its error is errNoImage, or one that [vessel.explain] has made.
func (r *Runtime) launch(ctx context.Context, spec policy.Container, h harness) (*standby, error) {
	s := newStandby(&line{
		vessel: r.newVessel(spec, newRequest(spec, containerName(spec.Skill), r.owner).supervised(h)),
		image:  h.image.id, sources: sources(spec), launched: time.Now(), answered: make(chan struct{}), ended: make(chan struct{}),
	})
	s.listener = s
	if !r.removals.hold(s.request.Name) {
		return nil, ErrClosed
	}
	held := false
	defer func() {
		if !held {
			r.removals.release(s.request.Name)
		}
	}()
	if err := s.create(ctx); err != nil {
		if errors.Is(err, errNoImage) {
			return nil, err
		}
		return nil, s.explain(ctx, err, "creating the container")
	}
	s.times.created = time.Now()
	if err := s.connect(ctx); err != nil {
		r.removals.remove(s.request.Name, s.id)
		return nil, err
	}
	held = true
	return s, nil
}

// connect attaches to a container that was created, and has it started.
func (s *standby) connect(ctx context.Context) (err error) {
	if s.conn, err = s.attach(ctx); err != nil {
		return s.explain(ctx, err, "attaching to the container")
	}
	s.times.attached = time.Now()
	go s.listen()
	asking, forget := context.WithCancel(context.Background())
	s.forget = forget
	go s.awaitRemoval(asking)
	s.started = true
	go func() {
		uncut, cancel := context.WithTimeout(context.Background(), s.limits.start)
		defer cancel()
		s.startErr = s.api.ContainerStart(uncut, s.id, container.StartOptions{})
		close(s.answered)
	}()
	return nil
}

// awaitRemoval hears of the container's end, after which the engine removes it, whoever is there to see it. Beside the start: an
// answer that comes too late for the end says that there is no such container.
func (s *standby) awaitRemoval(ctx context.Context) {
	results, errs := s.api.ContainerWait(ctx, s.id, container.WaitConditionRemoved)
	select {
	case response := <-results:
		s.exited <- exit{code: int(response.StatusCode)}
	case err := <-errs:
		if cerrdefs.IsNotFound(err) {
			err = nil
		}
		s.exited <- exit{code: -1, err: err}
	}
}

// leave lets go of the container, and makes sure that it goes: its supervisor ends with the connection.
func (s *standby) leave() {
	defer s.removals.release(s.request.Name)
	s.conn.Close()
	s.removals.expect(s.request.Name, s.id, s.exited, s.forget)
}

// gone waits for the engine to say that the container has ended and is removed, and tells whether it has.
func (s *standby) gone(patience time.Duration) (exit, bool) {
	select {
	case end := <-s.exited:
		s.exited <- end // for who waits next
		return end, true
	case <-time.After(patience):
		return exit{}, false
	}
}

// listen takes in what the supervisor says, until its end. Then the connection goes as well, and with it the container: nobody
// listens any more.
func (s *standby) listen() {
	decoder := wire.Decoder{Frame: func(kind wire.Kind, content []byte) error { return s.listener.frame(kind, content) }}
	_, err := stdcopy.StdCopy(&decoder, &s.said, s.conn.Reader)
	if err == nil {
		err = io.EOF
	}
	s.err = err
	s.conn.Close()
	close(s.ended)
}

// frame takes in one frame. What the supervisor has no reason to say is an error.
func (s *standby) frame(kind wire.Kind, content []byte) (err error) {
	task := s.task.Load()
	switch {
	case isClosed(s.finished):
		return fmt.Errorf("a frame %q after the exit", rune(kind))
	case kind == wire.Ready && !isClosed(s.ready):
		s.times.ready = time.Now()
		close(s.ready)
	case kind == wire.Accepted && task != nil && !isClosed(s.accepted):
		s.times.accepted = time.Now()
		close(s.accepted)
	case !isClosed(s.accepted):
		return fmt.Errorf("a frame %q before there was an order", rune(kind))
	case kind == wire.Output:
		_, err = task.stdout.Write(content)
	case kind == wire.ErrorOutput:
		_, err = task.stderr.Write(content)
	case kind == wire.Credit:
		err = s.credited(content)
	case kind == wire.Exit:
		if s.exit, err = wire.DecodeExit(content); err == nil {
			s.times.exit = time.Now()
			s.succeed()
			close(s.finished)
		}
	default:
		return fmt.Errorf("a frame %q, which is not its own", rune(kind))
	}
	return err
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (s *standby) credited(content []byte) error {
	bytes, err := wire.DecodeCredit(content)
	if err != nil {
		return err
	}
	if s.inFlight.Add(int64(-bytes)) < 0 {
		return errors.New("credit for input that was not sent")
	}
	s.credit.Release(int64(bytes))
	return nil
}

// send writes frames. An engine that does not take them is left to time out.
func (s *standby) send(frames []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.write(frames, s.limits.request)
}

// write is called with the lock held.
func (s *standby) write(frames []byte, patience time.Duration) error {
	_ = s.conn.Conn.SetWriteDeadline(time.Now().Add(patience))
	_, err := s.conn.Conn.Write(frames)
	return err
}

// order hands the one order over. With carryOut it is carried out at once; else not before [standby.carryOut] says so.
//
// It is not waited for where that could take long: a container that is not started yet, or is frozen, takes only the beginning of
// a long order. What is sent later comes after it. An order that cannot be handed over ends the connection.
func (s *standby) order(o wire.OrderFrame, t *task, carryOut bool) {
	s.times.ordered = time.Now()
	s.stays = o.Stay > 0
	s.task.Store(t)
	frames := wire.Append(nil, wire.Order, o.Encode())
	if carryOut {
		frames = wire.Append(frames, wire.Go, nil)
	}
	hand := func(patience time.Duration) {
		defer s.writing.Unlock()
		if s.write(frames, patience) != nil {
			s.conn.Close()
		}
	}
	s.writing.Lock()
	if !carryOut && len(frames) <= atOnce { // it waits for the order, and the call for it
		hand(s.limits.word)
	} else {
		go hand(s.limits.start)
	}
}

// atOnce is what a connection that nothing was sent on takes in any case: a small part of what the kernel keeps for its reader.
const atOnce = 16 << 10

func (s *standby) carryOut() error { return s.send(wire.Append(nil, wire.Go, nil)) }

// feed writes the program's input and ends it, beside the reading of its output. That it does not take all is no error.
func (s *standby) feed(input []byte) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		select {
		case <-s.ended:
		case <-s.finished:
		}
		cancel()
	}()
	s.feeding.Go(func() {
		defer cancel()
		var frame []byte
		for len(input) > 0 {
			chunk := input[:min(len(input), wire.Chunk)]
			if s.credit.Acquire(ctx, int64(len(chunk))) != nil {
				return
			}
			s.inFlight.Add(int64(len(chunk)))
			frame = wire.Append(frame[:0], wire.Input, chunk)
			if s.send(frame) != nil {
				return
			}
			input = input[len(chunk):]
		}
		_ = s.send(wire.Append(nil, wire.InputEnd, nil))
	})
}

// said keeps the end of what a supervisor writes to its own standard error: the last words of one that has failed.
type said struct {
	mu   sync.Mutex
	tail []byte
}

func (s *said) Write(p []byte) (int, error) {
	const most = 2 << 10
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tail = append(s.tail, p...)
	s.tail = s.tail[max(0, len(s.tail)-most):]
	return len(p), nil
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.tail)
}

// sources looks up what a plan's bind mounts mount, as seen from here; nil for one that cannot be seen.
func sources(c policy.Container) []os.FileInfo {
	var infos []os.FileInfo
	for _, m := range c.Mounts {
		if m.Type == policy.MountBind {
			info, err := os.Stat(m.Source)
			if err != nil {
				info = nil
			}
			infos = append(infos, info)
		}
	}
	return infos
}
