//go:build linux

package main

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"skillet/runtime/supervisor/wire"
)

// program is the child that the order asked for.
type program struct {
	pid            int
	input          *os.File // nil where there is none
	output, errors *pump
	stopped        bool // it was told to stop, by others than skillet
	status         syscall.WaitStatus
	ended          chan struct{} // closed when it has ended, and status is there
	alone          chan struct{} // closed when the supervisor is the only process
}

// startError is why a program did not begin.
type startError struct {
	name string
	err  error
}

func (e *startError) Error() string { return e.name + ": " + e.err.Error() }

func (e *startError) Unwrap() error { return e.err }

// mountError is that another file is mounted than was ordered.
type mountError struct{ target string }

func (e *mountError) Error() string { return e.target }

// preparation is a program that can be started. It is made while skillet's word to start it is on its way.
type preparation struct {
	order                 wire.OrderFrame
	path                  string
	env                   []string
	pipes                 pipes
	stdin, stdout, stderr *os.File // the supervisor's ends
	err                   error    // why it cannot be started
}

func prepare(order wire.OrderFrame) *preparation {
	p := &preparation{order: order, env: merge(os.Environ(), order.Env)}
	if path, err := find(order.Args[0], p.env); err != nil {
		p.err = &startError{order.Args[0], err}
	} else {
		p.path = path
	}
	p.stdin = p.pipes.input(order.Input)
	p.stdout, p.stderr = p.pipes.output(), p.pipes.output()
	if p.pipes.err != nil {
		p.err = &startError{"pipe", p.pipes.err}
	}
	if target := wrongMount(order); target != "" {
		p.err = &mountError{target}
	}
	return p
}

// start starts the program with what the engine has given the supervisor: user, groups, capabilities, limits, working directory,
// umask. Only the standard streams are its own, and its session, since a container's first process leads one.
func (p *preparation) start() (*program, error) {
	defer p.pipes.closeTheirs()
	if p.err != nil {
		return nil, p.err
	}
	files := make([]uintptr, 0, len(p.pipes.theirs))
	for _, file := range p.pipes.theirs {
		files = append(files, file.Fd())
	}
	pid, err := syscall.ForkExec(p.path, p.order.Args, &syscall.ProcAttr{Env: p.env, Files: files, Sys: &syscall.SysProcAttr{Setsid: true}})
	if err != nil {
		return nil, &startError{p.order.Args[0], err}
	}
	preferAsVictim(pid)
	started := &program{
		pid: pid, input: p.stdin, output: newPump(p.stdout, wire.Output), errors: newPump(p.stderr, wire.ErrorOutput),
		ended: make(chan struct{}), alone: make(chan struct{}),
	}
	go started.reap()
	return started, nil
}

// merge sets variables in the place of those that are there, or after them, as the engine does. An empty HOME is left out:
// then the engine's own counts, which is that of the user database.
func merge(base, more []string) []string {
	env := append([]string(nil), base...)
	at := make(map[string]int, len(env))
	for i, variable := range env {
		name, _, _ := strings.Cut(variable, "=")
		at[name] = i
	}
	for _, variable := range more {
		name, value, _ := strings.Cut(variable, "=")
		i, there := at[name]
		switch {
		case name == "HOME" && value == "" && there:
		case there:
			env[i] = variable
		default:
			at[name] = len(env)
			env = append(env, variable)
		}
	}
	return env
}

// find finds the program as the engine does, in the PATH that the program will have.
func find(name string, env []string) (string, error) {
	for _, variable := range env {
		if path, ok := strings.CutPrefix(variable, "PATH="); ok {
			_ = os.Setenv("PATH", path)
		}
	}
	path, err := exec.LookPath(name)
	var looked *exec.Error
	if errors.As(err, &looked) {
		err = looked.Err
	}
	return path, err
}

// notStarted is the exit of a program that did not begin.
func notStarted(err error) wire.ExitFrame {
	exit := wire.ExitFrame{How: wire.NotStarted, Text: err.Error()}
	var errno syscall.Errno
	var mount *mountError
	switch {
	case errors.As(err, &mount):
		exit.How = wire.WrongMount
	case errors.As(err, &errno):
		exit.Code = int(errno)
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist):
		exit.Code = int(syscall.ENOENT)
	case errors.Is(err, os.ErrPermission):
		exit.Code = int(syscall.EACCES)
	}
	return exit
}

// passOn passes on what the container is sent by others, but for what the supervisor brings about itself: SIGCHLD by its
// children, SIGPIPE by its writing, SIGURG by its runtime.
func (p *program) passOn(signal syscall.Signal) {
	if signal == syscall.SIGCHLD || signal == syscall.SIGPIPE || signal == syscall.SIGURG {
		return
	}
	p.stopped = p.stopped || stops(signal)
	p.signal(signal)
}

// signal sends the program a signal. Where it has just ended and was reaped, its number is nobody's, or that of another process of
// the container, which is about to be killed anyway.
func (p *program) signal(signal syscall.Signal) { _ = syscall.Kill(p.pid, signal) }

// killAll kills all processes of the container but the supervisor: it is the first one of its PID namespace, and -1 means all
// that it can see (kill(2)).
func (p *program) killAll() { _ = syscall.Kill(-1, syscall.SIGKILL) }

// reap takes in the processes that end, orphans included, until there are none. It waits in the kernel: the program's end is
// known a tenth of a millisecond earlier than by SIGCHLD, and whatever signals the program sends.
func (p *program) reap() {
	defer close(p.alone)
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return // ECHILD
		case pid == p.pid && (status.Exited() || status.Signaled()):
			p.status = status
			close(p.ended)
		}
	}
}

// killRest returns when no process is left but the supervisor. One that cannot be killed, since it waits for a device, ends with
// the container at the latest.
func (p *program) killRest() {
	late := time.After(lastWords)
	for {
		p.killAll()
		select {
		case <-p.alone:
			return
		case <-time.After(time.Millisecond): // a fork bomb may have forked in between
		case <-late:
			return
		}
	}
}

// exit is how the program ended.
func (p *program) exit(outOfTime bool) wire.ExitFrame {
	exit := wire.ExitFrame{How: wire.Exited, Code: p.status.ExitStatus(), Stopped: p.stopped}
	switch {
	case outOfTime:
		exit.How, exit.Code = wire.OutOfTime, int(syscall.SIGKILL)
	case p.status.Signaled():
		exit.How, exit.Code = wire.Signalled, int(p.status.Signal())
	}
	if exit.How != wire.Exited || exit.Code != 0 {
		exit.OOMKilled = oomKilled()
	}
	return exit
}

// pipes are the ends that the program gets, and that the supervisor closes once it has them.
type pipes struct {
	theirs []*os.File
	err    error
}

// input makes standard input, and returns the end to write to; nil where the program is to have none.
func (p *pipes) input(wanted bool) *os.File {
	if !wanted {
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0) // as the engine opens it
		p.keep(null, err)
		return nil
	}
	read, write, err := os.Pipe()
	p.keep(read, err)
	return write
}

// output makes a pipe for the program to write to, and returns the end to read from.
func (p *pipes) output() *os.File {
	read, write, err := os.Pipe()
	p.keep(write, err)
	return read
}

func (p *pipes) keep(file *os.File, err error) {
	p.theirs = append(p.theirs, file)
	if err != nil {
		p.err = err
	}
}

func (p *pipes) closeTheirs() {
	for _, file := range p.theirs {
		_ = file.Close()
	}
}
