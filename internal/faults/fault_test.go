//go:build faults

package faults

import (
	"crypto/rand"
	"fmt"
	"strings"
	"time"
)

// fault is one row of the matrix. Only its name, its programs and what goes wrong have to be said.
type fault struct {
	group, name string
	short       bool // part of the shortened form

	// The server and its tool, which is a shell.
	flags   []string // of skillet serve
	relayed bool     // started by a client that can be killed; see relay_test.go
	silent  bool     // ask nothing beside the calls
	image   string   // of the tool; "" for the base image
	skill   string   // TOML of the tool: timeout, pids_limit
	docker  string   // TOML of its container: memory, extra_args

	// What happens, in this order. All but the programs may be nil.
	before   func(*scene)               // before the calls
	watch    func(*scene) (stop func()) // from before the calls until the last answer
	programs []program                  // the calls
	begun    int                        // wait until so many of them run; 0 for all, none for none
	strike   func(*scene)               // what goes wrong, unless it is the programs
	within   time.Duration              // from the strike to the last answer; 0 for 20 seconds
	mend     func(*scene)               // after the last answer: puts right what is in the way of the next call
	dead     time.Duration              // from the strike or the last answer to the last program's end; 0 for that of the containers
	after    func(*scene)               // what else is to be looked at
}

// none stands for a begun of 0.
const none = -1

// program is one call: what runs in the container, and what the answer has to be.
type program struct {
	script string
	stdin  string
	want   func(reply) error // nil: no answer is owed
}

// times makes the same call a number of times.
func times(n int, p program) []program {
	programs := make([]program, n)
	for i := range programs {
		programs[i] = p
	}
	return programs
}

// deaf is a program that goes on, whatever it is asked.
const deaf = `trap '' TERM INT HUP; while :; do sleep 1; done`

// untilGo is a program that ends well when the file go is there.
const untilGo = `while [ ! -e go ]; do sleep 0.05; done; echo went`

// prints wants a program's success and its output.
func prints(stdout string) func(reply) error {
	return func(r reply) error {
		if r.failed || r.result.Stdout != stdout {
			return fmt.Errorf("want %q, got failed=%t %.300q", stdout, r.failed, r.text)
		}
		return nil
	}
}

// fails wants an error whose text has all of these words, in whatever case.
func fails(words ...string) func(reply) error {
	return func(r reply) error {
		if !r.failed || strings.TrimSpace(r.text) == "" {
			return fmt.Errorf("want an error, got failed=%t %.300q", r.failed, r.text)
		}
		for _, word := range words {
			if !strings.Contains(strings.ToLower(r.text), word) {
				return fmt.Errorf("the error does not say %q: %.300q", word, r.text)
			}
		}
		return nil
	}
}

// timesOut wants the error of a call whose time was over.
var timesOut = fails("time limit", "killed")

// ends wants an answer, whatever it says, as long as it says something.
func ends(r reply) error {
	if strings.TrimSpace(r.text) == "" {
		return fmt.Errorf("the answer says nothing")
	}
	return nil
}

// baseImage is the image of every call that does not need another.
const baseImage = "debian:bookworm-slim"

// config writes a skills.toml: the tool that the fault is about, and another one that has nothing to do with it.
func (f *fault) config(tool string) string {
	image := f.image
	if image == "" {
		image = baseImage
	}
	return fmt.Sprintf(`version = "1"
[defaults]
warm = 0
[skills.%[1]s]
%[2]s
[skills.%[1]s.docker]
image = "%[4]s"
entrypoint = "sh"
volumes = ["${SKILL_WORKDIR}:/workdir", "/anonymous"]
working_dir = "/workdir"
%[3]s
[skills.%[1]s_other.docker]
image = "%[5]s"
entrypoint = "sh"
`, tool, f.skill, f.docker, image, baseImage)
}

// newTool makes up a tool's name, by which its containers are found among those of everybody else.
func newTool() string { return "fault" + strings.ToLower(rand.Text()[:8]) }
