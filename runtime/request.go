package runtime

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"skillet/policy"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/go-units"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// networkNone is a container without a network.
const networkNone = "none"

// request is all that the engine is told about a container.
type request struct {
	Name     string
	Config   *container.Config
	Host     *container.HostConfig
	Network  *network.NetworkingConfig
	Platform *ocispec.Platform // nil for the engine's own
}

// newRequest translates an approved container. It is pure: the same container gives the same request, and every field
// of the request comes from c or is the same for all. A field of the engine's that is not set here is left at its
// zero value on purpose; request_test.go has the list, with reasons.
func newRequest(c policy.Container, name string, owner owner) request {
	return request{
		Name:     name,
		Config:   newConfig(c, owner),
		Host:     newHostConfig(c),
		Network:  &network.NetworkingConfig{}, // HostConfig.NetworkMode names the only network
		Platform: newPlatform(c.Platform),
	}
}

func newConfig(c policy.Container, owner owner) *container.Config {
	stopSeconds := int((c.StopTimeout + time.Second - 1) / time.Second)
	return &container.Config{
		Image:        c.Image,
		Entrypoint:   c.Entrypoint,
		Cmd:          c.Command,
		Env:          c.Env,
		WorkingDir:   c.WorkingDir,
		User:         c.User,
		Hostname:     c.Hostname,
		AttachStdin:  c.Stdin != nil,
		OpenStdin:    c.Stdin != nil,
		StdinOnce:    c.Stdin != nil, // without it the end of the input is not passed on
		AttachStdout: true,
		AttachStderr: true,
		// An image's health check would run beside the program, in the call's own limits.
		Healthcheck:     &container.HealthConfig{Test: []string{"NONE"}},
		NetworkDisabled: withoutSandbox(c),
		StopTimeout:     &stopSeconds, // for a stop that others ask for, and the engine's own shutdown
		Labels:          newLabels(c, owner),
	}
}

// withoutSandbox tells whether the engine can do without a network sandbox, whose making takes half of a start. The
// files that tell names and name servers are part of the sandbox, so a plan that wants entries in them needs it.
func withoutSandbox(c policy.Container) bool {
	return networkMode(c) == networkNone && len(c.ExtraHosts) == 0 && len(c.DNS) == 0
}

// networkMode is the container's network; a plan that names none gets none.
func networkMode(c policy.Container) container.NetworkMode {
	if c.Network == "" {
		return networkNone
	}
	return container.NetworkMode(c.Network)
}

func newLabels(c policy.Container, owner owner) map[string]string {
	labels := maps.Clone(c.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.DeleteFunc(labels, func(key, _ string) bool { return strings.HasPrefix(key, labelPrefix) })
	maps.Copy(labels, owner.labels(c))
	return labels
}

func newHostConfig(c policy.Container) *container.HostConfig {
	host := &container.HostConfig{
		NetworkMode:    networkMode(c),
		ExtraHosts:     c.ExtraHosts,
		DNS:            c.DNS,
		CapAdd:         c.CapAdd,
		Privileged:     c.Privileged,
		SecurityOpt:    securityOptions(c),
		GroupAdd:       c.GroupAdd,
		ReadonlyRootfs: c.ReadOnlyRootfs,
		Mounts:         newMounts(c.Mounts),
		Tmpfs:          newTmpfs(c.Mounts),
		ShmSize:        c.ShmSize,
		PidMode:        container.PidMode(c.PidMode),
		IpcMode:        container.IpcMode(c.IpcMode),
		UTSMode:        container.UTSMode(c.UTSMode),
		UsernsMode:     container.UsernsMode(c.UsernsMode),
		CgroupnsMode:   container.CgroupnsMode(c.CgroupnsMode),
		Init:           &c.Init, // nil would leave it to the engine's configuration
		Resources:      newResources(c),
		// The output goes to who is attached. A log would be a second copy on the engine's disk, and writing it takes
		// twenty times as long.
		LogConfig:     container.LogConfig{Type: "none"},
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyDisabled},
	}
	if !c.Privileged {
		host.CapDrop = []string{"ALL"}
	}
	// "" is a namespace of the container's own, while the engine may be configured to share these two by default.
	if host.IpcMode == "" {
		host.IpcMode = container.IPCModePrivate
	}
	// Engines refuse the two together on hosts with cgroup v1.
	if host.CgroupnsMode == "" && !c.Privileged {
		host.CgroupnsMode = container.CgroupnsModePrivate
	}
	return host
}

// securityOptions puts no-new-privileges last, and drops any other word on it: the engine takes the last.
func securityOptions(c policy.Container) []string {
	const fixed = "no-new-privileges"
	var options []string
	for _, option := range c.SecurityOpt {
		if !strings.HasPrefix(option, fixed) {
			options = append(options, option)
		}
	}
	return append(options, fixed)
}

func newResources(c policy.Container) container.Resources {
	resources := container.Resources{
		Memory:     c.Memory,
		MemorySwap: c.MemorySwap,
		NanoCPUs:   c.NanoCPUs,
		PidsLimit:  &c.PidsLimit,
	}
	for _, limit := range c.Ulimits {
		resources.Ulimits = append(resources.Ulimits, &units.Ulimit{Name: limit.Name, Soft: limit.Soft, Hard: limit.Hard})
	}
	for _, device := range c.Devices {
		resources.Devices = append(resources.Devices, container.DeviceMapping{
			PathOnHost:        device.Host,
			PathInContainer:   device.Container,
			CgroupPermissions: device.Permissions,
		})
	}
	if c.GPUs != nil {
		resources.DeviceRequests = []container.DeviceRequest{{
			Count:        c.GPUs.Count,
			DeviceIDs:    c.GPUs.Devices,
			Capabilities: [][]string{{"gpu"}}, // as `docker run --gpus` asks: the engine picks the driver
		}}
	}
	return resources
}

// newMounts translates binds and volumes. A bind's missing source is an error of the engine's, never made.
func newMounts(mounts []policy.Mount) []mount.Mount {
	var translated []mount.Mount
	for _, m := range mounts {
		to := mount.Mount{Type: mount.Type(m.Type), Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly}
		switch m.Type {
		case policy.MountTmpfs:
			continue
		case policy.MountBind:
			if m.Propagation != "" {
				to.BindOptions = &mount.BindOptions{Propagation: mount.Propagation(m.Propagation)}
			}
		case policy.MountVolume:
			if m.NoCopy {
				to.VolumeOptions = &mount.VolumeOptions{NoCopy: true}
			}
		}
		translated = append(translated, to)
	}
	return translated
}

// newTmpfs translates memory file systems into `docker run --tmpfs` options. The Mounts of the API cannot say exec before
// version 1.46, so none goes there.
func newTmpfs(mounts []policy.Mount) map[string]string {
	var tmpfs map[string]string
	for _, m := range mounts {
		if m.Type != policy.MountTmpfs {
			continue
		}
		if tmpfs == nil {
			tmpfs = map[string]string{}
		}
		tmpfs[m.Target] = tmpfsOptions(m)
	}
	return tmpfs
}

func tmpfsOptions(m policy.Mount) string {
	options := []string{"rw", "nosuid", "nodev"}
	if m.ReadOnly {
		options[0] = "ro"
	}
	if m.Exec {
		options = append(options, "exec")
	} else {
		options = append(options, "noexec")
	}
	if m.SizeBytes > 0 {
		options = append(options, fmt.Sprintf("size=%d", m.SizeBytes))
	}
	mode := m.Mode
	if mode == 0 {
		mode = 0o1777
	}
	return strings.Join(append(options, fmt.Sprintf("mode=%o", mode)), ",")
}

// newPlatform splits "os/arch[/variant]".
func newPlatform(platform string) *ocispec.Platform {
	if platform == "" {
		return nil
	}
	system, rest, _ := strings.Cut(platform, "/")
	arch, variant, _ := strings.Cut(rest, "/")
	return &ocispec.Platform{OS: system, Architecture: arch, Variant: variant}
}
