// Package stdio carries JSON-RPC messages over a pair of streams, one message a line, as MCP's stdio transport does
// (2025-11-25, Transports, "stdio"). It knows requests, responses and cancellation, and nothing of tools.
//
//	err := stdio.Serve(ctx, handler, os.Stdin, os.Stdout, stdio.Options{})
//
// # What it promises
//
//   - Each request has a goroutine of its own, so that a ping is answered while calls run.
//   - A cancellation reaches its request at once, queued or running, and a cancelled request gets no response and no more
//     notifications, not even one that was made already and waited for the client to read.
//   - Whatever line comes in, the server goes on: what is no request gets the error that JSON-RPC has for it.
//   - Lines never interleave. A client that does not read holds up its own answers and nothing grows: a finished
//     request keeps its place until its response is written, and there are only so many places. What waits is the result as
//     the handler has made it: it is encoded when it is written.
//   - A message above the limit is answered with an error, and never held in memory.
//   - At the end of the input, and when ctx ends, the requests in flight may finish for a while, and their responses are
//     written. Then they are cancelled.
//
// # Where to look
//
//   - serve.go: the connection from beginning to end; write.go: what is sent, and when it is encoded
//   - lines.go: bytes to lines; package jsonrpc: lines to messages
//   - flights.go: the requests in flight
package stdio
