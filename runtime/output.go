package runtime

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/pkg/stdcopy"
)

// Stream is what a program wrote to one of its two outputs, byte for byte: all of it, or, where it is more than the plan's
// MaxOutput, the beginning and the end, which have so many bytes together. A program says at its end what went wrong.
type Stream struct {
	Data    []byte // the first bytes
	Dropped int64  // how many bytes came after them and were left out
	Tail    []byte // the last bytes, after those; nil when none were left out
}

// errSealed ends a copy that goes on after its call has returned.
var errSealed = errors.New("the call is over")

// capture keeps the beginning and the end of a stream and counts what is between them. It holds no more than the limit:
// once that is full, the second half of it is a ring that what comes replaces.
type capture struct {
	limit int64
	seen  atomic.Int64 // bytes so far
	// busy is set while the caller's own writer is at work, whose slowness is not the engine's silence.
	busy atomic.Bool

	mu      sync.Mutex
	kept    []byte
	oldest  int64 // where the ring begins, from the first half's end
	dropped int64
	live    io.Writer // nil for none, and after it failed
	sealed  bool
}

func newCapture(limit int64, live io.Writer) *capture { return &capture{limit: limit, live: live} }

// Write never fails for want of space. It fails once the capture is sealed.
func (c *capture) Write(p []byte) (int, error) {
	live, err := c.keep(p)
	if err != nil {
		return 0, err
	}
	if live == nil {
		return len(p), nil
	}
	c.busy.Store(true)
	defer c.busy.Store(false)
	// Not under the lock: a writer that blocks must not keep the call from returning.
	if _, err := live.Write(p); err != nil {
		// Who does not want the copy any more still wants the result.
		c.mu.Lock()
		c.live = nil
		c.mu.Unlock()
	}
	return len(p), nil
}

func (c *capture) keep(p []byte) (live io.Writer, _ error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sealed {
		return nil, errSealed
	}
	c.seen.Add(int64(len(p)))
	room := min(max(c.limit-int64(len(c.kept)), 0), int64(len(p)))
	c.kept = append(c.kept, p[:room]...)
	c.turn(p[room:])
	return c.live, nil
}

// turn puts into the ring what comes after it was full.
func (c *capture) turn(p []byte) {
	c.dropped += int64(len(p))
	ring := c.kept[c.half():]
	if len(p) >= len(ring) {
		p, c.oldest = p[len(p)-len(ring):], 0
	}
	for len(p) > 0 {
		n := copy(ring[c.oldest:], p)
		p = p[n:]
		c.oldest = (c.oldest + int64(n)) % int64(len(ring))
	}
}

// half is how much of the beginning is kept of a stream that is too long.
func (c *capture) half() int64 { return min(c.limit-c.limit/2, int64(len(c.kept))) }

// seal gives what was captured and takes no more.
func (c *capture) seal() Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sealed = true
	if c.dropped == 0 {
		return Stream{Data: c.kept}
	}
	half := c.half()
	ring := c.kept[half:]
	return Stream{Data: c.kept[:half:half], Dropped: c.dropped, Tail: slices.Concat(ring[c.oldest:], ring[:c.oldest])}
}

// streams are the three streams of an attached container.
type streams struct {
	conn           types.HijackedResponse
	stdout, stderr *capture
	copied         chan error // gets one value, nil for a proper end
}

// newStreams starts to read. It is called before the container is started, so that nothing is missed.
func newStreams(conn types.HijackedResponse, stdout, stderr *capture) *streams {
	s := &streams{conn: conn, stdout: stdout, stderr: stderr, copied: make(chan error, 1)}
	go func() {
		_, err := stdcopy.StdCopy(stdout, stderr, conn.Reader)
		s.copied <- err
	}()
	return s
}

// feed writes the program's input and ends it, beside the reading: a program that writes before it has read everything
// would otherwise wait for us, and we for it. That a program does not read all of its input is no error.
func (s *streams) feed(input []byte) {
	go func() {
		if len(input) > 0 {
			if _, err := s.conn.Conn.Write(input); err != nil {
				return
			}
		}
		_ = s.conn.CloseWrite()
	}()
}

// drain waits for the end of the output after the program's. It gives up after a time without a byte, and tells whether
// the end has come: processes outside of the container's own namespace can keep the streams open. A caller's writer
// that blocks is waited for until ctx ends.
func (s *streams) drain(ctx context.Context, patience time.Duration) error {
	tick := time.NewTicker(patience)
	defer tick.Stop()
	before, waited := s.seen(), false
	for {
		select {
		case err := <-s.copied:
			return err
		case <-tick.C:
		}
		now := s.seen()
		waiting := (s.stdout.busy.Load() || s.stderr.busy.Load()) && ctx.Err() == nil
		if now == before && !waiting && !waited {
			return errors.New("the engine did not end it")
		}
		before, waited = now, waiting
	}
}

func (s *streams) seen() int64 { return s.stdout.seen.Load() + s.stderr.seen.Load() }

// close ends the connection, and with it the reading and the feeding.
func (s *streams) close() { s.conn.Close() }
