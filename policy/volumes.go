package policy

import (
	"encoding/csv"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"skillet/skills"
)

var propagations = []string{"private", "rprivate", "slave", "rslave", "shared", "rshared"}

var volumeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// volume reads "source:target[:options]" or "target", the form of `docker run --volume`
// (docs.docker.com, engine/storage/bind-mounts, "Syntax").
func (r *resolver) volume(rule, spec string) {
	subject := rule + " " + strconv.Quote(spec)
	parts := strings.Split(spec, ":")
	if len(parts) > 3 || spec == "" {
		r.deny(rule, subject, "is no volume", `write it like "source:target" or "source:target:ro"`)
		return
	}
	if len(parts) == 1 {
		r.mount(rule, subject, Mount{Type: MountVolume, Target: parts[0]})
		return
	}
	mount := Mount{Type: MountVolume, Source: parts[0], Target: parts[1]}
	if parts[0] == "" {
		r.deny(rule, subject, "has an empty source", "name a directory or a volume before the colon")
		return
	}
	if strings.ContainsAny(parts[0], `/\`) || strings.HasPrefix(parts[0], ".") {
		mount.Type = MountBind
	} else if !volumeName.MatchString(parts[0]) {
		r.deny(rule, subject, "the source is neither a path nor a volume's name", "")
		return
	}
	if len(parts) == 3 {
		for option := range strings.SplitSeq(parts[2], ",") {
			if !volumeOption(&mount, option) {
				r.deny(rule, subject, fmt.Sprintf("the option %q is not supported", option), "known are ro, rw, nocopy, rprivate, private, rslave, slave, rshared, shared, consistent, cached, delegated")
				return
			}
		}
	}
	if mount.Type == MountBind {
		r.bind(rule, subject, mount)
		return
	}
	r.mount(rule, subject, mount)
}

func volumeOption(mount *Mount, option string) bool {
	switch option {
	case "ro":
		mount.ReadOnly = true
	case "rw", "consistent", "cached", "delegated": // the last three are hints that no engine follows any more
	case "nocopy":
		mount.NoCopy = true
		return mount.Type == MountVolume
	default:
		mount.Propagation = option
		return mount.Type == MountBind && slices.Contains(propagations, option)
	}
	return true
}

// mountFlag reads the form of `docker run --mount`: key=value pairs in one CSV line.
func (r *resolver) mountFlag(spec string) {
	const rule = "extra_args"
	subject := "--mount " + strconv.Quote(spec)
	fields, err := csv.NewReader(strings.NewReader(spec)).Read()
	if err != nil {
		r.deny(rule, subject, "is no list of key=value pairs", "")
		return
	}
	mount := Mount{Type: MountVolume}
	for _, field := range fields {
		key, value, _ := strings.Cut(field, "=")
		if reason := mountKey(&mount, strings.ToLower(key), value); reason != "" {
			r.deny(rule, subject, reason, "")
			return
		}
	}
	switch {
	case mount.Propagation != "" && mount.Type != MountBind, mount.NoCopy && mount.Type != MountVolume,
		(mount.SizeBytes != 0 || mount.Mode != 0) && mount.Type != MountTmpfs:
		r.deny(rule, subject, "has options of another type of mount", "")
	case mount.Type == MountBind && mount.Source == "":
		r.deny(rule, subject, "a bind mount needs a source", "")
	case mount.Type == MountBind:
		r.bind(rule, subject, mount)
	case mount.Type == MountTmpfs && mount.Source != "":
		r.deny(rule, subject, "a tmpfs has no source", "")
	case mount.Type == MountVolume && mount.Source != "" && !volumeName.MatchString(mount.Source):
		r.deny(rule, subject, "the source is no volume's name", `say type=bind for a path of the host`)
	default:
		r.mount(rule, subject, mount)
	}
}

// mountKey reads one pair of --mount and says what is wrong with it.
func mountKey(mount *Mount, key, value string) string {
	switch key {
	case "type":
		mount.Type = MountType(value)
		if mount.Type != MountBind && mount.Type != MountVolume && mount.Type != MountTmpfs {
			return fmt.Sprintf("the type %q is not supported: known are bind, volume and tmpfs", value)
		}
	case "source", "src":
		mount.Source = value
	case "target", "dst", "destination":
		mount.Target = value
	case "readonly", "ro":
		return flag(&mount.ReadOnly, key, value)
	case "volume-nocopy":
		return flag(&mount.NoCopy, key, value)
	case "bind-propagation":
		if !slices.Contains(propagations, value) {
			return fmt.Sprintf("the propagation %q is unknown", value)
		}
		mount.Propagation = value
	case "tmpfs-size":
		size, err := skills.ParseSize(value)
		if err != nil || size <= 0 {
			return "tmpfs-size is no size"
		}
		mount.SizeBytes = size
	case "tmpfs-mode":
		mode, err := strconv.ParseUint(value, 8, 12)
		if err != nil {
			return "tmpfs-mode is no octal mode"
		}
		mount.Mode = uint32(mode)
	case "volume-opt", "volume-driver":
		return key + " is not supported: the options of a driver can bind any path of the host"
	default:
		return fmt.Sprintf("the key %q is not supported", key)
	}
	return ""
}

// flag reads a key whose presence alone means true.
func flag(into *bool, key, value string) string {
	on, err := strconv.ParseBool(value)
	if value != "" && err != nil {
		return key + " is true or false"
	}
	*into = value == "" || on
	return ""
}

// tmpfs reads "target[:options]", the form of `docker run --tmpfs`.
func (r *resolver) tmpfs(spec string) {
	subject := "--tmpfs " + strconv.Quote(spec)
	target, options, _ := strings.Cut(spec, ":")
	mount := Mount{Type: MountTmpfs, Target: target}
	for option := range strings.SplitSeq(options, ",") {
		key, value, _ := strings.Cut(option, "=")
		reason := ""
		switch key {
		case "", "rw", "nosuid", "nodev", "noexec", "relatime": // what it is without options
		case "exec":
			mount.Exec = true
		case "ro":
			mount.ReadOnly = true
		case "size":
			reason = mountKey(&mount, "tmpfs-size", value)
		case "mode":
			reason = mountKey(&mount, "tmpfs-mode", value)
		default:
			reason = fmt.Sprintf("the option %q is not supported: known are size, mode, exec, ro", key)
		}
		if reason != "" {
			r.deny("extra_args", subject, reason, "")
			return
		}
	}
	r.mount("extra_args", subject, mount)
}
