//go:build faults

package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// lost wants an error that says that the engine is to blame.
var lost = fails("engine")

// meddled wants an error that says that somebody else has ended the container.
var meddled = fails("from outside", "may or may not")

// engineFaults are what becomes of the engine, and what others do to it behind skillet's back.
func engineFaults() []fault {
	faults := []fault{
		{
			name: "is restarted", short: true,
			programs: times(3, program{script: untilGo, want: lost}),
			strike:   func(s *scene) { s.engine.down(s.TB, "TERM"); s.engine.up(s.TB) },
		},
		{
			// What waited is gone, and calls come before new containers do.
			name: "is restarted while containers wait", short: true, skill: "warm = 2",
			before: func(s *scene) {
				s.waitIdle(2)
				s.engine.down(s.TB, "TERM")
				s.engine.up(s.TB)
			},
			programs: times(3, program{script: "echo on", want: prints("on\n")}),
			begun:    none,
			mend: func(s *scene) {
				s.waitIdle(2)
				s.server.end(s.TB)
				s.over = true
			},
		},
		{
			name: "is restarted while sessions are open", short: true, skill: "session = true",
			before: func(s *scene) {
				opened := s.openSessions(2)
				s.engine.down(s.TB, "TERM")
				s.engine.up(s.TB)
				for _, session := range opened {
					s.saysItsOver(session)
				}
			},
			programs: times(2, program{script: "echo on", want: prints("on\n")}),
		},
		{
			name:     "is killed and started again",
			programs: times(3, program{script: untilGo, want: lost}),
			strike:   func(s *scene) { s.engine.down(s.TB, "KILL"); s.engine.up(s.TB) },
		},
		{
			name:     "is away, and comes back",
			before:   func(s *scene) { s.works(s.tool); s.engine.down(s.TB, "TERM") },
			programs: times(3, program{script: "echo on", want: fails("engine", "start docker")}),
			begun:    none,
			mend:     func(s *scene) { s.engine.up(s.TB) },
		},
		{
			// The calls that run meet their time limit and cannot be ended; the last one does not get as far.
			name:     "hangs, and goes on",
			skill:    `timeout = "3s"`,
			programs: times(2, program{script: untilGo, want: fails("time limit", "may still be running")}),
			strike: func(s *scene) {
				s.engine.freeze(s.TB)
				s.also(program{script: "echo on", want: lost})
			},
			mend: func(s *scene) { s.engine.thaw(s.TB) },
		},
		{
			name: "hangs, and the client cancels", short: true,
			programs: times(2, program{script: deaf}),
			strike: func(s *scene) {
				s.engine.freeze(s.TB)
				s.also(program{script: "echo on"})
				time.Sleep(time.Second)
				s.cancelAll()
				time.Sleep(time.Second)
				s.engine.thaw(s.TB)
			},
		},
		{
			name:     "hangs, and the server is told to stop",
			flags:    []string{"--grace", "1s"},
			programs: times(2, program{script: deaf, want: ends}),
			strike: func(s *scene) {
				s.engine.freeze(s.TB)
				_ = s.server.signal(syscall.SIGTERM)
				s.over = true
				time.Sleep(4 * time.Second)
				s.engine.thaw(s.TB)
				s.mustExit(20*time.Second, 0)
			},
		},
		{
			name: "has no space left", short: true,
			programs: times(2, program{script: untilGo, want: prints("went\n")}),
			strike: func(s *scene) {
				s.engine.fill(s.TB)
				s.also(program{script: "echo on", want: fails("no space left")})
				s.calls[2].wait(time.Now().Add(10 * time.Second))
				s.write("go", "")
			},
			mend: func(s *scene) { s.engine.clear(s.TB) },
		},
		{
			name:     "has no space left for what a program writes",
			programs: times(2, program{script: "head -c 10G /dev/zero >/big", want: fails("no space left")}),
			within:   40 * time.Second,
		},
		{
			// The engine may miss the ends of the programs then, and so the answers come with the time limit.
			name:     "loses its containerd",
			skill:    `timeout = "6s"`,
			programs: times(2, program{script: untilGo, want: ends}),
			strike: func(s *scene) {
				s.kill("containerd")
				time.Sleep(2 * time.Second)
				s.write("go", "")
			},
			within: 40 * time.Second,
			mend:   func(s *scene) { time.Sleep(time.Second) },
		},
		{
			name:     "loses a container's shim",
			programs: times(2, program{script: untilGo, want: fails()}),
			strike:   func(s *scene) { s.kill("containerd-shim") },
		},
	}
	faults = slices.Concat(faults, imageFaults(), containerFaults())
	for i := range faults {
		f := &faults[i]
		f.group = "engine"
		if f.within == 0 {
			f.within = 40 * time.Second
		}
	}
	return faults
}

// waitIdle waits until so many containers wait for calls.
func (s *scene) waitIdle(n int) {
	s.Helper()
	waitFor(s.TB, fmt.Sprintf("%d idle containers", n), 30*time.Second, func() bool {
		return len(s.engine.containers(s.TB, s.tool, false)) == n
	})
}

// kill kills the processes of that name on the private engine's host.
func (s *scene) kill(name string) {
	s.Helper()
	s.engine.on(s.TB, "sh", "-c", `for p in /proc/[0-9]*; do
		if [ "$(cat "$p/comm" 2>/dev/null)" = "$1" ]; then kill -KILL "${p#/proc/}"; fi
	done`, "sh", name)
}

// imageFaults are about an image that goes while it is in use.
func imageFaults() []fault {
	const name = "skillet-faults/goes:1"
	write := func(s *scene) {
		if err := os.Mkdir(s.path("image"), 0o755); err != nil {
			s.Fatal(err)
		}
		s.write(filepath.Join("image", "Dockerfile"), "FROM "+baseImage+"\nVOLUME /data\n")
	}
	return []fault{
		{
			name: "has an image no more", image: name,
			before: func(s *scene) {
				s.engine.docker(s.TB, "tag", baseImage, name)
				s.works(s.tool)
				s.engine.docker(s.TB, "rmi", "--force", name)
			},
			programs: times(2, program{script: "echo on", want: fails("image", name)}),
			begun:    none,
			mend:     func(s *scene) { s.engine.docker(s.TB, "tag", baseImage, name) },
			after:    func(s *scene) { s.works(s.tool) },
		},
		{
			name: "has an image no more that can be built", image: "skillet-faults/built:1", docker: `build = "image"`,
			before: func(s *scene) {
				write(s)
				s.works(s.tool)
				s.engine.docker(s.TB, "rmi", "--force", "skillet-faults/built:1")
			},
			programs: times(3, program{script: "echo on", want: prints("on\n")}),
			begun:    none, within: 60 * time.Second,
		},
		{
			name: "has an image with a VOLUME", image: "skillet-faults/volume:1", docker: `build = "image"`,
			skill:    `timeout = "6s"`,
			before:   func(s *scene) { write(s); s.works(s.tool) },
			programs: []program{{script: untilGo, want: prints("went\n")}, {script: deaf}, {script: deaf, want: timesOut}},
			strike: func(s *scene) {
				s.noteVolumes()
				s.server.cancel(s.calls[1])
				s.write("go", "")
			},
		},
	}
}

// containerFaults are what somebody else does to a call's container.
func containerFaults() []fault {
	return []fault{
		{
			name: "was told to remove the containers", short: true,
			programs: times(2, program{script: untilGo, want: meddled}),
			strike:   func(s *scene) { s.dockerAll("rm", "--force") },
		},
		{
			name:     "was told to kill the containers",
			programs: times(2, program{script: untilGo, want: meddled}),
			strike:   func(s *scene) { s.dockerAll("kill") },
		},
		{
			name:     "was told to stop the containers",
			programs: times(2, program{script: untilGo, want: meddled}),
			strike:   func(s *scene) { s.dockerAll("stop") },
		},
		{
			name:     "was told to pause the containers",
			skill:    `timeout = "4s"`,
			programs: times(2, program{script: untilGo, want: timesOut}),
			strike:   func(s *scene) { s.dockerAll("pause") },
		},
		{
			name:     "was told to rename the containers",
			programs: times(1, program{script: untilGo, want: prints("went\n")}),
			strike: func(s *scene) {
				s.dockerAll("rename", "skillet-"+s.tool+"-renamed")
				s.write("go", "")
			},
		},
	}
}

// dockerAll has docker do something to all containers of the tool. Arguments after the first that are no flags come after
// the container's name.
func (s *scene) dockerAll(verb string, args ...string) {
	s.Helper()
	for _, name := range s.running() {
		words := []string{verb, name}
		for _, arg := range args {
			if arg[0] == '-' {
				words = []string{verb, arg, name}
			} else {
				words = append(words, arg)
			}
		}
		s.engine.docker(s.TB, words...)
	}
}
