//go:build linux

package main

import (
	"sync"
	"syscall"
)

// family is all other processes of the container: they end as children of the first one, orphans included.
type family struct {
	mu      sync.Mutex
	awaited *program      // whose end is to be told; nil for none
	alone   chan struct{} // closed when the supervisor is the only process; nil before the first program
	reaping bool
}

var children family

// start starts a program. No process is taken in meanwhile, so that an end is not noticed before it is known whose it is.
func (f *family) start(p *program, fork func() (pid int, err error)) (err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p.pid, err = fork(); err != nil {
		return err
	}
	f.awaited = p
	if !f.reaping {
		f.reaping, f.alone = true, make(chan struct{})
		go f.reap()
	}
	return nil
}

// gone is closed when there is no process but the supervisor.
func (f *family) gone() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.alone
}

// reap takes in the processes that end, orphans included, until there are none. It waits in the kernel: a program's end is
// known a tenth of a millisecond earlier than by SIGCHLD, and whatever signals the program sends.
func (f *family) reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		f.mu.Lock()
		if err != nil { // ECHILD, unless a program was started just then
			pid, err = syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		}
		if err != nil && err != syscall.EINTR {
			f.reaping = false
			close(f.alone)
			f.mu.Unlock()
			return
		}
		f.note(pid, status)
		f.mu.Unlock()
	}
}

// note takes in one end. f.mu is held.
func (f *family) note(pid int, status syscall.WaitStatus) {
	if p := f.awaited; p != nil && p.pid == pid && (status.Exited() || status.Signaled()) {
		f.awaited = nil // its number may be given out again
		p.status = status
		close(p.ended)
	}
}
