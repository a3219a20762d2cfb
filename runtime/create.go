package runtime

import (
	"context"
	"errors"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
)

// create makes the container, and leaves none behind when it fails or ctx ends. Its error is errNoImage when there is no
// image to make it from.
func (v *vessel) create(ctx context.Context) error {
	warnings, err := v.createOnce(ctx)
	if err != nil && strings.Contains(err.Error(), "client version") {
		// "client version 1.51 is too new. Maximum supported API version is 1.41", or too old: the engine was replaced.
		v.engine.forget(v.api)
		warnings, err = v.createOnce(ctx)
	}
	if cerrdefs.IsNotFound(err) {
		// Of the image, most likely; but a network and a volume's driver can be missing too.
		if present, inspectErr := v.hasImage(ctx, v.api, v.spec); inspectErr != nil || !present {
			return errors.Join(errNoImage, inspectErr)
		}
		if id := v.request.Config.Image; id != v.spec.Image && strings.Contains(err.Error(), id) {
			// The name stands for another image since it was looked up, and this one is gone.
			v.resolved.forget()
			return errNoImage
		}
	}
	if err != nil {
		return err
	}
	for _, warning := range warnings {
		if _, known := v.warned.LoadOrStore(warning, true); !known {
			v.log.Warn("the engine warns", "skill", v.spec.Skill, "warning", warning)
		}
	}
	if err := foreignPlatform(warnings); err != nil {
		v.removals.remove(v.request.Name, v.id)
		return &ImageError{Skill: v.spec.Skill, Image: v.spec.Image, Platform: v.spec.Platform, Err: err}
	}
	return nil
}

// createOnce asks for the container, in a context that ctx's end does not cut: an engine whose client goes away while it
// creates may create nevertheless, and nobody would know. When ctx ends first, the answer is waited for by the removal.
func (v *vessel) createOnce(ctx context.Context) (warnings []string, _ error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	api, err := v.engine.session(ctx)
	if err != nil {
		return nil, err
	}
	v.api = api
	uncut, cancel := context.WithTimeout(context.WithoutCancel(ctx), v.limits.create)
	response := make(chan container.CreateResponse, 1)
	answer := make(chan error, 1)
	go func() {
		defer cancel()
		q := v.request
		created, err := api.ContainerCreate(uncut, q.Config, q.Host, q.Network, q.Platform, q.Name)
		response <- created
		answer <- err
	}()
	select {
	case err = <-answer:
	case <-ctx.Done():
		v.removals.removeAfter(v.request.Name, answer)
		return nil, ctx.Err()
	}
	if err != nil || ctx.Err() != nil {
		answer <- err
		v.removals.removeAfter(v.request.Name, answer)
	}
	if err == nil {
		err = ctx.Err()
	}
	created := <-response
	v.id = created.ID
	return created.Warnings, err
}
