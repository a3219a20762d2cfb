package stdio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"time"

	"golang.org/x/sync/semaphore"

	"skillet/mcpserver/jsonrpc"
)

// Handler answers messages. All of them, requests and notifications, are values that encoding/json can encode.
type Handler interface {
	// Begin is called once, before everything else. What notify sends belongs to no request.
	Begin(notify Notify)
	// Accept is called for each request in the order of arrival, and has to return at once. Its ctx ends when the client
	// cancels the request, or the connection ends. What notify sends belongs to the request, and is dropped when the client
	// has cancelled it.
	Accept(ctx context.Context, method string, request json.RawMessage, notify Notify) Request
	// Notified is called for each notification and each response of the client, in the order of arrival.
	Notified(ctx context.Context, message json.RawMessage)
	// Endless tells that requests of a method are open until they are cancelled, and so are not waited for at the end.
	Endless(method string) bool
}

// Request is a request that was accepted.
type Request struct {
	Answer  func() any // makes the response, in a goroutine of its own; nil is none
	Written func()     // called when the response was written, or is not wanted; may be nil
}

// Notify sends a notification to the client. It waits while the client does not read, until ctx ends.
type Notify func(ctx context.Context, notification any) error

// Options bound a connection.
type Options struct {
	MaxMessage int             // bytes of one message; 0 for 16 MiB
	Grace      time.Duration   // for the requests in flight at the end; 0 for none
	Hurry      <-chan struct{} // closed to end the grace period; may be nil
	Logger     *slog.Logger    // nil discards

	// Linger is called once all requests are answered, and returns when what they have begun is over, too. It has to end that
	// when ctx ends, with the grace period. Nil for nothing.
	Linger func(ctx context.Context)
}

// The requests in flight, those that wait for their client to read included, are bounded together: each weighs as much as
// its message, and something for what comes with it. That is some 4,000 small ones.
const (
	maxWeight     = 256 << 20
	requestWeight = 64 << 10
)

func (o Options) withDefaults() Options {
	if o.MaxMessage == 0 {
		o.MaxMessage = 16 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Serve answers the messages on in until it ends, ctx ends, or out cannot be written to any more. It returns when
// nothing is in flight. The end of either stream is no error. A read from in that blocks is left behind.
func Serve(ctx context.Context, handler Handler, in io.Reader, out io.Writer, options Options) error {
	options = options.withDefaults()
	// Requests outlive ctx by the grace period.
	requests, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(errEnded)
	c := &connection{
		handler: handler, options: options, log: options.Logger,
		requests: requests, broken: cancel,
		out: out, turn: make(chan struct{}, 1), places: semaphore.NewWeighted(maxWeight + int64(options.MaxMessage)),
	}
	handler.Begin(c.notifier(&flight{}))
	err := c.read(ctx, newLines(in, options.MaxMessage))
	c.drain()
	return err
}

// errEnded is why requests are cancelled at the end of a connection.
var errEnded = errors.New("the connection has ended")

// connection is one client.
type connection struct {
	handler  Handler
	options  Options
	log      *slog.Logger
	requests context.Context         // ends what is in flight
	broken   context.CancelCauseFunc // ends it because nobody reads the answers
	out      io.Writer
	turn     chan struct{} // full while a line is written
	places   *semaphore.Weighted
	flights  flights
}

// read takes in lines until there are no more.
func (c *connection) read(ctx context.Context, lines *lines) error {
	type result struct {
		line []byte
		err  error
	}
	next := make(chan result)
	go func() {
		for {
			line, err := lines.next()
			select {
			case next <- result{line, err}:
			case <-c.requests.Done():
				return
			}
			if large := (*tooLargeError)(nil); err != nil && !errors.As(err, &large) {
				return
			}
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.requests.Done():
			return nil
		case got := <-next:
			var large *tooLargeError
			switch {
			case errors.As(got.err, &large):
				c.refuse(jsonrpc.NewError(string(large.id()), jsonrpc.InvalidRequest, large.Error()))
			case errors.Is(got.err, io.EOF):
				return nil
			case got.err != nil:
				return fmt.Errorf("reading from the client: %w", got.err)
			default:
				c.line(got.line)
			}
		}
	}
}

// line deals with one line.
func (c *connection) line(line []byte) {
	if len(line) == 0 {
		return
	}
	m, refused := jsonrpc.Parse(line)
	if refused != nil {
		c.refuse(refused)
		return
	}
	if id, ok := m.Cancelled(); ok {
		c.flights.cancel(id)
		return
	}
	if m.ID == "" || m.Method == "" {
		c.handler.Notified(c.requests, m.Raw)
		return
	}
	c.request(m)
}

// request starts one request. When there is no place for it, reading stops: the client has to take its answers first.
func (c *connection) request(m jsonrpc.Message) {
	weight := int64(requestWeight + len(m.Raw))
	if c.places.Acquire(c.requests, weight) != nil {
		return // the connection has ended
	}
	ctx, cancel := context.WithCancel(c.requests)
	one := &flight{cancel: cancel, endless: c.handler.Endless(m.Method), unwanted: make(chan struct{})}
	if !c.flights.begin(m.ID, one) {
		cancel()
		c.places.Release(weight)
		c.refuse(jsonrpc.NewError(m.ID, jsonrpc.InvalidRequest, "a request with this id is in flight"))
		return
	}
	accepted := c.handler.Accept(ctx, m.Method, m.Raw, c.notifier(one))
	go c.run(m.ID, m.Method, one, weight, accepted)
}

// run answers one request. While the response waits for its turn, nothing else of the request is held.
func (c *connection) run(id, method string, one *flight, weight int64, accepted Request) {
	defer c.flights.idle.Done()
	defer c.places.Release(weight)
	defer one.cancel()
	if accepted.Written != nil {
		defer accepted.Written()
	}
	c.respond(id, one, c.answer(id, method, accepted.Answer))
}

// answer keeps a handler's panic from ending the server, and its text from the client.
func (c *connection) answer(id, method string, answer func() any) (response any) {
	defer func() {
		if panicked := recover(); panicked != nil {
			c.log.Error("a request panicked", "method", method, "panic", panicked, "stack", string(debug.Stack()))
			response = jsonrpc.NewError(id, jsonrpc.InternalError, "skillet itself failed in this request; its log says more").Response()
		}
	}()
	return answer()
}

// refuse answers a line that is no request. It is written in the background, with a place of its own.
func (c *connection) refuse(e *jsonrpc.Error) {
	if c.places.Acquire(c.requests, requestWeight) != nil {
		return
	}
	c.flights.idle.Add(1)
	go func() {
		defer c.flights.idle.Done()
		defer c.places.Release(requestWeight)
		_ = c.write(c.requests, &flight{}, e.Response())
	}()
}

// drain lets the requests in flight finish, for as long as the grace period lasts, and cancels those that are left. What
// they then answer is still written.
func (c *connection) drain() {
	c.flights.cancelAll(true)
	grace, cancel := context.WithTimeout(c.requests, c.options.Grace)
	defer cancel()
	linger, endLinger := context.WithCancel(c.requests)
	defer endLinger()
	idle := c.idle(linger)
	watch := time.NewTicker(watchInterval)
	defer watch.Stop()
	for waiting := true; waiting; {
		select {
		case <-idle:
			return
		case <-watch.C:
			if readerGone(c.out) {
				c.broken(errors.New("the client is gone"))
			}
		case <-c.options.Hurry:
			waiting = false
		case <-grace.Done():
			waiting = false
		}
	}
	c.flights.cancelAll(false)
	endLinger()
	select {
	case <-idle:
	case <-time.After(lastWords):
	}
}

// idle returns a channel that is closed when all requests are answered, and what they have begun is over.
func (c *connection) idle(linger context.Context) <-chan struct{} {
	answered := c.flights.idleAgain()
	if c.options.Linger == nil {
		return answered
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		<-answered
		c.options.Linger(linger)
	}()
	return over
}

// watchInterval is how often a client that has closed its side is looked after: one that was killed reads no answers,
// and its calls are for nothing.
const watchInterval = 100 * time.Millisecond

// lastWords is how long cancelled requests may take to answer: containers are killed in that time.
const lastWords = 15 * time.Second
