// Bench measures what a call costs, side by side in one run: `docker run`, the Docker Engine API as one writes it first,
// and skillet with and without warm containers. It writes tables and a chart into docs/performance.md, whose text says what
// is measured and what the figures mean.
//
//	make bench           everything, at most ten minutes
//	make bench SHORT=1   a minute, to try it out: prints the tables and writes nothing
//
// All variants run the same program in the same image and check its output. Those of skillet are called over MCP, on the
// standard streams of a real server, by a client that this project did not write. Where to look:
//
//   - variants.go: the four ways to make a call
//   - load.go: one call at a time, callers that wait for nothing, arrivals that wait for nobody
//   - overhead.go and relay.go: how much of a call is skillet's own time
//   - phases.go: the parts of a call, by the server's log
//   - memory.go and startup.go: what an idle container, a server and a start cost
//   - report.go, chart.go and document.go: tables, targets, the chart, and where they go
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// settings are the flags.
type settings struct {
	skillet string // the program
	image   string // that all variants use; it has to have /bin/echo
	warm    string // of skills.toml, for the variant with warm containers
	short   bool
	write   string // the document to write into, "" for none
	command string // that the document says it was made by
}

func run(ctx context.Context, args []string) error {
	var s settings
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&s.skillet, "skillet", "bin/skillet", "the skillet program")
	flags.StringVar(&s.image, "image", "debian:bookworm-slim", "the image that all variants use")
	flags.StringVar(&s.warm, "warm", "8", "how many warm containers the warm variant keeps: a number, or auto")
	flags.BoolVar(&s.short, "short", false, "measure for about a minute, to try it out")
	flags.StringVar(&s.write, "write", "", "write tables into this document, and a chart beside it")
	flags.StringVar(&s.command, "command", "make bench", "the command that the document names")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	var doc *document
	if s.write != "" { // what is wrong with the document is not found out after ten minutes
		var err error
		if doc, err = openDocument(s.write); err != nil {
			return err
		}
	}
	r, err := measure(ctx, s)
	if err != nil {
		return err
	}
	sections, err := r.sections()
	if err != nil {
		return err
	}
	for _, section := range sections {
		fmt.Printf("\n%s\n", section.text)
	}
	if doc == nil {
		return nil
	}
	return doc.save(sections, r)
}

// measure does everything that a plan says, in a directory that is removed after it.
func measure(ctx context.Context, s settings) (*results, error) {
	p := full
	if s.short {
		p = short
	}
	dir, err := os.MkdirTemp("", "skillet-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if s.skillet, err = filepath.Abs(s.skillet); err != nil {
		return nil, err
	}
	b, err := newBench(ctx, s, p, dir)
	if err != nil {
		return nil, err
	}
	defer b.close()
	r := &results{Warm: s.warm, Image: s.image, Command: s.command, Plan: p}
	steps := []struct {
		name string
		do   func(context.Context, *results) error
	}{
		{"the machine", b.describe},
		{"start-up", b.startup},
		{"memory of idle containers", b.idleMemory},
		{"parts of a call", b.phases},
		{"skillet's own time", b.overhead},
		{"calls, one at a time and under load", b.loads},
	}
	for _, step := range steps {
		fmt.Fprintf(os.Stderr, "measuring %s\n", step.name)
		if err := step.do(ctx, r); err != nil {
			return nil, fmt.Errorf("measuring %s: %w", step.name, err)
		}
	}
	return r, nil
}
