package policy

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/pflag"

	"skillet/skills"
)

// flags are the flags of `docker run` that extra_args may hold (docs.docker.com, reference/cli/docker/container/run).
// Each ends up in a field of [Container], where the rules see it; any other flag is refused by name, since nobody
// judged what it does.
type flags struct {
	set *pflag.FlagSet

	label, env, volume, mount, tmpfs, device, ulimit      []string
	addHost, dns, capAdd, capDrop, groupAdd, securityOpt  []string
	workdir, user, hostname, network, net, platform, gpus string
	memory, memorySwap, shmSize, cpus                     string
	pid, ipc, uts, userns, cgroupns                       string
	pidsLimit                                             int64
	stopTimeout                                           int
	readOnly, init, privileged                            bool
}

func newFlags() *flags {
	f := &flags{set: pflag.NewFlagSet("extra_args", pflag.ContinueOnError)}
	f.set.SetOutput(io.Discard)
	f.set.Usage = func() {}
	f.set.SortFlags = false
	// Arrays, not slices: a comma is part of the value.
	for name, into := range map[string]*[]string{
		"label": &f.label, "env": &f.env, "volume": &f.volume, "mount": &f.mount, "tmpfs": &f.tmpfs, "device": &f.device,
		"ulimit": &f.ulimit, "add-host": &f.addHost, "dns": &f.dns, "cap-add": &f.capAdd, "cap-drop": &f.capDrop,
		"group-add": &f.groupAdd, "security-opt": &f.securityOpt,
	} {
		f.set.StringArrayVarP(into, name, shorthands[name], nil, "")
	}
	for name, into := range map[string]*string{
		"workdir": &f.workdir, "user": &f.user, "hostname": &f.hostname, "network": &f.network, "net": &f.net,
		"platform": &f.platform, "gpus": &f.gpus, "memory": &f.memory, "memory-swap": &f.memorySwap, "shm-size": &f.shmSize,
		"cpus": &f.cpus, "pid": &f.pid, "ipc": &f.ipc, "uts": &f.uts, "userns": &f.userns, "cgroupns": &f.cgroupns,
	} {
		f.set.StringVarP(into, name, shorthands[name], "", "")
	}
	f.set.Int64Var(&f.pidsLimit, "pids-limit", 0, "")
	f.set.IntVar(&f.stopTimeout, "stop-timeout", 0, "")
	f.set.BoolVar(&f.readOnly, "read-only", false, "")
	f.set.BoolVar(&f.init, "init", false, "")
	f.set.BoolVar(&f.privileged, "privileged", false, "")
	return f
}

var shorthands = map[string]string{
	"label": "l", "env": "e", "volume": "v", "workdir": "w", "user": "u", "hostname": "h", "memory": "m",
}

// whyNot says more about flags that people are likely to try.
var whyNot = map[string]string{
	"env-file":           "it reads a file of the host",
	"label-file":         "it reads a file of the host",
	"cgroup-parent":      "it would take the container out of its limits",
	"volumes-from":       "it takes over the mounts of another container, which no policy has seen",
	"volume-driver":      "the options of a driver can bind any path of the host",
	"sysctl":             "it changes the kernel's settings",
	"oom-score-adj":      "it would make the kernel kill other programs first",
	"runtime":            "another runtime may not isolate at all",
	"publish":            "it opens a port of the host",
	"publish-all":        "it opens ports of the host",
	"p":                  "it opens a port of the host",
	"P":                  "it opens ports of the host",
	"detach":             "a container that is left running has no result",
	"d":                  "a container that is left running has no result",
	"interactive":        "write stdin = \"{parameter}\" in the skill instead",
	"i":                  "write stdin = \"{parameter}\" in the skill instead",
	"tty":                "a terminal would mix standard output and standard error",
	"t":                  "a terminal would mix standard output and standard error",
	"rm":                 "the container is removed anyway",
	"name":               "skillet names its containers",
	"entrypoint":         "write entrypoint in the docker table instead",
	"restart":            "a call runs once",
	"device-cgroup-rule": "it opens devices of the host",
	"link":               "it joins another container's network",
}

// extraArgs parses extra_args into the container.
func (r *resolver) extraArgs() {
	if len(r.inv.ExtraArgs) == 0 { // making the flags takes as long as all rules
		return
	}
	f := newFlags()
	if err := f.set.Parse(r.inv.ExtraArgs); err != nil {
		r.flagError(err)
		return
	}
	if f.set.ArgsLenAtDash() >= 0 {
		r.deny("extra_args", `"--"`, "ends the flags, and what follows would become the image", "remove it")
		return
	}
	if rest := f.set.Args(); len(rest) > 0 {
		r.deny("extra_args", strconv.Quote(rest[0]), "is no flag, and `docker run` would take it for the image", "remove it, or write it as --flag=value")
		return
	}
	r.flagTexts(f)
	r.flagLists(f)
	r.flagSizes(f)
	r.flagNamespaces(f)
}

// flagError names the flag that cannot be taken, never its value.
func (r *resolver) flagError(err error) {
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		name := unknown.GetSpecifiedName()
		reason := "is not supported"
		if why := whyNot[name]; why != "" {
			reason += ": " + why
		}
		r.deny("extra_args", dashed(name), reason, "remove it")
	case errors.As(err, &missing):
		r.deny("extra_args", dashed(missing.GetSpecifiedName()), "has no value", "")
	case errors.As(err, &invalid):
		r.deny("extra_args", dashed(invalid.GetFlag().Name), "has a value that is not of its type, "+invalid.GetFlag().Value.Type(), "")
	default:
		r.deny("extra_args", "", "cannot be parsed as flags of `docker run`", "write each as --flag=value")
	}
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

func (r *resolver) flagTexts(f *flags) {
	c := &r.container
	for name, into := range map[string]*string{
		"workdir": &c.WorkingDir, "user": &c.User, "hostname": &c.Hostname, "platform": &c.Platform,
		"network": &c.Network, "net": &c.Network,
	} {
		if flag := f.set.Lookup(name); flag.Changed {
			*into = flag.Value.String()
			if *into == "" {
				r.deny("extra_args", dashed(name), "is empty", "")
			}
		}
	}
	if f.set.Changed("network") && f.set.Changed("net") {
		r.deny("extra_args", "--net", "and --network are the same flag, given twice", "remove one of them")
	}
	if f.set.Changed("gpus") {
		r.gpus("extra_args", f.gpus)
	}
	c.ReadOnlyRootfs = c.ReadOnlyRootfs || f.readOnly
	c.Init = f.init
	c.Privileged = f.privileged
}

func (r *resolver) flagLists(f *flags) {
	c := &r.container
	for _, label := range f.label {
		r.label(label)
	}
	for _, entry := range f.env {
		r.env("extra_args", entry)
	}
	for _, spec := range f.volume {
		r.volume("extra_args", spec)
	}
	for _, spec := range f.mount {
		r.mountFlag(spec)
	}
	for _, spec := range f.tmpfs {
		r.tmpfs(spec)
	}
	for _, spec := range f.device {
		r.device(spec)
	}
	for _, host := range f.addHost {
		r.extraHost(host)
	}
	for _, address := range f.dns {
		r.dns(address)
	}
	for _, option := range f.securityOpt {
		r.securityOption(option)
	}
	for _, name := range f.capAdd {
		c.CapAdd = append(c.CapAdd, capability(name))
	}
	// --cap-drop needs nothing: all are dropped.
	c.GroupAdd = append(c.GroupAdd, f.groupAdd...)
	for _, spec := range f.ulimit {
		limit, err := units.ParseUlimit(spec)
		if err != nil {
			r.deny("extra_args", "--ulimit", "is no limit", `write it like "nofile=1024:2048"`)
			continue
		}
		c.Ulimits = append(c.Ulimits, Ulimit{Name: limit.Name, Soft: limit.Soft, Hard: limit.Hard})
	}
}

func (r *resolver) flagSizes(f *flags) {
	c := &r.container
	r.size(f, "memory", &c.Memory)
	c.MemorySwap = c.Memory
	if f.memorySwap == "-1" {
		c.MemorySwap = -1
	} else {
		r.size(f, "memory-swap", &c.MemorySwap)
	}
	r.size(f, "shm-size", &c.ShmSize)
	if f.set.Changed("cpus") {
		nano, err := skills.ParseCPUs(f.cpus)
		if err != nil {
			r.deny("extra_args", "--cpus", "has to be a number of CPUs above 0: 0 would be no limit", "")
		}
		c.NanoCPUs = nano
	}
	if f.set.Changed("pids-limit") {
		if f.pidsLimit <= 0 {
			r.deny("extra_args", "--pids-limit", "has to be above 0: 0 and -1 would be no limit", "")
		}
		c.PidsLimit = f.pidsLimit
	}
	if f.set.Changed("stop-timeout") {
		if f.stopTimeout < 0 || f.stopTimeout > 10 {
			r.deny("extra_args", "--stop-timeout", "has to be between 0 and 10 seconds: skillet waits no longer for a container at its own end", "")
		}
		c.StopTimeout = time.Duration(f.stopTimeout) * time.Second
	}
}

// size reads a flag that is a size; 0 would lift the limit that is there.
func (r *resolver) size(f *flags, name string, into *int64) {
	flag := f.set.Lookup(name)
	if !flag.Changed {
		return
	}
	size, err := skills.ParseSize(flag.Value.String())
	if err != nil || size <= 0 {
		r.deny("extra_args", dashed(name), "has to be a size above 0: 0 would be no limit", `write it like "512m"`)
		return
	}
	*into = size
}

func (r *resolver) flagNamespaces(f *flags) {
	c := &r.container
	c.PidMode, c.IpcMode, c.UTSMode, c.UsernsMode, c.CgroupnsMode = f.pid, f.ipc, f.uts, f.userns, f.cgroupns
	for _, namespace := range []struct {
		flag  string
		known []string
	}{
		{"pid", []string{"host", "container"}},
		{"ipc", []string{"host", "container", "private", "none", "shareable"}},
		{"uts", []string{"host"}},
		{"userns", []string{"host"}},
		{"cgroupns", []string{"host", "private"}},
	} {
		flag := f.set.Lookup(namespace.flag)
		mode := flag.Value.String()
		if strings.HasPrefix(mode, "container:") {
			mode = "container"
		}
		if flag.Changed && !slices.Contains(namespace.known, mode) {
			r.deny("extra_args", dashed(namespace.flag), fmt.Sprintf("the mode %q is unknown", mode), "known are "+strings.Join(namespace.known, ", "))
		}
	}
}
