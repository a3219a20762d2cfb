//go:build linux

package main

import (
	"os"
	"sync/atomic"
	"time"

	"skillet/runtime/supervisor/wire"
)

// silence is how long an output is waited for that somebody outside the container holds open.
const silence = 500 * time.Millisecond

// pump carries one of the program's outputs to skillet.
type pump struct {
	from   *os.File
	kind   wire.Kind
	ending atomic.Bool   // nothing in the container writes any more
	done   chan struct{} // closed at the end
	whole  bool          // the end was reached; to be read after done
}

func newPump(from *os.File, kind wire.Kind) *pump {
	return &pump{from: from, kind: kind, done: make(chan struct{})}
}

// pass starts to carry both outputs.
func (p *program) pass(link *link) {
	go p.output.run(link)
	go p.errors.run(link)
}

// drained waits until both outputs are carried, and tells whether to their ends.
func (p *program) drained() bool {
	p.output.end()
	p.errors.end()
	<-p.output.done
	<-p.errors.done
	return p.output.whole && p.errors.whole
}

// end makes the pump give up on an output that stays silent. What is there already is still carried: a client may take its time
// to read it.
func (p *pump) end() {
	p.ending.Store(true)
	_ = p.from.SetReadDeadline(time.Now().Add(silence))
}

func (p *pump) run(link *link) {
	defer close(p.done)
	buffer := make([]byte, wire.Chunk)
	for {
		if p.ending.Load() {
			_ = p.from.SetReadDeadline(time.Now().Add(silence))
		}
		n, err := p.from.Read(buffer)
		if n > 0 && link.send(p.kind, buffer[:n]) != nil {
			return
		}
		if err != nil {
			p.whole = !os.IsTimeout(err)
			return
		}
	}
}
