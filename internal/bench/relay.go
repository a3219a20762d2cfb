package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/docker/docker/client"
)

// relay stands between a server and the engine and notes when bytes go which way. It changes nothing and understands
// next to nothing, so that it measures servers of any version.
type relay struct {
	listener net.Listener
	dial     func() (net.Conn, error)
	open     sync.WaitGroup

	mu     sync.Mutex
	conns  []net.Conn
	events []event
}

// event is some bytes that went through the relay.
type event struct {
	at       time.Time
	conn     int  // the number of the connection
	toEngine bool // else from it
	upgraded bool // the connection is a container's streams by now
}

// newRelay listens on a socket in a directory.
func newRelay(dir, engine string) (*relay, error) {
	url, err := client.ParseHostURL(engine)
	if err != nil {
		return nil, err
	}
	address := url.Host
	if url.Scheme == "unix" {
		address = url.Host + url.Path
	}
	listener, err := net.Listen("unix", filepath.Join(dir, "relay.sock"))
	if err != nil {
		return nil, err
	}
	r := &relay{listener: listener, dial: func() (net.Conn, error) { return net.Dial(url.Scheme, address) }}
	r.open.Go(r.accept)
	return r, nil
}

// address is what a server has to be given as DOCKER_HOST.
func (r *relay) address() string { return "unix://" + r.listener.Addr().String() }

// close ends all connections.
func (r *relay) close() {
	_ = r.listener.Close()
	r.mu.Lock()
	for _, conn := range r.conns {
		_ = conn.Close()
	}
	r.mu.Unlock()
	r.open.Wait()
}

func (r *relay) accept() {
	for number := 0; ; number++ {
		near, err := r.listener.Accept()
		if err != nil {
			return
		}
		far, err := r.dial()
		if err != nil {
			_ = near.Close() // the server says what it thinks of an engine that is gone
			continue
		}
		r.mu.Lock()
		r.conns = append(r.conns, near, far)
		r.mu.Unlock()
		c := &relayed{relay: r, number: number}
		r.open.Go(func() { c.pass(far, near, true) })
		r.open.Go(func() { c.pass(near, far, false) })
	}
}

// relayed is one connection.
type relayed struct {
	*relay
	number   int
	upgraded bool // guarded by relay.mu
}

// pass copies one direction, and passes on its end without ending the other: that is how standard input is closed.
func (c *relayed) pass(to, from net.Conn, toEngine bool) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			c.note(buffer[:n], toEngine)
			if _, writeErr := to.Write(buffer[:n]); writeErr != nil {
				err = errors.Join(err, writeErr)
			}
		}
		if err == nil {
			continue
		}
		if half, ok := to.(interface{ CloseWrite() error }); ok && errors.Is(err, io.EOF) {
			_ = half.CloseWrite()
		} else {
			_ = to.Close()
		}
		return
	}
}

func (c *relayed) note(data []byte, toEngine bool) {
	at := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !toEngine && bytes.HasPrefix(data, []byte("HTTP/1.1 101 ")) {
		c.upgraded = true
	}
	c.events = append(c.events, event{at: at, conn: c.number, toEngine: toEngine, upgraded: c.upgraded})
}

// between returns the events of a call, and those before it that say which connections were upgraded before.
func (r *relay) between(begin, end time.Time) (during []event, before map[int]bool) {
	r.mu.Lock()
	events := slices.Clone(r.events)
	r.mu.Unlock()
	before = map[int]bool{}
	for _, e := range events {
		switch {
		case e.at.Before(begin):
			before[e.conn] = e.upgraded
		case e.at.Before(end):
			during = append(during, e)
		}
	}
	slices.SortStableFunc(during, func(a, b event) int { return a.at.Compare(b.at) })
	return during, before
}

// ownTime returns how much of a call the server itself has taken: the time in which it had the call's data, and not the
// engine. It has them from the request to the first bytes for the engine, from bytes of the engine's to the next ones for
// it, and from the last bytes of the engine's to the answer.
//
// A call that goes to a warm container is served on a connection that was a container's before the call came. What goes over
// others meanwhile is the making of the next container, which no caller waits for.
func (r *relay) ownTime(begin, end time.Time) (time.Duration, error) {
	events, before := r.between(begin, end)
	if slices.ContainsFunc(events, func(e event) bool { return before[e.conn] }) {
		events = slices.DeleteFunc(events, func(e event) bool { return !before[e.conn] })
	}
	// What is sent after the engine's last bytes is the removal of the container, which no caller waits for either.
	for len(events) > 0 && events[len(events)-1].toEngine {
		events = events[:len(events)-1]
	}
	if len(events) == 0 {
		return 0, fmt.Errorf("the engine has said nothing during a call of %s", end.Sub(begin))
	}
	var own time.Duration
	since, its := begin, true
	for _, e := range events {
		if its && e.toEngine {
			own += e.at.Sub(since)
		}
		since, its = e.at, !e.toEngine
	}
	return own + end.Sub(since), nil
}
