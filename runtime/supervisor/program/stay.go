//go:build linux

package main

import (
	"io"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"skillet/runtime/supervisor/wire"
)

// An order that says Stay is one of several. When its program has ended, what it has left running is left alone, the exit is
// told, and the supervisor is ready for the next order.

// serving has what skillet sends taken in beside everything else. The channel is closed when the connection is lost, and gives
// the next order where one may follow.
func (l *link) serving(p *program) chan *preparation {
	p.told = make(chan struct{})
	return follow(func() *preparation {
		next := l.serve(p)
		if next != nil {
			<-p.told
		}
		return next
	})
}

func follow(next func() *preparation) chan *preparation {
	ordered := make(chan *preparation)
	go func() {
		defer close(ordered)
		if prepared := next(); prepared != nil {
			ordered <- prepared
		}
	}()
	return ordered
}

// following takes in the next order, beginning with a frame that was read already. What was meant for the last program, and has
// crossed its exit, is dropped; what would have ended it ends the supervisor.
func (l *link) following(kind wire.Kind, content []byte) *preparation {
	for {
		switch {
		case kind == wire.Order:
			prepared, err := l.accept(content)
			if err != nil {
				return nil
			}
			return prepared
		case kind == wire.Input, kind == wire.InputEnd:
		case kind == wire.Signal && len(content) == 1 && syscall.Signal(content[0]) != syscall.SIGKILL:
		default:
			return nil
		}
		var err error
		if kind, content, err = l.next(); err != nil {
			return nil
		}
	}
}

// refuse tells that a program did not begin. It returns where the next order comes from, nil where none may follow.
func (l *link) refuse(prepared *preparation, why error) chan *preparation {
	prepared.closeOurs()
	if l.send(wire.Exit, notStarted(why).Encode()) != nil || prepared.order.Stay <= 0 {
		return nil
	}
	return follow(func() *preparation {
		kind, content, err := l.next()
		if err != nil {
			return nil
		}
		return l.following(kind, content)
	})
}

// closeOurs closes the supervisor's ends of a program's pipes.
func (p *preparation) closeOurs() {
	for _, file := range []*os.File{p.stdin, p.stdout, p.stderr} {
		if file != nil {
			_ = file.Close()
		}
	}
}

// leave tells how the program ended and leaves alone what it has left running. It returns where the next order comes from, nil
// when the connection is lost or the order's time is over before skillet has heard of the end.
func (p *program) leave(link *link, ordered chan *preparation, over <-chan time.Time) chan *preparation {
	go func() {
		defer close(p.told)
		p.feed.abandon()
		exit := p.exit(false)
		p.output.settle(link)
		p.errors.settle(link)
		p.over.Store(true)
		_ = link.send(wire.Exit, exit.Encode())
	}()
	select {
	case <-p.told:
	case <-ordered:
		return nil
	case <-over:
		return nil
	}
	debug.FreeOSMemory() // nothing else collects garbage, and there may be many orders
	return ordered
}

// abandon ends the input at once, and returns when no more credit is given. What else comes is dropped.
func (f *feed) abandon() {
	if f.to == nil {
		return
	}
	f.mu.Lock()
	f.ended, f.abandoned, f.waiting = true, true, nil
	f.changed.Signal()
	f.mu.Unlock()
	_ = f.to.Close()
	<-f.done
}

// settle carries what the output holds now, which is all that the program itself has written, and leaves the output to who else
// has it open.
func (p *pump) settle(link *link) {
	_ = p.from.SetReadDeadline(time.Unix(1, 0)) // ends the pump
	<-p.done
	if p.whole {
		_ = p.from.Close()
		return
	}
	_ = p.from.SetReadDeadline(time.Time{})
	buffer := make([]byte, wire.Chunk)
	for rest := held(p.from); rest > 0; {
		n, err := p.from.Read(buffer[:min(rest, len(buffer))])
		if n > 0 && link.send(p.kind, buffer[:n]) != nil || err != nil {
			break
		}
		rest -= n
	}
	remains.keep(p.from)
}

// held tells how many bytes a pipe holds (FIONREAD, pipe(7)).
func held(pipe *os.File) (bytes int) {
	raw, err := pipe.SyscallConn()
	if err != nil {
		return 0
	}
	var count int32
	_ = raw.Control(func(fd uintptr) {
		const fionread = 0x541b
		_, _, _ = syscall.Syscall(syscall.SYS_IOCTL, fd, fionread, uintptr(unsafe.Pointer(&count)))
	})
	return int(count)
}

// leftovers are outputs of programs that have ended, which others hold open. What these write is read and dropped: they would
// block on a full pipe, and be killed by one that nobody reads.
type leftovers struct {
	mu    sync.Mutex
	files []*os.File // the oldest first
}

var remains leftovers

// mostLeftovers bounds what they take of the supervisor's memory and descriptors. Beyond it, the oldest are closed.
const mostLeftovers = 32

func (l *leftovers) keep(output *os.File) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.files = append(l.files, output)
	if len(l.files) > mostLeftovers {
		_ = l.files[0].Close() // which ends the reading
		l.files = slices.Delete(l.files, 0, 1)
	}
	go func() {
		_, _ = io.Copy(io.Discard, output)
		_ = output.Close()
		l.mu.Lock()
		defer l.mu.Unlock()
		l.files = slices.DeleteFunc(l.files, func(file *os.File) bool { return file == output })
	}()
}
