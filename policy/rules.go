package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/distribution/reference"
	"github.com/docker/go-units"

	"skillet/skills"
)

// judged is what a rule looks at: the container, and for what they say about it the invocation and the machine.
type judged struct {
	*Container
	binds   []Mount // those of host paths
	inv     skills.Invocation
	guarded guarded
	look    *look
}

// rule says what is wrong with a container, nothing when it is not.
type rule func(rules, judged) DeniedErrors

var allRules = []rule{
	privileged, hostNamespaces, networks, capabilities, unconfined, devices,
	workdir, mountPaths, mountSockets, mountSensitive, mountRoots, mountShared,
	images, resourceLimits, maxima, swap, nonRoot, readOnlyRoot, gpus, builds, kept, sessions,
}

// broken is the refusal of one rule; its fix ends with the way to relax the rule.
func broken(key, subject, reason, fix, relax string) DeniedErrors {
	return DeniedErrors{{Rule: key, Subject: subject, Reason: reason, Fix: fix + ", or set " + relax + " in the policy file"}}
}

func privileged(r rules, c judged) DeniedErrors {
	if !r.blockPrivileged || !c.Privileged {
		return nil
	}
	return broken("block_privileged", "--privileged", "a privileged container is root on the host", "remove it", "block_privileged = false")
}

func hostNamespaces(r rules, c judged) DeniedErrors {
	if !r.blockHostNamespaces {
		return nil
	}
	var denied DeniedErrors
	for _, mode := range []struct{ flag, value string }{
		{"--pid", c.PidMode}, {"--ipc", c.IpcMode}, {"--uts", c.UTSMode}, {"--userns", c.UsernsMode}, {"--cgroupns", c.CgroupnsMode},
	} {
		if mode.value == "host" || strings.HasPrefix(mode.value, "container:") {
			denied = append(denied, broken("block_host_namespaces", mode.flag+"="+mode.value,
				"shares a namespace that is not the container's own", "remove it", "block_host_namespaces = false")...)
		}
	}
	return denied
}

func networks(r rules, c judged) DeniedErrors {
	subject := "network " + strconv.Quote(c.Network)
	shared := c.Network == "host" || strings.HasPrefix(c.Network, "container:")
	switch {
	case shared && r.blockHostNetwork:
		return broken("block_host_network", subject, "shares a network that is not the container's own", `use "none" or "bridge"`, "block_host_network = false")
	case c.Network != "none" && !allows(r.allowedNetworks, c.Network):
		return broken("allowed_networks", subject, "is not among the allowed networks", `use network = "none"`, "allowed_networks")
	}
	return nil
}

func capabilities(r rules, c judged) DeniedErrors {
	var denied DeniedErrors
	for _, name := range c.CapAdd {
		if !allows(r.allowedCapabilities, name) {
			denied = append(denied, broken("allowed_capabilities", "--cap-add "+name, "is not among the allowed capabilities",
				"remove it", "allowed_capabilities")...)
		}
	}
	return denied
}

// unconfined looks at security options. The engine's default AppArmor profile is the only one known to confine.
func unconfined(r rules, c judged) DeniedErrors {
	if !r.blockUnconfined {
		return nil
	}
	var denied DeniedErrors
	for _, option := range c.SecurityOpt {
		if option != "apparmor=docker-default" {
			denied = append(denied, broken("block_unconfined", "--security-opt "+option, "replaces a security profile of the engine",
				"remove it", "block_unconfined = false")...)
		}
	}
	return denied
}

func devices(r rules, c judged) DeniedErrors {
	var denied DeniedErrors
	for _, device := range c.Devices {
		if !allows(r.allowedDevices, device.Host) {
			denied = append(denied, broken("allowed_devices", "--device "+device.Host, "is not among the allowed devices",
				"remove it", "allowed_devices")...)
		}
	}
	return denied
}

// hostMounts returns the mounts of host paths.
func hostMounts(all []Mount) []Mount {
	return slices.DeleteFunc(slices.Clone(all), func(m Mount) bool { return m.Type != MountBind })
}

// workdir refuses to offer half the machine because skillet was started there.
func workdir(_ rules, c judged) DeniedErrors {
	for _, mount := range c.binds {
		if mount.Source != c.inv.Workdir {
			continue
		}
		unwanted := slices.ContainsFunc(noWorkdirTrees, func(tree string) bool { return c.look.below(mount.Source, tree) }) ||
			slices.ContainsFunc(c.guarded.noWorkdir, func(dir string) bool { return c.look.canonical(dir) == mount.Source })
		if unwanted {
			return DeniedErrors{{Rule: "workdir", Subject: quoted(mount.Source), Reason: "is no directory for tools to work in",
				Fix: "start skillet in a project's directory, or name one with --workdir DIR"}}
		}
	}
	return nil
}

func mountPaths(r rules, c judged) DeniedErrors {
	return c.overlapping(c.binds, r.blockedMountPaths, "blocked_mount_paths", "blocked_mount_paths")
}

// mountSensitive also keeps the system's own directories from being written to. The working directory, which the operator
// has chosen, may lie in one of them.
func mountSensitive(r rules, c judged) DeniedErrors {
	if !r.blockSensitiveMounts {
		return nil
	}
	const key, relax = "block_sensitive_mounts", "block_sensitive_mounts = false"
	denied := c.overlapping(c.binds, c.guarded.sensitive, key, relax)
	if denied != nil {
		return denied
	}
	writable := slices.DeleteFunc(slices.Clone(c.binds), func(m Mount) bool { return m.ReadOnly || c.look.below(m.Source, c.inv.Workdir) })
	return c.overlapping(writable, systemPaths, key, relax)
}

// overlapping refuses the mounts that are, hold or lie in one of some paths, by their canonical names or as written.
func (c judged) overlapping(mounts []Mount, blocked []string, key, relax string) DeniedErrors {
	var denied DeniedErrors
	for _, mount := range mounts {
		for _, path := range blocked {
			if c.look.overlaps(mount.Source, path) || mount.written != mount.Source && c.look.overlaps(mount.written, path) {
				denied = append(denied, broken(key, "volume "+quoted(mount.Source), "is, holds or lies in "+quoted(path), "mount another directory", relax)...)
				break
			}
		}
	}
	return denied
}

func mountSockets(r rules, c judged) DeniedErrors {
	if !r.blockDockerSock {
		return nil
	}
	var denied DeniedErrors
	for _, mount := range c.binds {
		engine := slices.ContainsFunc(c.guarded.sockets, func(socket string) bool { return c.look.overlaps(mount.Source, socket) })
		if engine || c.look.isSocket(mount.Source) {
			denied = append(denied, broken("block_docker_sock", "volume "+quoted(mount.Source),
				"is or holds a socket, and whoever reaches an engine's socket is root on the host", "mount another directory", "block_docker_sock = false")...)
		}
	}
	return denied
}

func mountRoots(r rules, c judged) DeniedErrors {
	var denied DeniedErrors
	for _, mount := range c.binds {
		inside := mount.Source == c.inv.Workdir || c.look.below(mount.Source, c.inv.Workdir) || allows(r.allowedMountRoots, "") ||
			slices.ContainsFunc(r.allowedMountRoots, func(root string) bool { return c.look.below(mount.Source, c.look.canonical(root)) })
		switch {
		case !inside:
			denied = append(denied, broken("allowed_mount_roots", "volume "+quoted(mount.Source),
				"is below neither the working directory nor an allowed root", "mount a directory there", "allowed_mount_roots")...)
		case !c.look.exists(mount.Source):
			denied = append(denied, &DeniedError{Rule: "volumes", Subject: quoted(mount.Source), Reason: "does not exist",
				Fix: "create it, or correct the path: the engine would make an empty directory that belongs to root"})
		}
	}
	return denied
}

func mountShared(r rules, c judged) DeniedErrors {
	if !r.blockSharedMounts {
		return nil
	}
	var denied DeniedErrors
	for _, mount := range c.binds {
		if mount.Propagation == "shared" || mount.Propagation == "rshared" {
			denied = append(denied, broken("block_shared_mounts", "volume "+quoted(mount.Source),
				"would carry mounts made in the container to the host", "remove the option "+mount.Propagation, "block_shared_mounts = false")...)
		}
	}
	return denied
}

func images(r rules, c judged) DeniedErrors {
	var denied DeniedErrors
	subject := quoted(c.inv.Image)
	if !allows(r.allowedImages, c.Image) && !allows(r.allowedImages, c.inv.Image) {
		denied = append(denied, broken("allowed_images", subject, "is not among the allowed images", "use another image", "allowed_images")...)
	}
	if r.requireImageDigest && !byDigest(c.Image) {
		denied = append(denied, broken("require_image_digest", subject, "is a name whose meaning can change",
			`write it as "name@sha256:…"`, "require_image_digest = false")...)
	}
	return denied
}

func byDigest(image string) bool {
	ref, err := reference.ParseAnyReference(image)
	if err != nil {
		return false
	}
	_, digested := ref.(reference.Digested)
	return digested
}

func resourceLimits(r rules, c judged) DeniedErrors {
	if !r.requireResourceLimits || c.Memory > 0 && c.NanoCPUs > 0 {
		return nil
	}
	return broken("require_resource_limits", "", "the skill has no limit of memory or of CPUs",
		"set memory and cpus in its docker table or in [defaults]", "require_resource_limits = false")
}

func maxima(r rules, c judged) DeniedErrors {
	var denied DeniedErrors
	over := func(key string, value, limit int64, text string) {
		if limit > 0 && (value == 0 || value > limit) {
			denied = append(denied, broken(key, "", "the skill may use more than "+text, "lower its limit", key)...)
		}
	}
	over("max_memory", c.Memory, r.maxMemory, units.BytesSize(float64(r.maxMemory)))
	over("max_cpus", c.NanoCPUs, r.maxNanoCPUs, fmt.Sprintf("%g CPUs", float64(r.maxNanoCPUs)/1e9))
	over("max_pids", c.PidsLimit, r.maxPids, fmt.Sprintf("%d processes", r.maxPids))
	if r.maxPids == 0 && c.PidsLimit <= 0 {
		denied = append(denied, &DeniedError{Rule: "pids_limit", Reason: "every container has a limit of processes", Fix: "set it above 0"})
	}
	return denied
}

func swap(r rules, c judged) DeniedErrors {
	if !r.blockSwap || c.MemorySwap == c.Memory {
		return nil
	}
	return broken("block_swap", "--memory-swap", "would let the container use more than its memory", "remove it", "block_swap = false")
}

func nonRoot(r rules, c judged) DeniedErrors {
	if !r.requireNonRoot {
		return nil
	}
	name, group, _ := strings.Cut(c.User, ":")
	uid, err := strconv.ParseUint(name, 10, 32)
	gid, groupErr := strconv.ParseUint(group, 10, 32)
	if err == nil && uid != 0 && (group == "" || groupErr != nil && group != "root" || groupErr == nil && gid != 0) {
		return nil
	}
	return broken("require_non_root", "user "+strconv.Quote(c.User), "is not known to be another user than root",
		`set user to a number, like "1000:1000"`, "require_non_root = false")
}

func readOnlyRoot(r rules, c judged) DeniedErrors {
	if !r.requireReadOnly || c.ReadOnlyRootfs {
		return nil
	}
	return broken("require_read_only", "", "the image's files are writable", "set read_only = true", "require_read_only = false")
}

func gpus(r rules, c judged) DeniedErrors {
	if !r.blockGPUs || c.GPUs == nil {
		return nil
	}
	return broken("block_gpus", "gpus", "GPUs are devices of the host", "remove it", "block_gpus = false")
}

// builds is about what runs before any container of the policy's: a Dockerfile's commands have a network, the engine's
// default capabilities, and the author of skills.toml for their author.
func builds(r rules, c judged) DeniedErrors {
	if !r.blockBuilds || c.Build == "" {
		return nil
	}
	return broken("block_builds", "build", "an image's build runs commands that no rule judges", "build the image beforehand and remove the line", "block_builds = false")
}

func kept(r rules, c judged) DeniedErrors {
	if !r.blockKeptContainers || !c.Keep {
		return nil
	}
	return broken("block_kept_containers", "rm = false", "no container is left behind", "remove the line", "block_kept_containers = false")
}

// sessions is about containers that several calls share: what one call leaves in it, the next one finds.
func sessions(r rules, c judged) DeniedErrors {
	if !r.blockSessions || c.SessionIdle == 0 {
		return nil
	}
	return broken("block_sessions", "session = true", "every call has a container of its own", "remove the line", "block_sessions = false")
}
