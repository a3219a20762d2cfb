package spool

import (
	"crypto/rand"
	"sync"
)

// Limits bound what is kept.
type Limits struct {
	Output  int64 // bytes of one output; what comes after them is not kept
	Total   int64 // bytes of all
	Outputs int   // how many, as each is an open file
}

// DefaultLimits are those of a server.
func DefaultLimits() Limits { return Limits{Output: 64 << 20, Total: 256 << 20, Outputs: 64} }

// Store has the outputs of all calls.
type Store struct {
	limits Limits

	mu     sync.Mutex
	taken  int64 // bytes, of the outputs that are still written to as well
	kept   map[string]*Output
	oldest []string // the ids of kept, the oldest first
}

// New makes a store.
func New(limits Limits) *Store { return &Store{limits: limits, kept: map[string]*Output{}} }

// keep takes in an output that is complete.
func (s *Store) keep(o *Output) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.kept) >= s.limits.Outputs && s.giveUp() {
	}
	o.ID = rand.Text()
	s.kept[o.ID] = o
	s.oldest = append(s.oldest, o.ID)
}

// reserve makes room for so many bytes more, and reports whether there is some.
func (s *Store) reserve(bytes int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.taken+bytes > s.limits.Total {
		if !s.giveUp() {
			return false
		}
	}
	s.taken += bytes
	return true
}

func (s *Store) release(bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken -= bytes
}

// giveUp lets the oldest output go. It is called with s.mu held.
func (s *Store) giveUp() bool {
	if len(s.oldest) == 0 {
		return false
	}
	o := s.kept[s.oldest[0]]
	delete(s.kept, o.ID)
	s.oldest = s.oldest[1:]
	s.taken -= o.Size
	o.file.Close()
	return true
}

// Find returns an output that was kept for a client, nil when there is none, or none any more.
func (s *Store) Find(client, id string) *Output {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.kept[id]; o != nil && o.client == client {
		return o
	}
	return nil
}

// Close lets all outputs go.
func (s *Store) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.giveUp() {
	}
}
