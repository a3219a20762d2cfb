//go:build linux

// The supervisor is the first process of a container. It waits on its standard input for an order, runs the program that the
// order names as its child, and tells on its standard output how that ended. Then it ends, and the container with it.
//
// It is there to make calls fast and their end certain. A container that was started ahead waits in it for a call; its word
// on the program's exit comes some thirty milliseconds before the engine's; and when the connection to skillet goes, or
// the order's time is over, it kills the program by itself. Package wire has what is said, docs/supervisor.md why.
//
// It has to work in every image and within every limit, so it is one static binary, takes about a mebibyte of memory, starts no
// thread once the program runs, and needs nothing of the image.
//
//   - main.go: from the order to the exit
//   - program.go: the child and its pipes
//   - input.go, output.go: what it reads and writes
//   - mounts.go: whether what is mounted is what was judged
//   - harden.go: why the program cannot get at the supervisor
package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"skillet/runtime/supervisor/wire"
)

// What the container exits with when there is no program's exit code to pass on. Nobody but a reader of `docker events` sees it.
const (
	exitIdle   = 0   // ended before there was an order
	exitLost   = 137 // the connection was lost, and the program killed
	exitNotRun = 127
)

const (
	// maxIdle ends a supervisor whose order never comes although its connection seems to be there.
	maxIdle = time.Hour
	// lastWords is how long the end of a program, its output and the report of its exit may take once its time is over.
	lastWords = 5 * time.Second
)

func main() {
	signals := make(chan os.Signal, 64)
	signal.Notify(signals) // all: what is not caught would end the container
	harden()
	link := newLink()
	prepared := await(link, signals)
	if prepared == nil {
		os.Exit(exitIdle)
	}
	os.Exit(run(link, prepared, signals))
}

// await says that the supervisor is ready, and waits for an order that is to be carried out; nil when none comes.
func await(link *link, signals <-chan os.Signal) *preparation {
	if link.send(wire.Ready, nil) != nil {
		return nil
	}
	ordered := make(chan *preparation)
	go func() {
		defer close(ordered)
		if prepared, err := link.order(); err == nil {
			ordered <- prepared
		}
	}()
	idle := time.NewTimer(maxIdle)
	defer idle.Stop()
	for {
		select {
		case prepared := <-ordered:
			return prepared
		case signal := <-signals:
			if stops(signal) {
				return nil
			}
		case <-idle.C:
			return nil
		}
	}
}

// stops tells whether a signal is one by which engines and people stop a container.
func stops(signal os.Signal) bool {
	switch signal {
	case syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP:
		return true
	}
	return false
}

// run carries the order out, and returns the container's exit code.
func run(link *link, prepared *preparation, signals <-chan os.Signal) int {
	p, err := prepared.start()
	if err != nil {
		_ = link.send(wire.Exit, notStarted(err).Encode())
		return exitNotRun
	}
	lost := make(chan struct{})
	go func() {
		defer close(lost)
		link.serve(p)
	}()
	p.pass(link)
	over := deadline(prepared.order.Limit)
	outOfTime := false
	for running := true; running; {
		select {
		case <-p.ended:
			running = false
		case signal := <-signals:
			p.passOn(signal.(syscall.Signal))
		case <-over:
			if outOfTime {
				return exitLost // what could not be killed, as by its user, ends with the container
			}
			outOfTime, over = true, time.After(lastWords)
			p.killAll()
		case <-lost:
			return exitLost // the kernel kills all else with the first process
		}
	}
	return report(link, p, outOfTime, over, lost)
}

// deadline is a channel that gives a value when the limit is over; never without one.
func deadline(limit time.Duration) <-chan time.Time {
	if limit <= 0 {
		return nil
	}
	return time.After(limit)
}

// report makes sure that nothing runs any more, and tells how the program ended, after all that it wrote. A client that does not
// read is waited for until the time is over.
func report(link *link, p *program, outOfTime bool, over <-chan time.Time, lost <-chan struct{}) int {
	p.killRest()
	exit := p.exit(outOfTime)
	told := make(chan struct{})
	go func() {
		defer close(told)
		exit.Cut = !p.drained()
		_ = link.send(wire.Exit, exit.Encode())
	}()
	select {
	case <-told:
	case <-lost:
	case <-over:
	}
	return containerExit(exit)
}

// containerExit is the program's exit code as a shell would give it.
func containerExit(e wire.ExitFrame) int {
	if e.How == wire.Exited {
		return e.Code
	}
	return 128 + e.Code
}
