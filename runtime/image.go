package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"skillet/policy"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
)

// doingImage is what a call waits for before its container can be made.
const doingImage = "getting the image"

// ImageOptions say how an image is got.
type ImageOptions struct {
	Force    bool      // build or pull it although it is there; a build uses the engine's cache
	Progress io.Writer // gets lines on what is going on; nil for none
}

// EnsureImage makes sure that the engine has the plan's image: where it is absent, or for another platform than the plan's,
// it is built from the plan's build directory, or pulled when there is none. Calls for the same image wait for the same
// work. Errors are [EngineError], [ImageError], [BuildError], [CancelledError] and [ErrNotApproved].
func (r *Runtime) EnsureImage(ctx context.Context, plan policy.Plan, options ImageOptions) error {
	if !plan.Approved() {
		return ErrNotApproved
	}
	return r.ensureImage(ctx, plan.Container(), options)
}

func (r *Runtime) ensureImage(ctx context.Context, c policy.Container, options ImageOptions) error {
	key := flightKey{image: c.Image, platform: c.Platform, build: c.Build, force: options.Force}
	err := r.images.do(ctx, key, options.Progress, func(ctx context.Context, line func(string)) error {
		ctx, cancel := context.WithTimeout(ctx, r.limits.image)
		defer cancel()
		return r.provide(ctx, c, options.Force, line)
	})
	if over(ctx) {
		return &CancelledError{Skill: c.Skill, Doing: doingImage, Err: context.Cause(ctx)}
	}
	return err
}

// provide does the work of ensureImage, for all who wait for it.
func (r *Runtime) provide(ctx context.Context, c policy.Container, force bool, line func(string)) error {
	api, err := r.engine.session(ctx)
	if err != nil {
		return err
	}
	present, err := r.hasImage(ctx, api, c)
	if err != nil {
		return r.imageFailed(api, c, "looking for it", err)
	}
	if present && !force {
		return nil
	}
	begun := time.Now()
	if c.Build != "" {
		err = r.build(ctx, api, c, line)
	} else {
		err = r.pull(ctx, api, c, line)
	}
	if err != nil {
		return err
	}
	r.resolved.renew()
	r.log.Info("image ready", "skill", c.Skill, "image", c.Image, "built", c.Build != "", "took", time.Since(begun))
	return nil
}

// hasImage tells whether the image is there, for the plan's platform.
func (r *Runtime) hasImage(ctx context.Context, api dockerAPI, c policy.Container) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, r.limits.request)
	defer cancel()
	found, err := api.ImageInspect(ctx, c.Image)
	switch {
	case cerrdefs.IsNotFound(err):
		return false, nil
	case err != nil:
		return false, err
	}
	return onPlatform(found, c.Platform), nil
}

// onPlatform tells whether an image is for a platform; every image is for "".
func onPlatform(found image.InspectResponse, platform string) bool {
	if platform == "" {
		return true
	}
	want := newPlatform(platform)
	return found.Os == want.OS && found.Architecture == want.Architecture &&
		(want.Variant == "" || found.Variant == want.Variant)
}

func (r *Runtime) pull(ctx context.Context, api dockerAPI, c policy.Container, line func(string)) error {
	const doing = "pulling it"
	line("pulling " + c.Image)
	body, err := api.ImagePull(ctx, c.Image, image.PullOptions{Platform: c.Platform})
	if err != nil {
		return r.imageFailed(api, c, doing, err)
	}
	defer body.Close()
	if err := follow(body, line); err != nil {
		return r.imageFailed(api, c, doing, err)
	}
	return nil
}

// imageFailed is the error of a request for an image: the engine's end, or its refusal.
func (r *Runtime) imageFailed(api dockerAPI, c policy.Container, doing string, err error) error {
	if unanswered(err) {
		r.engine.forget(api)
		return &EngineError{Address: r.engine.address, Doing: doing + " (the image " + c.Image + ")", Err: err}
	}
	return &ImageError{Skill: c.Skill, Image: c.Image, Platform: c.Platform, Doing: doing, Err: err}
}

// errNoImage says that a container cannot be created before its image is there.
var errNoImage = errors.New("the engine does not have it")

// foreignPlatform finds the warning with which engines create a container that they cannot run, or only in an emulator.
func foreignPlatform(warnings []string) error {
	for _, warning := range warnings {
		if strings.Contains(warning, "requested image's platform") {
			return fmt.Errorf("%s. Use an image for this platform; where the engine can emulate the image's, "+
				"name that as the skill's `platform`", strings.TrimRight(warning, ". "))
		}
	}
	return nil
}
