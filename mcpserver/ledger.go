package mcpserver

import (
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"skillet/mcpserver/workdir"
)

// What is remembered of returned files: of more clients or files than these, the ones that were used longest ago are
// forgotten, and can no longer be read.
const (
	maxClients       = 1000
	maxReturnedFiles = 1000 // of each client
)

// ledger remembers which files the calls of which client have returned, and in which state. It is what can be read as a
// resource: that a file lies in the working directory gives nobody a right to it.
type ledger struct {
	mu      sync.Mutex // for a client's first file
	clients *lru.Cache[string, *lru.Cache[string, workdir.Stamp]]
}

func newLedger() *ledger {
	return &ledger{clients: newCache[string, *lru.Cache[string, workdir.Stamp]](maxClients)}
}

// newCache makes a cache, which fails for sizes below 1 only.
func newCache[K comparable, V any](size int) *lru.Cache[K, V] {
	cache, err := lru.New[K, V](size)
	if err != nil {
		panic(err)
	}
	return cache
}

func (l *ledger) enter(client, path string, stamp workdir.Stamp) {
	l.mu.Lock()
	defer l.mu.Unlock()
	files, ok := l.clients.Get(client)
	if !ok {
		files = newCache[string, workdir.Stamp](maxReturnedFiles)
		l.clients.Add(client, files)
	}
	files.Add(path, stamp)
}

// find returns the state in which a file was returned.
func (l *ledger) find(client, path string) (workdir.Stamp, bool) {
	files, ok := l.clients.Get(client)
	if !ok {
		return workdir.Stamp{}, false
	}
	return files.Get(path)
}

// paths are the files that a client may read.
func (l *ledger) paths(client string) []string {
	files, ok := l.clients.Get(client)
	if !ok {
		return nil
	}
	return files.Keys()
}
