package runtime

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"skillet/policy"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
)

// newImageName makes up an image, and removes it after the test if it was made.
func newImageName(t *testing.T) string {
	t.Helper()
	name := "skillet-runtime-test:" + randomName()
	api := newSDKClient(t)
	t.Cleanup(func() {
		_, _ = api.ImageRemove(context.Background(), name, image.RemoveOptions{Force: true, PruneChildren: true})
	})
	return name
}

// built is a container of an image that has to be built first, by these steps on the base image.
func built(t *testing.T, script, steps string, files map[string]string) policy.Container {
	t.Helper()
	c := shell(script)
	c.Image = newImageName(t)
	c.Build = buildDir(t, steps, files)
	return c
}

// buildDir makes a build's directory. What its build leaves behind is removed after the test.
func buildDir(t *testing.T, steps string, files map[string]string) string {
	t.Helper()
	label := "skillet.test=" + randomName() // no two tests share layers
	api := newSDKClient(t)
	t.Cleanup(func() {
		_, _ = api.ImagesPrune(context.Background(), filters.NewArgs(filters.Arg("label", label), filters.Arg("dangling", "true")))
	})
	all := map[string]string{"Dockerfile": "FROM " + baseImage + "\nLABEL " + label + "\n" + steps + "\n"}
	maps.Copy(all, files)
	return writeTree(t, all)
}

// newFakeWithoutImage is an engine that has no image before the pull.
func newFakeWithoutImage() *fakeEngine {
	fake := newFakeEngine()
	fake.exits = true
	missing := func(context.Context) error {
		if fake.called("pull") > 0 {
			return nil
		}
		return fmt.Errorf("No such image: image: %w", cerrdefs.ErrNotFound)
	}
	fake.before["create"], fake.before["image inspect"] = missing, missing
	return fake
}

func TestAnAbsentImageIsPulledAndTheCreationRepeated(t *testing.T) {
	fake := newFakeWithoutImage()
	fake.pulling = `{"status":"Pulling fs layer","id":"a"}`
	r := newFakeRuntime(t, fake)
	var progress bytes.Buffer
	result, err := r.run(t.Context(), fakePlan, IO{Progress: &progress})
	if err != nil || result.ExitCode != 0 || progress.String() != "pulling image\na: Pulling fs layer\n" {
		t.Errorf("%s, %v, progress %q", brief(result), err, progress.String())
	}
	closeAndCheck(t, r, fake)
	if want := []string{"version", "create", "image inspect", "image inspect", "pull", "create", "attach", "wait", "start", "remove"}; !slices.Equal(fake.calls, want) {
		t.Errorf("requests %v", fake.calls)
	}
}

func TestAPullThatFailsSaysWhose(t *testing.T) {
	for name, c := range map[string]struct {
		answer  error
		pulling string
		engine  bool // the engine's end, not the image's
	}{
		"refused":   {fmt.Errorf("pull access denied for image: %w", cerrdefs.ErrNotFound), "", false},
		"in band":   {nil, `{"errorDetail":{"message":"manifest unknown"},"error":"manifest unknown"}`, false},
		"lost":      {errBroken, "", true},
		"broke off": {nil, `{"status":"Pull`, true},
	} {
		t.Run(name, func(t *testing.T) {
			fake := newFakeWithoutImage()
			fake.pulling = c.pulling
			if c.answer != nil {
				fake.before["pull"] = func(context.Context) error { return c.answer }
			}
			r := newFakeRuntime(t, fake)
			_, err := r.run(t.Context(), fakePlan, IO{})
			if errors.As(err, new(*EngineError)) != c.engine || errors.As(err, new(*ImageError)) == c.engine {
				t.Errorf("error %v", err)
			}
			closeAndCheck(t, r, fake)
		})
	}
}

func TestWhatElseTheEngineDoesNotFindIsNotTakenForTheImage(t *testing.T) {
	fake := newFakeEngine()
	fake.before["create"] = func(context.Context) error { return fmt.Errorf("network nosuch not found: %w", cerrdefs.ErrNotFound) }
	r := newFakeRuntime(t, fake)
	var start *StartError
	if _, err := r.run(t.Context(), fakePlan, IO{}); !errors.As(err, &start) || start.Reason != BadNetwork {
		t.Errorf("error %v", err)
	}
	closeAndCheck(t, r, fake)
	if fake.called("pull") != 0 {
		t.Errorf("requests %v", fake.calls)
	}
}

func TestAnImageThatIsStillMissingAfterItsPullIsAnError(t *testing.T) {
	fake := newFakeWithoutImage()
	missing := func(context.Context) error { return fmt.Errorf("No such image: image: %w", cerrdefs.ErrNotFound) }
	fake.before["create"], fake.before["image inspect"] = missing, missing
	r := newFakeRuntime(t, fake)
	if _, err := r.run(t.Context(), fakePlan, IO{}); !errors.As(err, new(*ImageError)) || fake.called("create") != 2 {
		t.Errorf("%v, requests %v", err, fake.calls)
	}
	closeAndCheck(t, r, fake)
}

func TestAnAbsentImageIsBuiltOnceForAllCallsThatWaitForIt(t *testing.T) {
	t.Parallel()
	// Longer than a call may take: the limit is the program's.
	c := built(t, "cat /id; ls /src", "RUN sleep 2; cat /proc/sys/kernel/random/uuid > /id\nCOPY . /src",
		map[string]string{".dockerignore": "secret\n", "secret": "s", "public": "p"})
	r := newEngineRuntime(t)
	c.Timeout = 2 * time.Second
	results := make([]Result, 3)
	var calls sync.WaitGroup
	for i := range results {
		calls.Go(func() {
			var progress bytes.Buffer
			var err error
			if results[i], err = r.run(t.Context(), c, IO{Progress: &progress}); err != nil {
				t.Errorf("call %d: %v", i, err)
			}
			if !strings.Contains(progress.String(), "Step 3/4") {
				t.Errorf("progress of call %d: %q", i, progress.String())
			}
		})
	}
	calls.Wait()
	for _, result := range results {
		if got := string(result.Stdout.Data); got != string(results[0].Stdout.Data) || !strings.HasSuffix(got, "\nDockerfile\npublic\n") {
			t.Errorf("%q", got)
		}
		if result.Duration > c.Timeout {
			t.Errorf("the duration %s has the build in it", result.Duration)
		}
	}
}

func TestABuildThatFailsShowsTheEndOfItsOutput(t *testing.T) {
	t.Parallel()
	c := built(t, "true", "RUN echo the reason; exit 3", nil)
	r := newEngineRuntime(t)
	result, err := r.run(t.Context(), c, IO{})
	var failed *BuildError
	if !errors.As(err, &failed) || result.ExitCode != -1 || failed.Dir != c.Build {
		t.Fatalf("%s, %v", brief(result), err)
	}
	if text := err.Error(); !strings.Contains(text, "the reason") || !strings.Contains(text, "returned a non-zero code: 3") {
		t.Errorf("error %q", text)
	}
	c.Build = t.TempDir()
	if _, err := r.run(t.Context(), c, IO{}); !errors.As(err, &failed) || !strings.Contains(err.Error(), "no Dockerfile") {
		t.Errorf("without a Dockerfile: %v", err)
	}
}

func TestABuildThatNobodyWaitsForEnds(t *testing.T) {
	t.Parallel()
	marker := "skillet.test.marker=" + randomName()
	c := built(t, "true", "LABEL "+marker+"\nRUN sleep 60", nil)
	r := newEngineRuntime(t)
	ctx, cancel := context.WithCancel(t.Context())
	api := newSDKClient(t)
	builders := func() int {
		list, err := api.ContainerList(t.Context(), container.ListOptions{Filters: filters.NewArgs(filters.Arg("label", marker))})
		if err != nil {
			t.Error(err)
		}
		return len(list)
	}
	go func() {
		defer cancel()
		for range 100 {
			time.Sleep(50 * time.Millisecond)
			if builders() > 0 {
				return
			}
		}
		t.Error("the build has not begun")
	}()
	_, err := r.run(ctx, c, IO{})
	if !errors.As(err, new(*CancelledError)) || !strings.Contains(err.Error(), "skillet pull") {
		t.Errorf("error %v", err)
	}
	for begun := time.Now(); builders() > 0; time.Sleep(50 * time.Millisecond) {
		if time.Since(begun) > 20*time.Second {
			t.Fatal("the build goes on")
		}
	}
}

func TestEnsureImageBuildsWhatIsAbsentAndWithForceWhatIsThere(t *testing.T) {
	t.Parallel()
	c := built(t, "cat /version", "RUN echo one > /version", nil)
	r := newEngineRuntime(t)
	ensure := func(force bool) string {
		var progress bytes.Buffer
		if err := r.ensureImage(t.Context(), c, ImageOptions{Force: force, Progress: &progress}); err != nil {
			t.Fatal(err)
		}
		return progress.String()
	}
	if lines := ensure(false); !strings.Contains(lines, "Successfully built") {
		t.Errorf("progress %q", lines)
	}
	c.Build = buildDir(t, "RUN echo two > /version", nil)
	if lines := ensure(false); lines != "" || output(t, r, c) != "one" {
		t.Errorf("built again: %q", lines)
	}
	if ensure(true); output(t, r, c) != "two" {
		t.Error("not built again")
	}
}

func TestAnImageThatCannotBePulledSaysSo(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	for name, c := range map[string]struct{ image, platform string }{
		"absent":           {"registry.skillet.invalid/nosuch:1", ""},
		"another platform": {baseImage, "linux/s390x"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := shell("true")
			spec.Image, spec.Platform = c.image, c.platform
			if name == "another platform" {
				// A registry that answers could give the image and, with it, replace the base image of the other tests.
				spec.Image = newImageName(t)
				if err := newSDKClient(t).ImageTag(t.Context(), baseImage, spec.Image); err != nil {
					t.Fatal(err)
				}
			}
			_, err := r.run(t.Context(), spec, IO{})
			var missing *ImageError
			if !errors.As(err, &missing) || missing.Image != spec.Image || missing.Platform != c.platform {
				t.Errorf("error %v", err)
			}
			t.Log(err)
		})
	}
}

func TestAnImageThatTheEngineCannotRunIsRefusedNotStarted(t *testing.T) {
	t.Parallel()
	name := newImageName(t)
	r := newEngineRuntime(t)
	loadImage(t, name, "s390x")
	c := shell("true")
	c.Image = name
	_, err := r.run(t.Context(), c, IO{})
	var wrong *ImageError
	if !errors.As(err, &wrong) || !strings.Contains(err.Error(), "linux/s390x") || !strings.Contains(err.Error(), "`platform`") {
		t.Errorf("error %v", err)
	}
	t.Log(err)
}

// loadImage makes an empty image for another architecture, as `docker load` takes it.
func loadImage(t *testing.T, name, arch string) {
	t.Helper()
	layer := tarball(t, map[string]string{"empty": ""})
	config := fmt.Sprintf(`{"os":"linux","architecture":%q,"config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%x"]}}`, arch, sha256.Sum256(layer))
	archive := tarball(t, map[string]string{
		"manifest.json": fmt.Sprintf(`[{"Config":"config.json","RepoTags":[%q],"Layers":["layer.tar"]}]`, name),
		"config.json":   config,
		"layer.tar":     string(layer),
	})
	loaded, err := newSDKClient(t).ImageLoad(t.Context(), bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	defer loaded.Body.Close()
	if err := follow(loaded.Body, func(string) {}); err != nil {
		t.Fatal(err)
	}
}

func tarball(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var archive bytes.Buffer
	writer := tar.NewWriter(&archive)
	for name, content := range files {
		if err := writer.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := writer.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return archive.Bytes()
}
