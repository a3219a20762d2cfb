package policy

import (
	"encoding/csv"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// capability writes a capability's name as capabilities(7) does.
func capability(name string) string {
	name = strings.ToUpper(strings.TrimSpace(name))
	if name == "ALL" || name == "*" || strings.HasPrefix(name, "CAP_") {
		return name
	}
	return "CAP_" + name
}

// gpus reads "all", a count, or "device=0,1" (the form of `docker run --gpus`).
func (r *resolver) gpus(rule, spec string) {
	request := &GPURequest{}
	fields, err := csv.NewReader(strings.NewReader(spec)).Read()
	ids, isDevices := strings.CutPrefix(strings.Trim(spec, `"`), "device=")
	count, countErr := strconv.Atoi(strings.TrimPrefix(spec, "count="))
	switch {
	case isDevices && ids != "" && !strings.Contains(ids, "="):
		request.Devices = strings.Split(ids, ",")
	case spec == "all" || spec == "count=all":
		request.Count = -1
	case err == nil && len(fields) == 1 && countErr == nil && count > 0:
		request.Count = count
	default:
		r.deny(rule, "gpus "+strconv.Quote(spec), "is no request for GPUs", `write "all", a number, or "device=0,1"`)
		return
	}
	r.container.GPUs = request
}

// label reads KEY=value; skillet's own labels say whose a container is, and nobody else may.
func (r *resolver) label(spec string) {
	key, value, _ := strings.Cut(spec, "=")
	switch {
	case key == "":
		r.deny("extra_args", "--label", "has no name", "")
		return
	case key == "skillet" || strings.HasPrefix(key, "skillet."):
		r.deny("extra_args", "--label "+strconv.Quote(key), "is one of skillet's own labels", "choose another name")
		return
	}
	if r.container.Labels == nil {
		r.container.Labels = map[string]string{}
	}
	r.container.Labels[key] = value
}

// device reads "host[:container[:permissions]]".
func (r *resolver) device(spec string) {
	parts := strings.Split(spec, ":")
	device := Device{Host: parts[0], Container: parts[0], Permissions: "rwm"}
	if len(parts) > 1 && parts[1] != "" {
		device.Container = parts[1]
	}
	if len(parts) > 2 {
		device.Permissions = parts[2]
	}
	if len(parts) > 3 || !strings.HasPrefix(device.Host, "/") || !strings.HasPrefix(device.Container, "/") ||
		device.Permissions == "" || strings.Trim(device.Permissions, "rwm") != "" {
		r.deny("extra_args", "--device "+strconv.Quote(spec), "is no device", `write it like "/dev/name" or "/dev/name:/dev/name:r"`)
		return
	}
	device.Host = r.look.canonical(device.Host)
	r.container.Devices = append(r.container.Devices, device)
}

// extraHost reads "name:address".
func (r *resolver) extraHost(spec string) {
	name, address, _ := strings.Cut(strings.Replace(spec, "=", ":", 1), ":")
	_, err := netip.ParseAddr(strings.Trim(address, "[]"))
	if !hostnameForm.MatchString(name) || err != nil && address != "host-gateway" {
		r.deny("extra_args", "--add-host "+strconv.Quote(spec), "is no host", `write it like "name:192.0.2.1"`)
		return
	}
	r.container.ExtraHosts = append(r.container.ExtraHosts, name+":"+strings.Trim(address, "[]"))
}

func (r *resolver) dns(address string) {
	if _, err := netip.ParseAddr(address); err != nil {
		r.deny("extra_args", "--dns "+strconv.Quote(address), "is no address", "")
		return
	}
	r.container.DNS = append(r.container.DNS, address)
}

// securityOption reads "name=value", or the older "name:value" that engines still take.
func (r *resolver) securityOption(option string) {
	subject := "--security-opt " + strconv.Quote(option)
	i := strings.IndexAny(option, "=:")
	name, value := option, ""
	if i >= 0 {
		name, value = option[:i], option[i+1:]
	}
	switch {
	case name == "no-new-privileges" && (value == "" || value == "true"):
		// It is always set.
	case name == "no-new-privileges":
		r.deny("extra_args", subject, "programs that gain privileges are never allowed", "remove it")
	case name == "seccomp" && value == "unconfined", name == "apparmor", name == "label":
		r.container.SecurityOpt = append(r.container.SecurityOpt, name+"="+value)
	case name == "seccomp":
		r.deny("extra_args", subject, "a profile of one's own is not supported", "remove it: the engine's default profile is used")
	default:
		r.deny("extra_args", subject, fmt.Sprintf("the option %q is not supported", name), "remove it")
	}
}
