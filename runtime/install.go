package runtime

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"skillet/policy"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
)

// The supervisor reaches containers in a volume that is mounted read-only: that costs a start nothing, works with a read-only
// root, and on an engine that is on another machine. The volume is named after what is in it, so that different versions of
// skillet do not meet. Nobody looks whether it is there: the engine makes an empty one of the name when it has none, in which
// the supervisor is not found, and then it is filled, once per engine.

// install makes sure that the volume holds the supervisor, byte for byte, and tells whether it had to be put there. It is done once
// for all calls that wait for it, and goes on when they end: a request that is cut off may be carried out nevertheless, and leave
// a container that nobody knows of.
func (r *Runtime) install(ctx context.Context, api dockerAPI, h harness) (mended bool, _ error) {
	installed := r.installs.DoChan(h.volume, func() (any, error) {
		if !r.removals.hold(h.volume) {
			return false, ErrClosed
		}
		defer r.removals.release(h.volume)
		uncut, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.limits.create)
		defer cancel()
		return r.fill(uncut, api, h)
	})
	select {
	case result := <-installed:
		mended, _ = result.Val.(bool)
		return mended, result.Err
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// fill does the work of install. A container that is never started gives access to the volume; its name is taken by one skillet
// at a time, so that no two write at once.
func (r *Runtime) fill(ctx context.Context, api dockerAPI, h harness) (mended bool, _ error) {
	id, err := r.openVolume(ctx, api, h)
	if err != nil {
		return false, err
	}
	defer func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.limits.request)
		defer cancel()
		if _, err := r.removals.attempt(bounded, id); err != nil {
			r.removals.remove(h.volume, id)
		}
	}()
	if r.installed(ctx, api, h, id) {
		return false, nil
	}
	r.log.Info("putting the supervisor on the engine", "volume", h.volume)
	return true, api.CopyToContainer(ctx, id, policy.ReservedTarget, archive(h.binary.Bytes), container.CopyToContainerOptions{})
}

// openVolume makes the container that gives access to the volume. While another skillet has it, it is waited for; one whose
// skillet is dead is removed, and one of this skillet's, whose creation was not answered.
func (r *Runtime) openVolume(ctx context.Context, api dockerAPI, h harness) (id string, _ error) {
	config := &container.Config{
		Image: h.image.id, Entrypoint: []string{supervisorPath}, NetworkDisabled: true,
		Labels: r.owner.labels(policy.Container{Skill: "supervisor", Timeout: r.limits.create}),
	}
	host := &container.HostConfig{NetworkMode: networkNone, Mounts: []mount.Mount{{
		Type: mount.TypeVolume, Source: h.volume, Target: policy.ReservedTarget,
		VolumeOptions: &mount.VolumeOptions{NoCopy: true, Labels: map[string]string{labelSupervisor: h.binary.Digest}},
	}}}
	for {
		created, err := api.ContainerCreate(ctx, config, host, &network.NetworkingConfig{}, nil, h.volume)
		if !cerrdefs.IsConflict(err) {
			return created.ID, err
		}
		if _, err := r.Reap(ctx); err != nil {
			return "", err
		}
		if found, err := api.ContainerInspect(ctx, h.volume); err == nil && found.Config != nil && found.Config.Labels[labelInstance] == r.owner.instance {
			_, _ = r.removals.attempt(ctx, found.ID) // else the next attempt says so
		}
		select {
		case <-time.After(r.limits.retry / 4):
		case <-ctx.Done():
			return "", errors.Join(fmt.Errorf("another skillet holds the container %s", h.volume), ctx.Err())
		}
	}
}

// installed tells whether the volume has the right bytes.
func (r *Runtime) installed(ctx context.Context, api dockerAPI, h harness, id string) bool {
	body, _, err := api.CopyFromContainer(ctx, id, supervisorPath)
	if err != nil {
		return false
	}
	defer body.Close()
	files := tar.NewReader(body)
	header, err := files.Next()
	if err != nil || header.Size != int64(len(h.binary.Bytes)) || header.Mode&0o777 != supervisorMode {
		return false
	}
	found, err := io.ReadAll(files)
	return err == nil && bytes.Equal(found, h.binary.Bytes)
}

// supervisorMode lets every user run it, and nobody write to it.
const supervisorMode = 0o555

// archive is a tar file with the supervisor.
func archive(binary []byte) io.Reader {
	var buffer bytes.Buffer
	files := tar.NewWriter(&buffer)
	// Writing to a buffer does not fail, and the sizes are right.
	_ = files.WriteHeader(&tar.Header{Name: "supervisor", Mode: supervisorMode, Size: int64(len(binary)), Format: tar.FormatUSTAR})
	_, _ = files.Write(binary)
	_ = files.Close()
	return &buffer
}
