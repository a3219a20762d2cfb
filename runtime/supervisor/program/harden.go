//go:build linux

package main

import (
	"bytes"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"syscall"

	"skillet/runtime/supervisor/wire"
)

// harden keeps the program out of the supervisor, which has the same user.
//
// A process that is not dumpable belongs to root in /proc, and nobody without CAP_SYS_PTRACE can trace it or look at its memory,
// its files and its environment (proc(5), ptrace(2), PR_SET_DUMPABLE in prctl(2)). As the first process of its PID namespace
// it gets no signal from inside that it does not handle, SIGKILL and SIGSTOP included (pid_namespaces(7)); those that it does
// handle it hands on to the program.
//
// The program may use up the container's memory and processes. So the supervisor makes the threads that it may ever need
// beforehand, and collects garbage, of which it makes next to none, only in need.
func harden() {
	const setDumpable = 4
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, setDumpable, 0, 0)
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(2 * wire.MaxOrder)
	runtime.GOMAXPROCS(1)
	makeThreads(4)
}

// makeThreads makes threads that the runtime keeps for later.
func makeThreads(n int) {
	var busy, done sync.WaitGroup
	busy.Add(n)
	for range n {
		done.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			busy.Done()
			busy.Wait() // for a thread each
		})
	}
	done.Wait()
}

// preferAsVictim has the kernel kill the program, and what it starts, rather than the supervisor when the container is out of
// memory: a supervisor that lives can say so. The score is raised by half of the container's memory (proc_pid_oom_score_adj(5));
// on a machine that is out of memory as a whole, tools go before everybody else, too.
func preferAsVictim(pid int) {
	_ = os.WriteFile("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", []byte("500"), 0)
}

// oomKilled tells whether the kernel has killed a process of the container for want of memory (cgroup v2: memory.events; v1:
// memory.oom_control).
func oomKilled() bool {
	for _, file := range []string{"/sys/fs/cgroup" + unifiedCgroup() + "/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"} {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for line := range bytes.Lines(text) {
			if count, ok := bytes.CutPrefix(line, []byte("oom_kill ")); ok {
				n, err := strconv.Atoi(string(bytes.TrimSpace(count)))
				return err == nil && n > 0
			}
		}
	}
	return false
}

// unifiedCgroup is the container's cgroup of version 2, below where these are mounted: "/" in a namespace of its own, more in the
// host's.
func unifiedCgroup() string {
	text, _ := os.ReadFile("/proc/self/cgroup")
	for line := range bytes.Lines(text) {
		if path, ok := bytes.CutPrefix(line, []byte("0::")); ok {
			return string(bytes.TrimSuffix(path, []byte("\n")))
		}
	}
	return ""
}
