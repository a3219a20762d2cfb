package spool

import (
	"os"
	"sync"
)

// memory is how much of an output is held back before it becomes a file.
const memory = 64 << 10

// Output is one that is kept.
type Output struct {
	ID    string // unguessable
	Size  int64  // bytes
	Whole bool   // nothing is missing at its end

	client string
	file   *os.File
}

// ReadAt reads from an offset. It fails when the output was given up in between.
func (o *Output) ReadAt(p []byte, offset int64) (int, error) { return o.file.ReadAt(p, offset) }

// Writer takes an output as it comes. It never fails: what cannot be kept is no reason to disturb the program.
type Writer struct {
	store *Store

	mu    sync.Mutex
	held  []byte   // until there is a file
	file  *os.File // nil before
	size  int64    // bytes in the file, all of them reserved
	ended bool     // nothing more is taken
	whole bool     // nothing was refused
}

// Writer makes a writer for one output. It has to end with [Writer.Keep] or [Writer.Drop].
func (s *Store) Writer() *Writer { return &Writer{store: s, whole: true} }

func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.ended || !w.whole:
	case w.file == nil && len(w.held)+len(p) <= memory:
		w.held = append(w.held, p...)
	case w.open():
		w.whole = w.append(w.held) && w.append(p)
		w.held = nil
	default:
		w.whole = false
	}
	return len(p), nil
}

// open makes the file, if there is none.
func (w *Writer) open() bool {
	if w.file != nil {
		return true
	}
	file, err := os.CreateTemp("", "skillet-output-")
	if err != nil {
		return false
	}
	_ = os.Remove(file.Name()) // a system that does not let go of the name of an open file cleans up by its own rules
	w.file = file
	return true
}

// append writes to the file, as much as there is room for, and reports whether that was all.
func (w *Writer) append(p []byte) bool {
	room := min(w.store.limits.Output-w.size, int64(len(p)))
	if room <= 0 || !w.store.reserve(room) {
		return len(p) == 0
	}
	n, err := w.file.Write(p[:room])
	w.size += int64(n)
	w.store.release(room - int64(n))
	return err == nil && n == len(p)
}

// Keep ends the output and keeps it for a client. It returns nil when there is nothing to keep.
func (w *Writer) Keep(client string) *Output {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	if w.file == nil && len(w.held) > 0 && w.open() {
		w.whole = w.append(w.held)
		w.held = nil
	}
	if w.file == nil || w.size == 0 {
		w.drop()
		return nil
	}
	o := &Output{Size: w.size, Whole: w.whole, client: client, file: w.file}
	w.file, w.size = nil, 0
	w.store.keep(o)
	return o
}

// Drop ends the output and keeps nothing. After [Writer.Keep] it does nothing.
func (w *Writer) Drop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.drop()
}

func (w *Writer) drop() {
	if w.file != nil {
		w.file.Close()
		w.store.release(w.size)
		w.file, w.size = nil, 0
	}
	w.held = nil
}
