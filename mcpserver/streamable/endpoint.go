package streamable

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"runtime/debug"
	"time"

	"skillet/mcpserver/jsonrpc"
)

// endpoint is where messages are sent to.
type endpoint struct {
	handler  Handler
	options  Options
	log      *slog.Logger
	ending   context.Context // its end is the server's: no more requests
	requests context.Context // its end ends those in flight
	clients  *clients
	flights  flights
}

// ServeHTTP takes in one message. The standalone stream and the end of a session, GET and DELETE in the older era, do not
// exist here: there are no sessions.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := newAnswer(w, r, e.options)
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		a.refuse(http.StatusMethodNotAllowed, "messages are sent with POST; this server has no sessions and no streams but answers")
		return
	}
	name, refusal := e.options.Guard.Client(r)
	if refusal != nil {
		if wait := e.clients.failed(address(r)); wait > 0 {
			a.retry(&later{http.StatusTooManyRequests, wait, "too many requests without a valid token"})
			return
		}
		w.Header().Set("WWW-Authenticate", refusal.Challenge)
		a.refuse(refusal.Status, refusal.Text)
		return
	}
	if e.options.Guard == nil {
		name = address(r)
	}
	if e.ending.Err() != nil {
		a.retry(&later{http.StatusServiceUnavailable, 5 * time.Second, "skillet is being stopped"})
		return
	}
	visit, later := e.clients.enter(name, r.ContentLength, int64(e.options.MaxMessage))
	if later != nil {
		a.retry(later)
		return
	}
	defer visit.leave()
	e.take(a, r, name, visit)
}

// take reads the message and deals with it.
func (e *endpoint) take(a *answer, r *http.Request, client string, visit *visit) {
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mediaType != "application/json" {
		a.refuse(http.StatusUnsupportedMediaType, "the Content-Type of a message is application/json")
		return
	}
	body, refused := e.read(a, r)
	if refused {
		return
	}
	visit.arrived(len(body))
	message, bad := jsonrpc.Parse(body)
	if bad != nil {
		a.send(bad.ID, Response{Status: http.StatusBadRequest, Message: bad.Response()})
		return
	}
	call := Call{Message: message, Header: r.Header, Client: client}
	switch {
	case message.Method == "":
		e.handler.Answered(call)
		a.accepted()
	case message.ID == "":
		// But for cancellations, nothing is kept that a notification could be about.
		if id, ok := message.Cancelled(); ok {
			e.flights.cancel(key(client, r.Header, id))
		}
		a.accepted()
	case !visit.asks():
		a.retry(tooMany)
	default:
		e.request(a, r, call)
	}
}

// read reads the body. The server's ReadTimeout has set a deadline for it, which ends here: later on it would look like the
// client's end, and cancel the call.
func (e *endpoint) read(a *answer, r *http.Request) (body []byte, refused bool) {
	body, err := io.ReadAll(http.MaxBytesReader(a.w, r.Body, int64(e.options.MaxMessage)))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		a.refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("the message is larger than %d bytes", e.options.MaxMessage))
		return nil, true
	case err != nil:
		a.refuse(http.StatusBadRequest, "the message did not arrive as a whole")
		return nil, true
	}
	_ = a.control.SetReadDeadline(time.Time{})
	return body, false
}

// request answers a request.
func (e *endpoint) request(a *answer, r *http.Request, call Call) {
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	over := func() { cancel(context.Canceled) }
	defer context.AfterFunc(e.requests, over)()
	if e.handler.Endless(call.Method) {
		defer context.AfterFunc(e.ending, over)()
	}
	flight := key(call.Client, call.Header, call.ID)
	if !e.flights.begin(flight, cancel) {
		taken := jsonrpc.NewError(call.ID, jsonrpc.InvalidRequest, "a request with this id is in flight")
		a.send(call.ID, Response{Status: http.StatusBadRequest, Message: taken.Response()})
		return
	}
	defer e.flights.end(flight)
	accepted := e.handler.Accept(ctx, call, a.notify)
	if accepted.Written != nil {
		defer accepted.Written()
	}
	defer a.end() // with what keeps it alive
	a.keepAlive()
	response := e.answer(call, accepted.Answer)
	switch {
	case r.Context().Err() != nil: // nobody is there any more
	case errors.Is(context.Cause(ctx), errCancelled):
		a.accepted()
	default:
		if call.Method == "initialize" {
			a.w.Header().Set(sessionHeader, rand.Text())
		}
		a.send(call.ID, response)
	}
}

// answer keeps a handler's panic from ending the connection, and its text from the client.
func (e *endpoint) answer(call Call, answer func() Response) (response Response) {
	defer func() {
		if panicked := recover(); panicked != nil {
			e.log.Error("a request panicked", "method", call.Method, "panic", panicked, "stack", string(debug.Stack()))
			failed := jsonrpc.NewError(call.ID, jsonrpc.InternalError, "skillet itself failed in this request; its log says more")
			response = Response{Status: http.StatusInternalServerError, Message: failed.Response()}
		}
	}()
	return answer()
}
