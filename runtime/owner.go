package runtime

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"skillet/policy"
)

// owner says whose a container is, in labels: which process of which host made it. A process's number alone is given out
// again; with the time of its start it is not, as long as the host runs (proc(5), /proc/pid/stat, field 22).
type owner struct {
	instance string // random, one per Runtime
	host     string // boot and process namespace in which pid means something; "" where the system does not tell
	pid      int
	started  string // ticks after the boot
}

// thisProcess is the owner of what this process makes.
func thisProcess() owner {
	o := owner{instance: randomName(), pid: os.Getpid()}
	boot := boot()
	if boot == "" {
		return o
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return o
	}
	o.started = processStart(o.pid)
	if o.started != "" {
		o.host = boot + " " + namespace
	}
	return o
}

// boot names this boot of this machine's kernel, "" where it has no name.
var boot = sync.OnceValue(func() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
})

// processStart returns when a process was started, "" when there is none of the number.
func processStart(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The program's name is in parentheses and may hold anything; fields are counted from its end.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	const startTime = 22 - 3
	if len(fields) <= startTime || fields[0] == "Z" {
		return "" // a zombie owns nothing any more
	}
	return fields[startTime]
}

// Labels of every container. Those of a Plan never replace them: nothing that begins with the prefix is taken from it.
const (
	labelPrefix     = "skillet."
	labelSkill      = "skillet.skill"    // the tool's name
	labelInstance   = "skillet.instance" // whose container it is
	labelHost       = "skillet.host"
	labelPID        = "skillet.pid"
	labelStarted    = "skillet.started"
	labelLifetime   = "skillet.lifetime"   // seconds after its creation in which it has to be gone, its wait for a call included; 0 for no limit
	labelSupervised = "skillet.supervised" // it ends by itself, and the engine removes it then
	labelKeep       = "skillet.keep"       // it is to stay, stopped
)

// closing is what a container may live beyond its call's time limit: until it was killed and removed, on a busy engine.
const closing = time.Minute

func (o owner) labels(c policy.Container) map[string]string {
	lifetime := 0
	if c.Timeout > 0 {
		lifetime = int((c.Timeout + c.StopTimeout + closing).Seconds())
	}
	return map[string]string{
		labelSkill:    c.Skill,
		labelInstance: o.instance,
		labelHost:     o.host,
		labelPID:      strconv.Itoa(o.pid),
		labelStarted:  o.started,
		labelLifetime: strconv.Itoa(lifetime),
		labelKeep:     strconv.FormatBool(c.Keep), // said in any case: an image has labels, too
	}
}

// ownership is what can be said of a container's owner.
type ownership int

const (
	unknown ownership = iota // of another host, or of one that does not tell
	living
	dead
)

// judge tells from a container's labels whether its owner lives.
func (o owner) judge(labels map[string]string) ownership {
	if labels[labelInstance] == o.instance {
		return living
	}
	pid, err := strconv.Atoi(labels[labelPID])
	if err != nil || o.host == "" || labels[labelHost] != o.host {
		return unknown
	}
	if processStart(pid) == labels[labelStarted] {
		return living
	}
	return dead
}

// expired tells whether a container has outlived its time, by the engine's clock: those of hosts differ.
func expired(labels map[string]string, age time.Duration) bool {
	lifetime, err := strconv.Atoi(labels[labelLifetime])
	return err == nil && lifetime > 0 && age > time.Duration(lifetime)*time.Second
}
