package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"skillet/internal/testlog"
	"skillet/policy"
	"skillet/runtime"
	"skillet/skills"
)

// builder is an engine whose builds end when the test says so. It runs a call by noting the image's Dockerfile of that time.
type builder struct {
	results chan error

	absent chan struct{} // not nil: calls build the image until it is closed

	mu     sync.Mutex
	built  string // the Dockerfile that the image was built from
	builds []string
}

func (b *builder) EnsureImage(ctx context.Context, plan policy.Plan, options runtime.ImageOptions) error {
	if !options.Force {
		return errors.New("an image that is there would not be built")
	}
	text, err := os.ReadFile(filepath.Join(plan.Container().Build, "Dockerfile"))
	if err != nil {
		return err
	}
	_, _ = io.WriteString(options.Progress, "building "+string(text)+"\n")
	select {
	case err = <-b.results:
	case <-ctx.Done():
		err = ctx.Err()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.builds = append(b.builds, string(text))
	if err == nil {
		b.built = string(text)
	}
	return err
}

func (b *builder) Run(_ context.Context, _ policy.Plan, live runtime.IO) (runtime.Result, error) {
	if b.absent != nil {
		_, _ = io.WriteString(live.Progress, "building for the first time\n")
		<-b.absent
		live.ImageReady()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return runtime.Result{Stdout: runtime.Stream{Data: []byte(b.built)}}, nil
}

// workshop has two skills of one image with a Dockerfile.
type workshop struct {
	t          *testing.T
	engine     *builder
	log        *testlog.Buffer
	rebuilds   *rebuilds
	plans      []policy.Plan
	dockerfile string
}

func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	dir := t.TempDir()
	w := &workshop{t: t, engine: &builder{results: make(chan error), built: "old"}, log: &testlog.Buffer{}, dockerfile: filepath.Join(dir, "img", "Dockerfile")}
	if err := os.Mkdir(filepath.Dir(w.dockerfile), 0o755); err != nil {
		t.Fatal(err)
	}
	w.write("old")
	config := ""
	for _, name := range []string{"a", "b"} {
		config += fmt.Sprintf("[skills.%s.docker]\nimage = \"example/image\"\nbuild = \"img\"\n", name)
	}
	config += "[skills.other.docker]\nimage = \"debian\"\n"
	set, err := skills.Parse(filepath.Join(dir, "skills.toml"), []byte(config), skills.Environment{Workdir: dir})
	if err != nil {
		t.Fatal(err)
	}
	rules, err := policy.New(policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, skill := range set.Skills {
		plan, err := rules.Approve(skill.Prototype())
		if err != nil {
			t.Fatal(err)
		}
		w.plans = append(w.plans, plan)
	}
	w.rebuilds = newRebuilds(w.engine, slog.New(slog.NewTextHandler(w.log, nil)))
	if files := w.rebuilds.look(w.plans); !slices.Equal(files, []string{w.dockerfile}) {
		t.Errorf("watches %v", files)
	}
	return w
}

func (w *workshop) write(text string) {
	w.t.Helper()
	if err := os.WriteFile(w.dockerfile, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// call begins a call and returns where its result comes.
func (w *workshop) call(ctx context.Context, plan policy.Plan, progress io.Writer) chan string {
	done := make(chan string, 1)
	go func() {
		result, _ := w.rebuilds.Run(ctx, plan, runtime.IO{Progress: progress})
		done <- string(result.Stdout.Data)
	}()
	synctest.Wait()
	return done
}

func waiting(calls chan string) bool { return len(calls) == 0 }

func TestACallWaitsForTheImageOfAChangedDockerfile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkshop(t)
		w.rebuilds.look(w.plans)
		if got := <-w.call(t.Context(), w.plans[0], nil); got != "old" {
			t.Errorf("without a change: %s", got)
		}
		w.write("new")
		w.rebuilds.look(w.plans)
		w.rebuilds.look(w.plans)
		var progress strings.Builder
		first, second := w.call(t.Context(), w.plans[0], &progress), w.call(t.Context(), w.plans[1], nil)
		if other := w.call(t.Context(), w.plans[2], nil); waiting(other) {
			t.Error("a call of another image waits")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if left := w.call(ctx, w.plans[0], nil); waiting(left) {
			t.Error("a cancelled call waits")
		}
		if !waiting(first) || !waiting(second) {
			t.Error("a call did not wait")
		}
		w.write("newer") // while the build is going on
		w.rebuilds.look(w.plans)
		w.engine.results <- nil
		synctest.Wait()
		if !waiting(first) {
			t.Error("a call did not wait for the second change")
		}
		w.engine.results <- nil
		if a, b := <-first, <-second; a != "newer" || b != "newer" {
			t.Errorf("got %s and %s", a, b)
		}
		if !slices.Equal(w.engine.builds, []string{"new", "newer"}) {
			t.Errorf("built %v", w.engine.builds)
		}
		if !strings.Contains(progress.String(), "building newer\n") {
			t.Errorf("progress: %q", progress.String())
		}
		w.rebuilds.stop()
	})
}

func TestABuildThatFailsLeavesTheOldImage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkshop(t)
		w.write("broken")
		w.rebuilds.look(w.plans)
		call := w.call(t.Context(), w.plans[0], nil)
		w.engine.results <- errors.New("step 2 failed")
		if got := <-call; got != "old" {
			t.Errorf("got %s", got)
		}
		w.rebuilds.look(w.plans)
		if got := <-w.call(t.Context(), w.plans[0], nil); got != "old" || len(w.engine.builds) != 1 {
			t.Errorf("got %s after %d builds: a broken Dockerfile is built once", got, len(w.engine.builds))
		}
		if !strings.Contains(w.log.String(), "the image stays as it was") || !strings.Contains(w.log.String(), "step 2 failed") {
			t.Errorf("log: %s", w.log)
		}
		if err := os.Remove(w.dockerfile); err != nil {
			t.Fatal(err)
		}
		w.rebuilds.look(w.plans)
		if got := <-w.call(t.Context(), w.plans[0], nil); got != "old" || len(w.engine.builds) != 1 {
			t.Errorf("a Dockerfile that is gone: got %s", got)
		}
		w.rebuilds.stop()
	})
}

func TestWithoutAnEngineTheNextCallBuildsTheImage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkshop(t)
		w.write("new")
		w.rebuilds.look(w.plans)
		w.engine.results <- &runtime.EngineError{Err: errors.New("no engine")}
		synctest.Wait()
		call := w.call(t.Context(), w.plans[1], nil)
		w.engine.results <- nil
		if got := <-call; got != "new" {
			t.Errorf("got %s", got)
		}
		w.rebuilds.stop()
	})
}

func TestAnImageIsBuiltAnewAfterItsFirstBuild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkshop(t)
		w.engine.absent = make(chan struct{})
		var progress strings.Builder
		first, second := w.call(t.Context(), w.plans[0], &progress), w.call(t.Context(), w.plans[1], nil)
		w.write("new")
		w.rebuilds.look(w.plans)
		synctest.Wait()
		select {
		case w.engine.results <- nil:
			t.Error("two builds at a time")
		default:
		}
		close(w.engine.absent)
		if a, b := <-first, <-second; a != "old" || b != "old" || progress.String() != "building for the first time\n" {
			t.Errorf("got %s and %s, %s", a, b, progress.String())
		}
		w.engine.results <- nil
		if got := <-w.call(t.Context(), w.plans[0], nil); got != "new" {
			t.Errorf("got %s", got)
		}
		w.rebuilds.stop()
	})
}

func TestTheEndOfSkilletEndsABuild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkshop(t)
		w.write("new")
		w.rebuilds.look(w.plans)
		call := w.call(t.Context(), w.plans[0], nil)
		w.rebuilds.stop()
		if got := <-call; got != "old" || strings.Contains(w.log.String(), "not built anew") {
			t.Errorf("got %s, log: %s", got, w.log)
		}
		if late := w.call(t.Context(), w.plans[0], nil); waiting(late) {
			t.Error("a later call waits")
		}
	})
}
