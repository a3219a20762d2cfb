// Skillet offers command-line tools packed in container images as MCP tools. See `skillet --help`.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"skillet/internal/cli"
)

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	hurry := make(chan struct{})
	// A client that is gone must not take skillet with it: there are containers to remove.
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals // work in flight may end
		cancel()
		<-signals // it is ended now, and its containers with it
		close(hurry)
		signal.Reset() // a third signal leaves everything as it is
	}()
	os.Exit(cli.Main(ctx, hurry, os.Args[1:]))
}
