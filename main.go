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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal ends the work in good order; with the default back in place, a second one ends it at once.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Main(ctx, os.Args[1:]))
}
