package runtime

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"skillet/policy"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// goldens are containers whose requests are kept in testdata/NAME.json. Together they set every field.
func goldens() map[string]policy.Container {
	plain := policy.Container{Skill: "tool", Image: "debian:bookworm-slim", Network: "none", PidsLimit: 64}
	with := func(change func(*policy.Container)) policy.Container {
		c := plain
		change(&c)
		return c
	}
	return map[string]policy.Container{
		"plain": plain,
		"program": with(func(c *policy.Container) {
			c.Entrypoint, c.Command = []string{"/bin/sh", "-c"}, []string{`echo "$A"`, "x y"}
			c.Env, c.WorkingDir, c.User = []string{"A=1", "B="}, "/work", "1000:1000"
			c.GroupAdd, c.Hostname, c.Init = []string{"audio", "44"}, "box", true
		}),
		"stdin":       with(func(c *policy.Container) { c.Stdin = []byte("text") }),
		"stdin-empty": with(func(c *policy.Container) { c.Stdin = []byte{} }),
		"binds": with(func(c *policy.Container) {
			c.ReadOnlyRootfs = true
			c.Mounts = []policy.Mount{
				{Type: policy.MountBind, Source: "/srv/in", Target: "/in", ReadOnly: true},
				{Type: policy.MountBind, Source: "/srv/out", Target: "/out", Propagation: "rslave"},
				{Type: policy.MountBind, Source: "/srv/log", Target: "/log", Propagation: "rprivate"},
			}
		}),
		"volumes": with(func(c *policy.Container) {
			c.Mounts = []policy.Mount{
				{Type: policy.MountVolume, Source: "cache", Target: "/cache", NoCopy: true},
				{Type: policy.MountVolume, Target: "/scratch"},
			}
		}),
		"tmpfs": with(func(c *policy.Container) {
			c.Mounts = []policy.Mount{
				{Type: policy.MountTmpfs, Target: "/tmp"},
				{Type: policy.MountTmpfs, Target: "/run/bin", Exec: true, SizeBytes: 64 << 20, Mode: 0o700},
				{Type: policy.MountTmpfs, Target: "/empty", ReadOnly: true},
			}
		}),
		"bridge": with(func(c *policy.Container) {
			c.Network, c.DNS, c.ExtraHosts = "bridge", []string{"192.0.2.1"}, []string{"db:192.0.2.7"}
		}),
		"network-named":      with(func(c *policy.Container) { c.Network = "backend" }),
		"network-none-hosts": with(func(c *policy.Container) { c.ExtraHosts = []string{"localhost:127.0.0.1"} }),
		"limits": with(func(c *policy.Container) {
			c.Memory, c.MemorySwap, c.NanoCPUs, c.PidsLimit, c.ShmSize = 512<<20, 512<<20, 1_500_000_000, 256, 128<<20
			c.Ulimits = []policy.Ulimit{{Name: "nofile", Soft: 1024, Hard: 2048}}
			c.StopTimeout = 2500 * time.Millisecond
		}),
		"devices": with(func(c *policy.Container) {
			c.Devices = []policy.Device{{Host: "/dev/fuse", Container: "/dev/fuse", Permissions: "rwm"}}
			c.GPUs = &policy.GPURequest{Count: -1}
		}),
		"gpus-named": with(func(c *policy.Container) { c.GPUs = &policy.GPURequest{Devices: []string{"GPU-1"}} }),
		"capabilities": with(func(c *policy.Container) {
			c.CapAdd = []string{"CAP_NET_RAW"}
			c.SecurityOpt = []string{"no-new-privileges=false", "apparmor=tool", "no-new-privileges:false"}
		}),
		"privileged": with(func(c *policy.Container) {
			c.Privileged, c.Network = true, "host"
			c.PidMode, c.IpcMode, c.UTSMode, c.UsernsMode, c.CgroupnsMode = "host", "host", "host", "host", "host"
		}),
		"privileged-own-namespaces": with(func(c *policy.Container) { c.Privileged = true }),
		"platform":                  with(func(c *policy.Container) { c.Image, c.Platform = "tool@sha256:0123", "linux/arm/v7" }),
		"labels": with(func(c *policy.Container) {
			c.Labels = map[string]string{"team": "a", "skillet.instance": "forged", "skillet.other": "forged"}
		}),
	}
}

func TestEveryContainerGivesTheRequestOfItsGoldenFile(t *testing.T) {
	containers := goldens()
	for name, c := range containers {
		t.Run(name, func(t *testing.T) {
			got, err := json.MarshalIndent(newRequest(c, "skillet-tool-name", someOwner), "", "\t")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			path := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("the request differs from %s (-update rewrites it):\n%s", path, got)
			}
		})
	}
	files, _ := filepath.Glob("testdata/*.json")
	for _, file := range files {
		if _, ok := containers[strings.TrimSuffix(filepath.Base(file), ".json")]; !ok {
			t.Errorf("%s belongs to no container", file)
		}
	}
}

// What is decided about a field of the engine's: it follows from the Plan, it is the same for every container, or it is
// never set, for the reason given.
const (
	fromPlan = "plan"
	always   = "always"
)

var configFields = map[string]string{
	"Hostname":        fromPlan,
	"Domainname":      "NIS domains have no use in a container of one program",
	"User":            fromPlan,
	"AttachStdin":     fromPlan,
	"AttachStdout":    always,
	"AttachStderr":    always,
	"ExposedPorts":    "nobody connects to a call",
	"Tty":             "it merges the two outputs and edits the bytes",
	"OpenStdin":       fromPlan,
	"StdinOnce":       fromPlan,
	"Env":             fromPlan,
	"Cmd":             fromPlan,
	"Healthcheck":     always,
	"ArgsEscaped":     "Windows",
	"Image":           fromPlan,
	"Volumes":         "HostConfig.Mounts says it",
	"WorkingDir":      fromPlan,
	"Entrypoint":      fromPlan,
	"NetworkDisabled": fromPlan,
	"MacAddress":      "deprecated by the engine",
	"OnBuild":         "builds only",
	"Labels":          fromPlan,
	"StopSignal":      "the image's own is right for a stop by others; skillet kills by SIGTERM and SIGKILL",
	"StopTimeout":     fromPlan,
	"Shell":           "builds only",
}

var hostFields = map[string]string{
	"Binds":           "its syntax creates missing sources; HostConfig.Mounts says it",
	"ContainerIDFile": "the engine's client writes it, and skillet needs none",
	"LogConfig":       always,
	"NetworkMode":     fromPlan,
	"PortBindings":    "nobody connects to a call",
	"RestartPolicy":   always,
	"AutoRemove":      "a failed container is asked about before it is removed",
	"VolumeDriver":    "the policy knows the local driver only",
	"VolumesFrom":     "a call has nothing to do with other containers",
	"ConsoleSize":     "no terminal",
	"Annotations":     "words for the OCI runtime, with effects that no policy knows",
	"CapAdd":          fromPlan,
	"CapDrop":         fromPlan,
	"CgroupnsMode":    fromPlan,
	"DNS":             fromPlan,
	"DNSOptions":      "not in the Plan",
	"DNSSearch":       "not in the Plan",
	"ExtraHosts":      fromPlan,
	"GroupAdd":        fromPlan,
	"IpcMode":         fromPlan,
	"Cgroup":          "joins another container's",
	"Links":           "deprecated by the engine",
	"OomScoreAdj":     "moves the danger of being killed to other processes of the host",
	"PidMode":         fromPlan,
	"Privileged":      fromPlan,
	"PublishAllPorts": "nobody connects to a call",
	"ReadonlyRootfs":  fromPlan,
	"SecurityOpt":     fromPlan,
	"StorageOpt":      "most storage drivers refuse it",
	"Tmpfs":           fromPlan,
	"UTSMode":         fromPlan,
	"UsernsMode":      fromPlan,
	"ShmSize":         fromPlan,
	"Sysctls":         "not in the Plan",
	"Runtime":         "the engine's default; another may sandbox less",
	"Isolation":       "Windows",
	"Resources":       "embedded: its fields are in resourceFields",
	"Mounts":          fromPlan,
	"MaskedPaths":     "nil is the engine's list; anything else unmasks",
	"ReadonlyPaths":   "nil is the engine's list; anything else opens",
	"Init":            fromPlan,
}

var resourceFields = map[string]string{
	"CPUShares":            "not in the Plan, which has NanoCPUs",
	"Memory":               fromPlan,
	"NanoCPUs":             fromPlan,
	"CgroupParent":         "would leave the engine's own group and its limits",
	"BlkioWeight":          "not in the Plan",
	"BlkioWeightDevice":    "not in the Plan",
	"BlkioDeviceReadBps":   "not in the Plan",
	"BlkioDeviceWriteBps":  "not in the Plan",
	"BlkioDeviceReadIOps":  "not in the Plan",
	"BlkioDeviceWriteIOps": "not in the Plan",
	"CPUPeriod":            "NanoCPUs says it",
	"CPUQuota":             "NanoCPUs says it",
	"CPURealtimePeriod":    "real-time processes can starve the host",
	"CPURealtimeRuntime":   "real-time processes can starve the host",
	"CpusetCpus":           "not in the Plan",
	"CpusetMems":           "not in the Plan",
	"Devices":              fromPlan,
	"DeviceCgroupRules":    "opens devices without naming them",
	"DeviceRequests":       fromPlan,
	"KernelMemory":         "deprecated by the engine",
	"KernelMemoryTCP":      "deprecated by the engine",
	"MemoryReservation":    "not in the Plan",
	"MemorySwap":           fromPlan,
	"MemorySwappiness":     "not in the Plan",
	"OomKillDisable":       "a program over its limit would hang instead of being killed",
	"PidsLimit":            fromPlan,
	"Ulimits":              fromPlan,
	"CPUCount":             "Windows",
	"CPUPercent":           "Windows",
	"IOMaximumIOps":        "Windows",
	"IOMaximumBandwidth":   "Windows",
}

var mountFields = map[string]string{
	"Type":           fromPlan,
	"Source":         fromPlan,
	"Target":         fromPlan,
	"ReadOnly":       fromPlan,
	"Consistency":    "without effect on Linux",
	"BindOptions":    fromPlan,
	"VolumeOptions":  fromPlan,
	"ImageOptions":   "not in the Plan",
	"TmpfsOptions":   "HostConfig.Tmpfs says it",
	"ClusterOptions": "not in the Plan",
}

var bindFields = map[string]string{
	"Propagation":            fromPlan,
	"NonRecursive":           "the policy judges the whole tree",
	"CreateMountpoint":       "a missing source is an error",
	"ReadOnlyNonRecursive":   "would leave what is mounted below writable",
	"ReadOnlyForceRecursive": "an error on older kernels; newer engines do it where they can",
}

var volumeFields = map[string]string{
	"NoCopy":       always,
	"Labels":       "not in the Plan",
	"Subpath":      "not in the Plan, and newer engines only",
	"DriverConfig": "a driver's options can bind any path of the host",
}

// A new version of the SDK brings new fields. Each of them may weaken a container or be what a skill needs, so somebody
// has to decide about it, and the decision has to be what the code does.
func TestEveryFieldOfTheEngineIsDecidedAbout(t *testing.T) {
	values := map[reflect.Type][]reflect.Value{}
	add := func(v any) { values[reflect.TypeOf(v)] = append(values[reflect.TypeOf(v)], reflect.ValueOf(v)) }
	for _, c := range goldens() {
		q := newRequest(c, "name", someOwner)
		add(*q.Config)
		add(*q.Host)
		add(q.Host.Resources)
		for _, m := range q.Host.Mounts {
			add(m)
			if m.BindOptions != nil {
				add(*m.BindOptions)
			}
			if m.VolumeOptions != nil {
				add(*m.VolumeOptions)
			}
		}
		if len(q.Network.EndpointsConfig) > 0 {
			t.Error("NetworkingConfig is set: decide about its fields")
		}
	}
	for _, check := range []struct {
		of      any
		decided map[string]string
	}{
		{container.Config{}, configFields},
		{container.HostConfig{}, hostFields},
		{container.Resources{}, resourceFields},
		{mount.Mount{}, mountFields},
		{mount.BindOptions{}, bindFields},
		{mount.VolumeOptions{}, volumeFields},
	} {
		checkDecisions(t, reflect.TypeOf(check.of), check.decided, values[reflect.TypeOf(check.of)])
	}
}

func checkDecisions(t *testing.T, of reflect.Type, decided map[string]string, values []reflect.Value) {
	t.Helper()
	for name := range decided {
		if _, ok := of.FieldByName(name); !ok {
			t.Errorf("%s has no field %s any more", of, name)
		}
	}
	for i := range of.NumField() {
		name := of.Field(i).Name
		decision, ok := decided[name]
		if !ok {
			t.Errorf("nobody has decided about %s.%s", of, name)
			continue
		}
		if of.Field(i).Anonymous {
			continue
		}
		var set, same = 0, true
		for _, v := range values {
			if !v.Field(i).IsZero() {
				set++
			}
			same = same && reflect.DeepEqual(v.Field(i).Interface(), values[0].Field(i).Interface())
		}
		switch {
		case decision == fromPlan && (set == 0 || same):
			t.Errorf("%s.%s does not follow from any Plan", of, name)
		case decision == always && (set != len(values) || !same):
			t.Errorf("%s.%s is not the same for all containers", of, name)
		case decision != fromPlan && decision != always && set != 0:
			t.Errorf("%s.%s is set, against the decision: %s", of, name, decision)
		}
	}
}

// What is approved is what runs: a field of the Plan that changes nothing would be a promise that is not kept.
func TestEveryFieldOfAContainerChangesTheRequest(t *testing.T) {
	elsewhere := map[string]string{
		"Build":       "the image's building",
		"MaxOutput":   "the captures",
		"SessionIdle": "the order; beside a Timeout also the lifetime",
		"Warm":        "the pool",
	}
	plain := goldens()["plain"]
	before, _ := json.Marshal(newRequest(plain, "name", someOwner))
	of := reflect.TypeOf(plain)
	for i := range of.NumField() {
		name := of.Field(i).Name
		changed := plain
		setSomething(t, reflect.ValueOf(&changed).Elem().Field(i))
		after, _ := json.Marshal(newRequest(changed, "name", someOwner))
		if _, ok := elsewhere[name]; ok != bytes.Equal(before, after) {
			t.Errorf("Container.%s: changes the request: %v, is listed as handled elsewhere: %v", name, !ok, ok)
		}
	}
}

// setSomething gives a field a value that it has in no golden.
func setSomething(t *testing.T, field reflect.Value) {
	t.Helper()
	switch field.Kind() {
	case reflect.String:
		field.SetString("other")
	case reflect.Bool:
		field.SetBool(true)
	case reflect.Int, reflect.Int64:
		field.SetInt(int64(77 * time.Second))
	case reflect.Uint8:
		field.SetUint(7)
	case reflect.Slice:
		field.Set(reflect.MakeSlice(field.Type(), 1, 1))
		setSomething(t, field.Index(0))
	case reflect.Struct:
		for i := range field.NumField() {
			if field.Field(i).CanSet() && field.Field(i).Kind() != reflect.Uint32 {
				setSomething(t, field.Field(i))
			}
		}
	case reflect.Map:
		field.Set(reflect.ValueOf(map[string]string{"other": "other"}))
	case reflect.Pointer:
		field.Set(reflect.New(field.Type().Elem()))
		setSomething(t, field.Elem())
	default:
		t.Fatalf("what to set a %s to?", field.Type())
	}
}

// someOwner is the owner in the golden files.
var someOwner = owner{instance: "instance", host: "boot pid:[1]", pid: 7, started: "9"}
