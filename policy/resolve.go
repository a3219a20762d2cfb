package policy

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/distribution/reference"

	"skillet/skills"
)

// resolver makes a container out of an invocation and collects what cannot be read.
type resolver struct {
	inv       skills.Invocation
	options   Options
	look      *look
	container Container
	denied    DeniedErrors
}

func (r *resolver) deny(rule, subject, reason, fix string) {
	r.denied = append(r.denied, &DeniedError{Rule: rule, Subject: subject, Reason: reason, Fix: fix})
}

// resolve reads an invocation as the engine would. Flags in extra_args come after the fields, as on the command line of
// `docker run`, and so replace them.
func (p *Policy) resolve(inv skills.Invocation, look *look) (Container, DeniedErrors) {
	r := &resolver{inv: inv, options: p.options, look: look, container: Container{
		Skill: inv.Skill, Image: inv.Image, Platform: inv.Platform,
		Command: slices.Clone(inv.Command), WorkingDir: inv.WorkingDir, User: inv.User,
		ReadOnlyRootfs: inv.ReadOnly, Network: inv.Network,
		Memory: inv.Memory, MemorySwap: inv.Memory, NanoCPUs: inv.NanoCPUs, PidsLimit: inv.PidsLimit,
		Keep: inv.Keep, Stdin: slices.Clone(inv.Stdin), Timeout: inv.Timeout, MaxOutput: inv.MaxOutput,
		Warm: inv.Warm.Count,
	}}
	if inv.Warm.Auto {
		r.container.Warm = WarmAuto
	}
	if inv.Entrypoint != "" {
		r.container.Entrypoint = []string{inv.Entrypoint}
	}
	if len(inv.Command) == 0 {
		r.container.Command = nil
	}
	r.image()
	r.build()
	for _, entry := range inv.Environment {
		r.env("environment", entry)
	}
	for _, volume := range inv.Volumes {
		r.volume("volumes", volume)
	}
	if inv.GPUs != "" {
		r.gpus("gpus", inv.GPUs)
	}
	r.extraArgs()
	r.forms()
	r.home()
	return r.container, r.denied
}

func (r *resolver) image() {
	if _, err := reference.ParseAnyReference(r.inv.Image); err != nil || strings.HasPrefix(r.inv.Image, "-") {
		r.deny("image", strconv.Quote(r.inv.Image), "is no image reference", `write it like "name:tag" or "name@sha256:…"`)
	}
}

// build keeps the context below skills.toml: whatever is sent there ends up in an image that a skill can read.
func (r *resolver) build() {
	if r.inv.Build == "" {
		return
	}
	dir, root := r.look.canonical(r.inv.Build), r.look.canonical(r.inv.BuildRoot)
	if !r.look.below(dir, root) {
		r.deny("build", strconv.Quote(r.inv.Build), "is not below the directory of skills.toml", "move the Dockerfile there")
		return
	}
	r.container.Build = dir
}

// env adds KEY=value, or KEY with skillet's own value when it has one, as the docker command does.
func (r *resolver) env(rule, entry string) {
	key, _, hasValue := strings.Cut(entry, "=")
	if key == "" || strings.ContainsRune(entry, 0) {
		r.deny(rule, "an entry", "has no variable's name before its \"=\", or has a NUL character", `write "KEY=value"`)
		return
	}
	if !hasValue {
		value, ok := r.options.Lookup(key)
		if !ok {
			return
		}
		entry = key + "=" + value
	}
	r.container.Env = slices.DeleteFunc(r.container.Env, func(old string) bool { return strings.HasPrefix(old, key+"=") })
	r.container.Env = append(r.container.Env, entry)
}

var (
	userForm     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?$`)
	platformForm = regexp.MustCompile(`^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9.]+)?$`)
	hostnameForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$`)
	networkForm  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)
)

// forms checks texts that the engine, or a program of the image, would otherwise read in ways of its own.
func (r *resolver) forms() {
	c := &r.container
	if c.User != "" && !userForm.MatchString(c.User) {
		r.deny("user", strconv.Quote(c.User), "is no user", `write it like "1000:1000" or "name"`)
	}
	if c.Platform != "" && !platformForm.MatchString(c.Platform) {
		r.deny("platform", strconv.Quote(c.Platform), "is no platform", `write it like "linux/arm64"`)
	}
	if c.Hostname != "" && !hostnameForm.MatchString(c.Hostname) {
		r.deny("hostname", strconv.Quote(c.Hostname), "is no host name", "")
	}
	if c.Network == "default" {
		c.Network = "bridge" // the engine's other word for it
	}
	if !strings.HasPrefix(c.Network, "container:") && !networkForm.MatchString(c.Network) {
		r.deny("network", strconv.Quote(c.Network), "is no network's name", `write "none", "bridge" or the name of a network`)
	}
	switch {
	case c.WorkingDir != "" && !path.IsAbs(c.WorkingDir):
		r.deny("working_dir", strconv.Quote(c.WorkingDir), "is no absolute path", "")
	case kernels(c.WorkingDir):
		r.deny("working_dir", strconv.Quote(c.WorkingDir), "lies in an interface of the kernel", "")
	}
	for _, text := range slices.Concat(c.Entrypoint, c.Command) {
		if strings.ContainsRune(text, 0) {
			r.deny("command", "an element", "has a NUL character, which no argument can hold", "")
		}
	}
	targets := map[string]bool{}
	for _, mount := range c.Mounts {
		if targets[mount.Target] {
			r.deny("volumes", strconv.Quote(mount.Target), "is the target of two mounts", "")
		}
		targets[mount.Target] = true
	}
}

// Where a user without a home of its own finds one.
const (
	homeDir  = "/home/skillet"
	homeSize = 256 << 20
)

// home gives the program a writable HOME. A user that the image does not know has "/" as its home, and nobody can write
// to the home of an image whose root is read-only.
func (r *resolver) home() {
	c := &r.container
	hasHome := slices.ContainsFunc(c.Env, func(entry string) bool { return strings.HasPrefix(entry, "HOME=") })
	if hasHome || c.User == "" && !c.ReadOnlyRootfs {
		return
	}
	if !slices.ContainsFunc(c.Mounts, func(m Mount) bool { return m.Target == homeDir }) {
		c.Mounts = append(c.Mounts, Mount{Type: MountTmpfs, Target: homeDir, SizeBytes: homeSize, Exec: true})
	}
	c.Env = append(c.Env, "HOME="+homeDir)
}

// bind adds a mount of a host path, canonical from here on.
func (r *resolver) bind(rule, subject string, mount Mount) {
	source := mount.Source
	if strings.HasPrefix(source, "~") {
		r.deny(rule, subject, "a ~ is not expanded", `write "${HOME}" for the home directory`)
		return
	}
	if !filepath.IsAbs(source) {
		if !filepath.IsLocal(source) {
			r.deny("allowed_mount_roots", subject, "a relative path may not leave the working directory", "")
			return
		}
		source = filepath.Join(r.inv.Workdir, source)
	}
	mount.Source, mount.written = r.look.canonical(source), filepath.Clean(source)
	// Programs write to the working directory: a symlink in it is theirs as likely as the user's.
	if r.look.below(mount.written, r.inv.Workdir) && !r.look.below(mount.Source, r.inv.Workdir) {
		r.deny("allowed_mount_roots", subject, "a symlink leads out of the working directory", "write the path that it leads to")
		return
	}
	judged, err := pin(mount.Source)
	seen := r.look.at(mount.Source).info
	switch {
	case err == nil && seen != nil && os.SameFile(judged, seen):
		mount.judged = judged
	case err == nil || seen != nil: // missing altogether is for the rules to say
		r.deny(rule, subject, "the path changes while it is looked at", "see who writes to the directories above it")
		return
	}
	r.mount(rule, subject, mount)
}

// kernels tells whether a path in the container is the kernel's, apart from the shared memory that is everybody's. Open
// file descriptors are found there, and with them ways out (CVE-2024-21626).
func kernels(inside string) bool {
	inside = path.Clean(inside)
	return !under(inside, "/dev/shm") && slices.ContainsFunc([]string{"/proc", "/sys", "/dev"}, func(tree string) bool {
		return under(inside, tree)
	})
}

// mount adds a mount with a target that is checked.
func (r *resolver) mount(rule, subject string, mount Mount) {
	if !path.IsAbs(mount.Target) || strings.ContainsAny(mount.Target, "\x00:") || path.Clean(mount.Target) == "/" {
		r.deny(rule, subject, "the target has to be an absolute path in the container, and not its root", "")
		return
	}
	mount.Target = path.Clean(mount.Target)
	if kernels(mount.Target) {
		r.deny(rule, subject, "the target lies in an interface of the kernel", "")
		return
	}
	if under(mount.Target, ReservedTarget) {
		r.deny(rule, subject, "the target is where skillet's own supervisor lies", "mount it elsewhere")
		return
	}
	if mount.Type == MountVolume && strings.HasPrefix(mount.Source, ReservedVolumes) {
		r.deny(rule, subject, "the volume is skillet's own, and every container runs from it", "use a volume of another name")
		return
	}
	r.container.Mounts = append(r.container.Mounts, mount)
}

// under reports whether a clean path in the container is a directory or lies in it.
func under(inside, dir string) bool { return inside == dir || strings.HasPrefix(inside, dir+"/") }
