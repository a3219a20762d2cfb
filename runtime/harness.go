package runtime

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"skillet/policy"
	"skillet/runtime/supervisor"

	"github.com/docker/docker/api/types/mount"
)

const (
	supervisorPath = policy.ReservedTarget + "/supervisor"
	// supervisorShare is what the supervisor takes of a container's processes and threads, on top of what the plan allows.
	supervisorShare = 12
	labelSupervisor = labelPrefix + "supervisor" // of the volume: the digest of what is in it
)

// harness is what a container needs for a supervisor to run its program: the image as it is now, since the supervisor stands in
// the place of what the engine would have run, and the volume with the supervisor.
type harness struct {
	image  imageFacts
	binary supervisor.Binary
	volume string
	wait   time.Duration // how long the container may wait for its call
}

// harness tells how a call is supervised. It is nil for what runs by itself: a container that is to stay and one that shares
// a PID namespace, where the supervisor would not be the first process, and on machines that there is no supervisor for.
// Its error is errNoImage, or one that [vessel.explain] has made.
func (v *vessel) harness(ctx context.Context) (*harness, error) {
	if v.spec.Keep || v.spec.PidMode != "" {
		return nil, nil
	}
	const doing = "looking at the image"
	api, err := v.engine.session(ctx)
	if err != nil {
		return nil, v.explain(ctx, err, doing)
	}
	v.api = api
	architecture, err := v.engine.architecture(ctx, api)
	if err != nil {
		return nil, v.explain(ctx, err, doing)
	}
	binary, ok := supervisor.For(architecture)
	if !ok {
		return nil, nil
	}
	image, err := v.resolved.image(ctx, api, v.spec)
	if err != nil {
		return nil, v.imageError(ctx, err, doing)
	}
	return &harness{image: image, binary: binary, volume: policy.ReservedVolumes + "-" + binary.Digest}, nil
}

// supervised makes of a request for a program one for the supervisor that will run it. The program is the same, in a container
// with the same rights and limits; its arguments, its variables and its input go to the supervisor when it is to run. It is pure.
func (q request) supervised(h harness) request {
	config, host := *q.Config, *q.Host
	config.Image = h.image.id // what its arguments were worked out for
	config.Entrypoint, config.Cmd = []string{supervisorPath}, nil
	config.Env = h.image.quiet()
	if len(host.DeviceRequests) > 0 { // the hooks of GPUs' drivers read variables
		config.Env = append(config.Env, slices.DeleteFunc(slices.Clone(q.Config.Env), isGoVariable)...)
	}
	config.AttachStdin, config.OpenStdin, config.StdinOnce = true, true, true // its end is the connection's
	// It does an init's work. And the engine removes the container by itself, also when skillet is not there any more.
	host.Init, host.AutoRemove = new(bool), true
	limit := *host.PidsLimit + supervisorShare
	host.PidsLimit = &limit
	host.Mounts = append(slices.Clone(host.Mounts), mount.Mount{
		Type: mount.TypeVolume, Source: h.volume, Target: policy.ReservedTarget, ReadOnly: true,
		VolumeOptions: &mount.VolumeOptions{NoCopy: true, Labels: map[string]string{labelSupervisor: h.binary.Digest}},
	})
	config.Labels = maps.Clone(config.Labels)
	config.Labels[labelSupervised] = "true"
	if lifetime, _ := strconv.Atoi(config.Labels[labelLifetime]); lifetime > 0 {
		config.Labels[labelLifetime] = strconv.Itoa(lifetime + int(h.wait.Seconds()))
	}
	q.Config, q.Host = &config, &host
	return q
}

// imageFacts are what a call has to know of its image.
type imageFacts struct {
	id              string
	entrypoint, cmd []string
	env             []string
}

// argv is the program and its arguments, as the engine makes them out of the image's and the container's own: an entrypoint
// of the container's drops the image's command, and an empty one the image's entrypoint.
func (i imageFacts) argv(c policy.Container) []string {
	entrypoint, command := c.Entrypoint, c.Command
	if len(entrypoint) == 0 {
		if len(command) == 0 {
			command = i.cmd
		}
		entrypoint = i.entrypoint
	}
	if len(entrypoint) == 1 && entrypoint[0] == "" {
		entrypoint = nil
	}
	return slices.Concat(entrypoint, command)
}

// goVariables are read by the Go runtime that the supervisor has in it. Those of an image are meant for its program.
var goVariables = []string{"GODEBUG", "GOGC", "GOMAXPROCS", "GOMEMLIMIT", "GOTRACEBACK"}

func isGoVariable(variable string) bool {
	name, _, _ := strings.Cut(variable, "=")
	return slices.Contains(goVariables, name)
}

// quiet hides an image's variables from the supervisor that are for a Go runtime.
func (i imageFacts) quiet() []string {
	var hidden []string
	for _, variable := range i.env {
		if name, _, _ := strings.Cut(variable, "="); isGoVariable(variable) {
			hidden = append(hidden, name+"=")
		}
	}
	return hidden
}

// environment is what the program gets on top of what the container has: what was hidden, then the plan's.
func (i imageFacts) environment(c policy.Container) []string {
	env := slices.DeleteFunc(slices.Clone(i.env), func(variable string) bool { return !isGoVariable(variable) })
	return append(env, c.Env...)
}
