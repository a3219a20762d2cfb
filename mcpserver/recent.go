package mcpserver

import (
	"sync"
	"unicode/utf8"
)

// recent keeps the end of what a program has written so far, for who asks while it runs.
type recent struct {
	mu    sync.Mutex
	data  []byte // at most twice recentSize, so that it is seldom moved
	total int64
}

const recentSize = 32 << 10

// Write never fails.
func (r *recent) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total += int64(len(p))
	keep := p[max(0, len(p)-recentSize):]
	if len(r.data)+len(keep) > 2*recentSize {
		rest := r.data[len(r.data)-(recentSize-len(keep)):]
		r.data = append(r.data[:0], rest...)
	}
	r.data = append(r.data, keep...)
	return len(p), nil
}

// end returns the last bytes, and how many were there before them. A character is not cut in two.
func (r *recent) end() (data []byte, before int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	data = append([]byte{}, r.data[max(0, len(r.data)-recentSize):]...)
	if r.total > int64(len(data)) {
		for n := 0; n < utf8.UTFMax-1 && len(data) > 0 && !utf8.RuneStart(data[0]); n++ {
			data = data[1:]
		}
	}
	before = r.total - int64(len(data))
	return withoutHalfRune(data), before
}

// forget gives the memory back.
func (r *recent) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.data = nil
}
