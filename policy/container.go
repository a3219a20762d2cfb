package policy

import (
	"maps"
	"os"
	"slices"
	"time"
)

// Container is everything that the engine will be asked for: no template, no variable, no flag is left in it.
// The rules judge this value and nothing earlier, and the runtime translates it field by field, so that what was
// approved and what runs cannot differ.
//
// Whatever the fields say, the runtime drops all capabilities (unless Privileged), forbids new privileges and keeps
// the engine's default seccomp profile; the fields below only add to that.
type Container struct {
	Skill    string // the tool's name, for labels and errors
	Image    string // reference as the engine takes it
	Build    string // absolute directory with a Dockerfile, to build Image from when it is absent; "" means pull
	Platform string // "os/arch[/variant]", "" for the engine's own

	Entrypoint []string // nil keeps the image's own
	Command    []string // arguments to the entrypoint; nil keeps the image's own
	Env        []string // KEY=value
	WorkingDir string   // absolute path in the container, "" keeps the image's own
	User       string   // "user[:group]", "" keeps the image's own
	GroupAdd   []string // supplementary groups
	Hostname   string

	Mounts         []Mount
	ReadOnlyRootfs bool

	Network    string   // "none", "bridge" or the name of a network
	ExtraHosts []string // "name:address"
	DNS        []string // addresses

	Memory     int64 // bytes, 0 for no limit
	MemorySwap int64 // bytes of memory and swap together; equal to Memory unless the policy allows otherwise
	NanoCPUs   int64 // 1e9 is one CPU, 0 for no limit
	PidsLimit  int64 // processes and threads
	ShmSize    int64 // bytes, 0 for the engine's default
	Ulimits    []Ulimit

	CapAdd      []string // capabilities given back after all were dropped, as "CAP_NAME"
	Privileged  bool
	SecurityOpt []string // beyond no-new-privileges, which is always set
	Devices     []Device
	GPUs        *GPURequest

	PidMode, IpcMode, UTSMode, UsernsMode, CgroupnsMode string // "" is a namespace of the container's own

	Init        bool          // run the engine's init as PID 1
	StopTimeout time.Duration // between SIGTERM and SIGKILL when a call ends early; 0 kills at once
	Labels      map[string]string
	Keep        bool // leave the container behind, stopped (rm = false)

	// Warm is how many idle containers are to be kept started for calls like this one, which differ from it in nothing
	// but Entrypoint, Command, Env and Stdin. Each of them is made from an approved plan and serves one call.
	Warm int

	Stdin     []byte        // what the program reads on standard input; nil gives it none
	Timeout   time.Duration // for the whole call
	MaxOutput int64         // bytes kept of each of stdout and stderr; the rest is counted and dropped
}

// WarmAuto as a container's Warm is the number that its recent use suggests.
const WarmAuto = -1

// What the runtime has in every container for itself, and no plan can have: its supervisor runs from there.
const (
	// ReservedTarget is a directory of the container.
	ReservedTarget = "/.skillet"
	// ReservedVolumes begins the names of volumes.
	ReservedVolumes = "skillet-supervisor"
)

// MountType says what is mounted.
type MountType string

// The kinds of mounts that skillet knows; the engine's other kinds are refused by name.
const (
	MountBind   MountType = "bind"   // a path of the engine's host
	MountVolume MountType = "volume" // a volume of the engine's local driver, without options
	MountTmpfs  MountType = "tmpfs"  // memory
)

// Mount is one mount of a container.
type Mount struct {
	Type        MountType
	Source      string // bind: canonical absolute host path; volume: its name, "" for an anonymous one; tmpfs: ""
	Target      string // absolute path in the container
	ReadOnly    bool
	NoCopy      bool   // volume: do not fill it from the image
	Propagation string // bind: "", "rprivate", …
	SizeBytes   int64  // tmpfs: 0 for no limit of its own
	Mode        uint32 // tmpfs: permission bits with sticky as in chmod(1), 0 for 1777
	Exec        bool   // tmpfs: programs may be run from it

	written string      // bind: the path before its symlinks were followed, which rules judge too
	judged  os.FileInfo // bind: the file that rules have judged
}

// Judged is the file of a bind mount that the policy has judged, nil where there was none to see. Whoever mounts Source can
// see by it that nobody has put something else there since ([os.SameFile]).
func (m Mount) Judged() os.FileInfo { return m.judged }

// Ulimit is one resource limit, as in setrlimit(2).
type Ulimit struct {
	Name       string
	Soft, Hard int64
}

// Device is one device of the engine's host.
type Device struct {
	Host, Container string // paths
	Permissions     string // letters of "rwm"
}

// GPURequest asks for GPUs: a count (-1 for all) or device ids.
type GPURequest struct {
	Count   int
	Devices []string
}

// clone returns a copy that shares no memory with c, so that an approved value cannot be changed afterwards.
func (c Container) clone() Container {
	c.Entrypoint = slices.Clone(c.Entrypoint)
	c.Command = slices.Clone(c.Command)
	c.Env = slices.Clone(c.Env)
	c.GroupAdd = slices.Clone(c.GroupAdd)
	c.Mounts = slices.Clone(c.Mounts)
	c.ExtraHosts = slices.Clone(c.ExtraHosts)
	c.DNS = slices.Clone(c.DNS)
	c.Ulimits = slices.Clone(c.Ulimits)
	c.CapAdd = slices.Clone(c.CapAdd)
	c.SecurityOpt = slices.Clone(c.SecurityOpt)
	c.Devices = slices.Clone(c.Devices)
	c.Labels = maps.Clone(c.Labels)
	c.Stdin = slices.Clone(c.Stdin)
	if c.GPUs != nil {
		gpus := *c.GPUs
		gpus.Devices = slices.Clone(gpus.Devices)
		c.GPUs = &gpus
	}
	return c
}
