// Package streamable carries JSON-RPC messages over HTTP, one a request, as MCP's Streamable HTTP transport does
// (2025-11-25 and 2026-07-28, Transports, "Streamable HTTP"). It knows requests, responses, streams and clients, and
// nothing of tools.
//
//	err := streamable.Serve(ctx, listener, handler, streamable.Options{})
//
// # What it promises
//
//   - No state is kept between requests, and no client has an effect on another: it can neither cancel nor answer nor
//     listen to another's requests. What cancels a request is the end of its connection, or a notification of its client.
//   - A request is answered by one JSON object; by a stream of events when something is said ahead of the answer, or when
//     the answer takes longer than proxies wait.
//   - A foreign web page reaches nothing: the Host header has to name this server, and the Origin header, if there is
//     one, this server or a page that the operator has named.
//   - Each client has a number of requests that it may have under way, and a rate. What all have under way is bounded,
//     too, and so is a message. A client that sends or reads too slowly is let go.
//   - At the end of ctx, the requests in flight may finish for a while. Then they are cancelled, and still answered.
//
// # Where to look
//
//   - serve.go: from the listener to the end; certificate.go: TLS
//   - endpoint.go: one request; answer.go: its response; flights.go: how it is cancelled
//   - site.go: which requests are let in from where; clients.go: how much each client may ask for
//   - health.go: for whatever watches the server
package streamable
