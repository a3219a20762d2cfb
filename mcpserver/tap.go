package mcpserver

import (
	"io"
	"strings"
	"sync"
)

// taps listen to what a program writes, without holding it up: they keep the end of each of its two streams, to be looked at
// now and then. What comes faster than that is lost to them, and to nobody else.
type taps struct {
	stdout, stderr tap

	mu     sync.Mutex
	latest *tap // that was written to last
}

// tap is one stream.
type tap struct {
	taps *taps
	size int

	tail    []byte // that came since the last look, at most size
	skipped bool   // there was more
	partial string // the beginning of a line whose end has not come
}

// A line that matters may be followed by many others within half a second, where it is looked for; for the last line alone,
// less will do.
const (
	shortTail   = 4 << 10
	longTail    = 64 << 10
	mostPartial = 4 << 10 // of a line
)

func newTaps(size int) *taps {
	t := &taps{}
	t.stdout, t.stderr = tap{taps: t, size: size}, tap{taps: t, size: size}
	return t
}

var _ io.Writer = (*tap)(nil)

// Write never fails.
func (t *tap) Write(p []byte) (int, error) {
	t.taps.mu.Lock()
	defer t.taps.mu.Unlock()
	t.taps.latest = t
	keep := p[max(0, len(p)-t.size):]
	if surplus := len(t.tail) + len(keep) - t.size; surplus > 0 {
		t.tail = append(t.tail[:0], t.tail[surplus:]...)
		t.skipped = true
	}
	t.skipped = t.skipped || len(keep) < len(p)
	t.tail = append(t.tail, keep...)
	return len(p), nil
}

// look calls line for each line that was completed since the last look, without control characters, and returns the last
// text of the stream that was written to last, which may be the beginning of a line; "" when there is none.
func (t *taps) look(line func(string)) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	out, err := t.stdout.look(line), t.stderr.look(line)
	if t.latest == &t.stderr {
		return last(out, err)
	}
	return last(err, out)
}

// forget gives the memory back: nothing will be looked for any more.
func (t *taps) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stdout.tail, t.stderr.tail = nil, nil
}

// last returns the last text that is there.
func last(texts ...string) (text string) {
	for _, one := range texts {
		if one != "" {
			text = one
		}
	}
	return text
}

// look takes what came since the last look. taps.mu is held.
func (t *tap) look(line func(string)) (text string) {
	if len(t.tail) == 0 {
		return ""
	}
	rest := string(t.tail)
	t.tail = t.tail[:0]
	if t.skipped { // then it begins within a line
		t.skipped, t.partial = false, ""
		_, rest, _ = cutLine(rest)
	}
	rest = t.partial + rest
	for {
		whole, after, found := cutLine(rest)
		if !found {
			break
		}
		if whole = readable(whole); whole != "" {
			line(whole)
			text = whole
		}
		rest = after
	}
	t.partial = rest[max(0, len(rest)-mostPartial):]
	if beginning := readable(t.partial); beginning != "" {
		text = beginning
	}
	return text
}

// cutLine cuts after the first line. A program that shows a bar writes lines over one another, with a carriage return.
func cutLine(text string) (line, rest string, found bool) {
	i := strings.IndexAny(text, "\r\n")
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+1:], true
}
