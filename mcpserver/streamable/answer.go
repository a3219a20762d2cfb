package streamable

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"skillet/mcpserver/jsonrpc"
)

// answer is the one response to a request: a JSON object, or, as soon as something is said ahead of that, a stream of
// server-sent events.
type answer struct {
	w       http.ResponseWriter
	control *http.ResponseController
	options Options
	streams bool   // the client takes events
	from    string // for the log

	over chan struct{} // closed at the end

	mu   sync.Mutex
	open bool // the stream has begun
	done bool // nothing more is written
}

func newAnswer(w http.ResponseWriter, r *http.Request, options Options) *answer {
	a := &answer{w: w, control: http.NewResponseController(w), options: options, from: r.RemoteAddr, over: make(chan struct{})}
	for _, accept := range r.Header.Values("Accept") {
		a.streams = a.streams || strings.Contains(accept, "text/event-stream") || strings.Contains(accept, "*/*")
	}
	return a
}

var (
	errNoStream = errors.New("the client takes no stream")
	errSent     = errors.New("the response was sent already")
)

// notify sends a message ahead of the response.
func (a *answer) notify(ctx context.Context, message any) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return encode(message, a.event)
}

// event writes one event, and begins the stream with the first. A line break would end it; encoded JSON has one at its end.
func (a *answer) event(line []byte) error {
	return a.piece([]byte("event: message\ndata: "), line, []byte("\n"))
}

// piece writes a piece of the stream, for who holds the lock.
func (a *answer) piece(parts ...[]byte) error {
	switch {
	case !a.streams:
		return errNoStream
	case a.done:
		return errSent
	}
	if !a.open {
		a.open = true
		header := a.w.Header()
		header.Set("Content-Type", "text/event-stream")
		header.Set("Cache-Control", "no-cache")
		header.Set("X-Accel-Buffering", "no") // proxies that collect answers are asked not to
		a.w.WriteHeader(http.StatusOK)
	}
	return a.write(parts...)
}

// keepAlive gives signs of life until the answer ends: proxies and clients give up on silent connections.
func (a *answer) keepAlive() {
	go func() {
		tick := time.NewTicker(a.options.KeepAlive)
		defer tick.Stop()
		for {
			select {
			case <-a.over:
				return
			case <-tick.C:
				a.mu.Lock()
				_ = a.piece([]byte(": still at it\n\n"))
				a.mu.Unlock()
			}
		}
	}()
}

// end returns when nothing is written any more: the connection is the server's again.
func (a *answer) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done = true
	close(a.over)
}

// send sends the response to a request, and says so where it cannot be encoded: no request is left unanswered.
func (a *answer) send(id string, response Response) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if response.Status == 0 {
		response.Status = http.StatusOK
	}
	write := func(line []byte) error { return a.object(response.Status, line) }
	if a.open {
		write = a.event
	}
	var unencodable *encodingError
	if errors.As(encode(response.Message, write), &unencodable) {
		a.options.Logger.Error("a response cannot be encoded", "error", unencodable)
		_ = encode(jsonrpc.NewError(id, jsonrpc.InternalError, "the result cannot be encoded").Response(), write)
	}
	a.done = true
}

// object writes the response as the one that it is, for who holds the lock.
func (a *answer) object(status int, line []byte) error {
	header := a.w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Length", strconv.Itoa(len(line)))
	a.w.WriteHeader(status)
	return a.write(line)
}

// accepted is the answer to what needs none, or is not owed one any more.
func (a *answer) accepted() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done = true
	if !a.open {
		a.w.WriteHeader(http.StatusAccepted)
	}
}

// encodingError is a message that is no JSON. Nothing of it was written.
type encodingError struct{ err error }

func (e *encodingError) Error() string { return e.err.Error() }
func (e *encodingError) Unwrap() error { return e.err }

// encode encodes a message, with the end of a line, and hands it on in one piece.
func encode(message any, write func(line []byte) error) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = &encodingError{fmt.Errorf("encoding it panicked: %v", panicked)}
		}
	}()
	out := &writer{write: write}
	err = json.NewEncoder(out).Encode(message)
	switch {
	case out.err != nil:
		return out.err
	case err != nil:
		return &encodingError{err}
	}
	return nil
}

// writer tells its own errors from those of the encoder that writes to it.
type writer struct {
	write func([]byte) error
	err   error
}

func (w *writer) Write(line []byte) (int, error) {
	w.err = w.write(line)
	return len(line), w.err
}

// write writes pieces and sees to it that they leave. The deadline is meant for clients that have stopped reading, and hold
// up what others wait for.
func (a *answer) write(pieces ...[]byte) error {
	size := 0
	for _, piece := range pieces {
		size += len(piece)
	}
	_ = a.control.SetWriteDeadline(time.Now().Add(a.options.Patience + time.Duration(size)*time.Second/time.Duration(a.options.ReadRate)))
	for _, piece := range pieces {
		if _, err := a.w.Write(piece); err != nil {
			return err
		}
	}
	err := a.control.Flush()
	_ = a.control.SetWriteDeadline(time.Time{})
	return err
}

// refuse answers what was not let in, or could not be read, in the form that clients look for.
func (a *answer) refuse(status int, text string) {
	a.options.Logger.Debug("a request was refused", "from", a.from, "status", status, "reason", text)
	a.send("null", Response{Status: status, Message: jsonrpc.NewError("null", jsonrpc.InvalidRequest, text).Response()})
}

// retry refuses what may be tried again.
func (a *answer) retry(later *later) {
	a.w.Header().Set("Retry-After", strconv.Itoa(int((later.wait+time.Second-1)/time.Second)))
	a.refuse(later.status, later.why)
}
