package streamable

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"skillet/mcpserver/bearer"
	"skillet/mcpserver/jsonrpc"
)

// Path is where messages are sent to.
const Path = "/mcp"

// Handler answers messages.
type Handler interface {
	// Accept is called for each request in the order of arrival, and has to return at once. Its ctx ends when the client
	// goes away, or the server.
	Accept(ctx context.Context, call Call, notify Notify) Request
	// Answered is called for each response of a client to what was asked on the way to an answer.
	Answered(call Call)
	// Endless tells that requests of a method are open until they are cancelled, and so are not waited for at the end.
	Endless(method string) bool
}

// Call is a message and what HTTP says of it.
type Call struct {
	jsonrpc.Message
	Header http.Header
	Client string // who sends it: the name that goes with the token, or the address
}

// Request is a request that was accepted.
type Request struct {
	Answer  func() Response // makes the response
	Written func()          // called when the response was written, or nobody is there to read it; may be nil
}

// Response is the response to a request.
type Response struct {
	Status  int // 0 for 200
	Message any // that encoding/json can encode; it is done when it is written
}

// Notify sends a message ahead of the response. It waits while the client does not read, but not for ever.
type Notify func(ctx context.Context, message any) error

// Options say who is let in, and bound what they can do.
type Options struct {
	Guard    *bearer.Guard // nil lets in everybody
	Hosts    []string      // names of this server beside its addresses
	Origins  []string      // web pages that may talk to it, as in https://example.com
	CertFile string        // of TLS; "" for none
	KeyFile  string

	MetadataPath string       // where the protected resource metadata is; "" for none
	Metadata     http.Handler // writes it

	MaxMessage  int     // bytes of one message; 0 for 16 MiB
	MaxRequests int     // requests that one client has under way; 0 for 64
	Rate        float64 // requests a second of one client; 0 for 50. A burst may be twice that

	KeepAlive time.Duration // how long nothing is said before a sign of life; 0 for 15 seconds
	Patience  time.Duration // for a client that does not read; 0 for 30 seconds
	ReadRate  int           // bytes a second that it has to read of more than a little; 0 for 64 KiB

	Ready  func(context.Context) error // nil is always ready
	Grace  time.Duration               // for the requests in flight at the end; 0 for none
	Hurry  <-chan struct{}             // closed to end the grace period; may be nil
	Logger *slog.Logger                // nil discards
}

func (o Options) withDefaults() Options {
	if o.MaxMessage == 0 {
		o.MaxMessage = 16 << 20
	}
	if o.MaxRequests == 0 {
		o.MaxRequests = 64
	}
	if o.Rate == 0 {
		o.Rate = 50
	}
	if o.KeepAlive == 0 {
		o.KeepAlive = 15 * time.Second
	}
	if o.Patience == 0 {
		o.Patience = 30 * time.Second
	}
	if o.ReadRate == 0 {
		o.ReadRate = 64 << 10
	}
	if o.Ready == nil {
		o.Ready = func(context.Context) error { return nil }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// What slow clients are waited for. There is no limit to the time of a request as a whole: calls may be long.
const (
	headerTime = 10 * time.Second // for the headers of a request
	bodyTime   = time.Minute      // for its message, too
	idleTime   = 2 * time.Minute  // between two requests
	lastWords  = 15 * time.Second // for cancelled requests to answer: containers are killed in that time
)

// Serve answers requests until ctx ends, and returns when nothing is in flight. It closes the listener.
func Serve(ctx context.Context, listener net.Listener, handler Handler, options Options) error {
	options = options.withDefaults()
	site, err := newSite(options)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	encryption, err := newEncryption(options)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	// Requests outlive ctx by the grace period.
	requests, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	e := &endpoint{
		handler: handler, options: options, log: options.Logger, ending: ctx, requests: requests,
		clients: newClients(options),
	}
	server := &http.Server{
		Handler:           routes(e, site, options),
		TLSConfig:         encryption,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       bodyTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(options.Logger.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() {
		if server.TLSConfig != nil {
			served <- server.ServeTLS(listener, "", "")
			return
		}
		served <- server.Serve(listener)
	}()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	return drain(server, cancel, options)
}

// routes says what is where.
func routes(e *endpoint, site *site, options Options) http.Handler {
	health := newHealth(options.Ready, e.ending)
	mux := http.NewServeMux()
	mux.Handle(Path, site.protect(e))
	mux.HandleFunc("/healthz", health.alive)
	mux.HandleFunc("/readyz", health.ready)
	if options.MetadataPath != "" {
		mux.Handle(options.MetadataPath, options.Metadata)
	}
	return mux
}

// drain takes no more connections, lets the requests in flight finish for as long as the grace period lasts, and cancels
// those that are left.
func drain(server *http.Server, cancel context.CancelFunc, options Options) error {
	grace, stop := context.WithTimeout(context.Background(), options.Grace)
	defer stop()
	var hurried atomic.Bool
	go func() {
		select {
		case <-options.Hurry:
			hurried.Store(true)
			stop()
		case <-grace.Done():
		}
	}()
	if server.Shutdown(grace) == nil {
		return nil
	}
	options.Logger.Info("the grace period is over: cancelling what is in flight", "hurried", hurried.Load())
	cancel()
	last, done := context.WithTimeout(context.Background(), lastWords)
	defer done()
	if server.Shutdown(last) != nil {
		return server.Close()
	}
	return nil
}
