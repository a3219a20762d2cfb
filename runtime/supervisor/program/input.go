//go:build linux

package main

import (
	"os"
	"sync"
	"syscall"

	"skillet/runtime/supervisor/wire"
)

// link is the connection to skillet: the container's standard input and output.
type link struct {
	in     *os.File
	buffer []byte

	writing sync.Mutex
	out     *os.File
	frame   []byte
}

// newLink takes over the standard streams. They do not block, so that waiting for them takes no thread.
func newLink() *link {
	for _, fd := range []int{0, 1} {
		_ = syscall.SetNonblock(fd, true)
		syscall.CloseOnExec(fd)
	}
	return &link{in: os.NewFile(0, "link"), out: os.NewFile(1, "link"), frame: make([]byte, 0, wire.Chunk+64)}
}

// send writes a frame in one piece.
func (l *link) send(kind wire.Kind, content []byte) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.frame = wire.Append(l.frame[:0], kind, content)
	_, err := l.out.Write(l.frame)
	return err
}

func (l *link) next() (wire.Kind, []byte, error) { return wire.Read(l.in, &l.buffer) }

// order reads an order and the word to carry it out. Whatever else comes gives nil, and ends the supervisor.
func (l *link) order() *preparation {
	content, err := l.expect(wire.Order)
	if err != nil {
		return nil
	}
	prepared, err := l.accept(content)
	if err != nil {
		return nil
	}
	return prepared
}

// accept takes an order in, reads the word to carry it out, and prepares in between.
func (l *link) accept(content []byte) (*preparation, error) {
	order, err := wire.DecodeOrder(content)
	if err != nil {
		return nil, err
	}
	l.buffer = nil // it may have been large
	if err := l.send(wire.Accepted, nil); err != nil {
		return nil, err
	}
	prepared := prepare(order)
	_, err = l.expect(wire.Go)
	return prepared, err
}

// expect reads a frame of a kind.
func (l *link) expect(want wire.Kind) ([]byte, error) {
	kind, content, err := l.next()
	if err == nil && kind != want {
		err = &wire.FrameError{Kind: kind, Length: len(content)}
	}
	return content, err
}

// serve takes in what skillet sends while the program runs, and returns when the connection is lost; after the end of a program
// whose order says Stay also with the next order.
func (l *link) serve(p *program) *preparation {
	defer p.feed.end()
	for {
		kind, content, err := l.next()
		switch {
		case err != nil:
			return nil
		case p.over.Load():
			return l.following(kind, content)
		case kind == wire.Input:
			if !p.feed.add(content) {
				return nil
			}
		case kind == wire.InputEnd:
			p.feed.end()
		case kind == wire.Signal && len(content) == 1 && syscall.Signal(content[0]) == syscall.SIGKILL:
			p.killed.Store(true)
			p.killAll()
		case kind == wire.Signal && len(content) == 1:
			p.signal(syscall.Signal(content[0]))
		default:
			return nil
		}
	}
}

// feed writes the program's input, beside the reading of it: what the program has not taken yet waits here, one window of it
// at the most.
type feed struct {
	link *link
	to   *os.File

	mu      sync.Mutex
	changed sync.Cond
	waiting []byte
	ended   bool

	abandoned bool          // its program has ended, and another one may come
	done      chan struct{} // closed when nothing is written any more
}

func newFeed(link *link, to *os.File) *feed {
	f := &feed{link: link, to: to, done: make(chan struct{})}
	f.changed.L = &f.mu
	if to != nil {
		go f.write()
	}
	return f
}

// add takes input in, and tells whether there was credit for it.
func (f *feed) add(input []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.abandoned {
		return true
	}
	if f.to == nil || f.ended || len(f.waiting)+len(input) > wire.Window {
		return false
	}
	f.waiting = append(f.waiting, input...)
	f.changed.Signal()
	return true
}

func (f *feed) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	f.changed.Signal()
}

// write writes until the input ends. Input for a program that does not want it any more is dropped.
func (f *feed) write() {
	defer close(f.done)
	defer f.to.Close()
	var chunk []byte
	wanted := true
	for {
		chunk = f.take(chunk[:0])
		if len(chunk) == 0 {
			return
		}
		if wanted {
			if _, err := f.to.Write(chunk); err != nil {
				wanted = false
				_ = f.to.Close()
			}
		}
		if f.link.send(wire.Credit, wire.EncodeCredit(len(chunk))) != nil {
			return
		}
	}
}

// take waits for input and takes some; none means that it has ended.
func (f *feed) take(into []byte) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.waiting) == 0 && !f.ended {
		f.changed.Wait()
	}
	n := min(len(f.waiting), wire.Chunk)
	into = append(into, f.waiting[:n]...)
	f.waiting = append(f.waiting[:0], f.waiting[n:]...)
	return into
}
