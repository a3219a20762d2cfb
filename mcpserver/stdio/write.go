package stdio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"skillet/mcpserver/jsonrpc"
)

// A message is encoded when its turn to be written has come, so that there is one encoded message at a time, however many
// wait for a client to read: encoding takes several times the memory of what is encoded.

// errUnwanted is why nothing more is written about a request that its client has cancelled.
var errUnwanted = errors.New("the client has cancelled the request")

// takeTurn waits until all lines before are written. giveTurn has to follow where it succeeds.
func (c *connection) takeTurn(ctx context.Context, one *flight) error {
	select {
	case c.turn <- struct{}{}:
	case <-one.unwanted:
		return errUnwanted
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-one.unwanted: // both were so
		c.giveTurn()
		return errUnwanted
	default:
		return nil
	}
}

func (c *connection) giveTurn() { <-c.turn }

// write writes one message of a request, after those before it.
func (c *connection) write(ctx context.Context, one *flight, message any) error {
	if err := c.takeTurn(ctx, one); err != nil {
		return err
	}
	defer c.giveTurn()
	return c.writeLine(message)
}

// notifier makes the function that sends the notifications of a request.
func (c *connection) notifier(one *flight) Notify {
	return func(ctx context.Context, notification any) error { return c.write(ctx, one, notification) }
}

// respond writes the response to a request, which is in flight until then: it can be cancelled as long as nothing of its
// response is written.
func (c *connection) respond(id string, one *flight, response any) {
	if response == nil {
		c.flights.finish(id, one)
		return
	}
	if c.takeTurn(c.requests, one) != nil {
		c.flights.finish(id, one)
		return
	}
	defer c.giveTurn()
	if !c.flights.finish(id, one) {
		return
	}
	// A response that cannot be written must not leave its request unanswered.
	var unencodable *encodingError
	if errors.As(c.writeLine(response), &unencodable) {
		c.log.Error("a response cannot be encoded", "error", unencodable)
		_ = c.writeLine(jsonrpc.NewError(id, jsonrpc.InternalError, "the result cannot be encoded").Response())
	}
}

// encodingError is a message that is no JSON. Nothing of it was written.
type encodingError struct{ err error }

func (e *encodingError) Error() string { return e.err.Error() }
func (e *encodingError) Unwrap() error { return e.err }

// writeLine writes one message for who has the turn. A stream that fails ends the connection: nobody is there any more.
func (c *connection) writeLine(message any) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = &encodingError{fmt.Errorf("encoding it panicked: %v", panicked)}
		}
	}()
	out := &stream{out: c.out}
	err = json.NewEncoder(out).Encode(message) // in one write, with the end of the line
	switch {
	case out.err != nil:
		c.broken(fmt.Errorf("writing to the client: %w", out.err))
		return out.err
	case err != nil:
		return &encodingError{err}
	}
	return nil
}

// stream tells its own errors from those of the encoder that writes to it.
type stream struct {
	out io.Writer
	err error
}

func (s *stream) Write(line []byte) (n int, err error) {
	n, err = s.out.Write(line)
	s.err = err
	return n, err
}
