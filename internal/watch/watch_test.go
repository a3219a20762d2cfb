package watch

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"skillet/internal/testlog"
)

// eventsOnly looks after events alone, so that a test cannot pass by the sweep.
var eventsOnly = pace{quiet: 30 * time.Millisecond, within: 300 * time.Millisecond, sweep: time.Hour, blind: time.Hour}

// reader looks at a file as a caller does: it notes what is in it when that is not what it was.
type reader struct {
	file string

	mu    sync.Mutex
	looks int
	read  []string
}

func (r *reader) look() []string {
	data, err := os.ReadFile(r.file)
	text := string(data)
	if err != nil {
		text = "gone"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.looks++
	if len(r.read) == 0 || r.read[len(r.read)-1] != text {
		r.read = append(r.read, text)
	}
	return []string{r.file}
}

func (r *reader) await(t *testing.T, want string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		r.mu.Lock()
		last := r.read[max(0, len(r.read)-1):]
		r.mu.Unlock()
		if slices.Equal(last, []string{want}) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("read %q, never %q", last, want)
		}
	}
}

func (r *reader) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.looks
}

// follow watches a file until the test ends, and checks that nothing of it is left then.
func follow(t *testing.T, file string, pace pace, log *slog.Logger) *reader {
	t.Helper()
	before := runtime.NumGoroutine()
	r := &reader{file: file}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		run(ctx, log, pace, r.look)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Errorf("%d goroutines before, %d after", before, runtime.NumGoroutine())
				return
			}
		}
	})
	return r
}

func write(t *testing.T, file, text string) {
	t.Helper()
	must(t, os.WriteFile(file, []byte(text), 0o644))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var silent = slog.New(slog.DiscardHandler)

// Each of these is a way in which a file gets another content. They follow one another, since each may leave the watcher
// with something that is not there any more.
func TestEveryWayOfChangingAFileIsSeen(t *testing.T) {
	outer := t.TempDir()
	dir := filepath.Join(outer, "conf")
	must(t, os.Mkdir(dir, 0o755))
	file, other := filepath.Join(dir, "skills.toml"), filepath.Join(dir, ".skills.toml.swp")
	write(t, file, "0")
	r := follow(t, file, eventsOnly, silent)
	r.await(t, "0")

	write(t, file, "written in place")
	r.await(t, "written in place")

	write(t, other, "renamed over it")
	must(t, os.Rename(other, file))
	r.await(t, "renamed over it")

	must(t, os.Rename(file, file+"~")) // as vim does with a backup
	write(t, file, "new beside a backup")
	r.await(t, "new beside a backup")

	must(t, os.Remove(file))
	r.await(t, "gone")
	write(t, file, "made again")
	r.await(t, "made again")

	must(t, os.RemoveAll(dir))
	r.await(t, "gone")
	must(t, os.Mkdir(dir, 0o755))
	write(t, file, "in a new directory")
	r.await(t, "in a new directory")

	must(t, os.Rename(dir, dir+".old"))
	r.await(t, "gone")
	must(t, os.MkdirAll(dir, 0o755))
	write(t, file, "in the place of a directory")
	r.await(t, "in the place of a directory")
	write(t, file, "written once more")
	r.await(t, "written once more")

	elsewhere := filepath.Join(outer, "real.toml")
	write(t, elsewhere, "through a link")
	must(t, os.Remove(file))
	must(t, os.Symlink("../real.toml", file))
	r.await(t, "through a link")
	write(t, elsewhere, "behind the link")
	r.await(t, "behind the link")
}

// Kubernetes has skills.toml -> ..data/skills.toml and ..data -> ..2024_01, and renames another link over ..data.
func TestASwappedConfigMapIsSeen(t *testing.T) {
	dir := t.TempDir()
	version := func(name string) {
		must(t, os.Mkdir(filepath.Join(dir, name), 0o755))
		write(t, filepath.Join(dir, name, "skills.toml"), name)
		must(t, os.Symlink(name, filepath.Join(dir, "..data_tmp")))
		must(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	}
	version("..1")
	must(t, os.Symlink("..data/skills.toml", filepath.Join(dir, "skills.toml")))
	r := follow(t, filepath.Join(dir, "skills.toml"), eventsOnly, silent)
	r.await(t, "..1")
	for _, name := range []string{"..2", "..3"} {
		version(name)
		r.await(t, name)
	}
	must(t, os.RemoveAll(filepath.Join(dir, "..1"))) // as the kubelet does
	write(t, filepath.Join(dir, "..3", "skills.toml"), "in place")
	r.await(t, "in place")
}

func TestWhatElseHappensInTheDirectoryIsPassedOver(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "skills.toml")
	write(t, file, "0")
	r := follow(t, file, eventsOnly, silent)
	r.await(t, "0")
	time.Sleep(100 * time.Millisecond)
	before := r.count()
	for range 100 {
		write(t, filepath.Join(dir, "output.csv"), "x")
		must(t, os.Remove(filepath.Join(dir, "output.csv")))
	}
	time.Sleep(200 * time.Millisecond)
	if r.count() != before {
		t.Errorf("looked %d times for nothing", r.count()-before)
	}
}

func TestAStormOfWritesIsLookedAtNowAndThen(t *testing.T) {
	file := filepath.Join(t.TempDir(), "skills.toml")
	write(t, file, "0")
	r := follow(t, file, eventsOnly, silent)
	r.await(t, "0")
	before := r.count()
	begun := time.Now()
	for time.Since(begun) < time.Second {
		write(t, file, time.Now().String())
		time.Sleep(time.Millisecond)
	}
	write(t, file, "the end")
	r.await(t, "the end")
	// Every 300 ms in a second, and the last one.
	if looks := r.count() - before; looks < 2 || looks > 8 {
		t.Errorf("looked %d times", looks)
	}
}

// A directory far above that is replaced gives no event.
func TestTheSweepSeesWhatNoEventTells(t *testing.T) {
	outer := t.TempDir()
	dir := filepath.Join(outer, "a", "b")
	must(t, os.MkdirAll(dir, 0o755))
	file := filepath.Join(dir, "skills.toml")
	write(t, file, "0")
	pace := eventsOnly
	pace.sweep = 50 * time.Millisecond
	r := follow(t, file, pace, silent)
	r.await(t, "0")
	must(t, os.Rename(filepath.Join(outer, "a"), filepath.Join(outer, "old")))
	must(t, os.MkdirAll(dir, 0o755))
	write(t, file, "another")
	r.await(t, "another")
}

func TestADirectoryThatCannotBeWatchedIsWarnedOfOnceAndLookedInto(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "skills.toml")
	write(t, file, "0")
	var log testlog.Buffer
	r := &reader{file: file}
	w := &watcher{log: slog.New(slog.NewTextHandler(&log, nil)), pace: pace{sweep: time.Hour, blind: time.Millisecond}, look: r.look,
		dirs: map[string]os.FileInfo{}, told: map[string]bool{}}
	w.warn("", os.ErrPermission) // as run does without events
	for range 3 {
		w.update()
		if !w.wait(t.Context()) {
			t.Fatal("ended")
		}
	}
	w.warn("", os.ErrPermission)
	if r.count() != 3 || strings.Count(log.String(), "looked for every few seconds") != 1 {
		t.Errorf("looked %d times, logged %s", r.count(), log.String())
	}
}

func TestATrailNamesEveryLinkOnTheWay(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	must(t, os.MkdirAll(filepath.Join(dir, "real", "deep"), 0o755))
	write(t, filepath.Join(dir, "real", "deep", "file"), "")
	must(t, os.Symlink("real", filepath.Join(dir, "relative")))
	must(t, os.Symlink(filepath.Join(dir, "relative", "deep"), filepath.Join(dir, "absolute")))
	must(t, os.Symlink("../absolute/file", filepath.Join(dir, "real", "file")))
	must(t, os.Symlink("loop", filepath.Join(dir, "loop")))
	must(t, os.Symlink("nowhere", filepath.Join(dir, "dangling")))
	for path, want := range map[string][]string{
		"real/deep/file":     {"real/deep/file"},
		"relative/deep/file": {"relative", "real/deep/file"},
		"relative/file":      {"relative", "real/file", "absolute", "relative", "real/deep/file"},
		"dangling":           {"dangling", "nowhere"},
		"missing/file":       {"missing"},
	} {
		var got []string
		for _, mark := range trail(filepath.Join(dir, path)) {
			relative, err := filepath.Rel(dir, mark)
			must(t, err)
			got = append(got, relative)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", path, got, want)
		}
	}
	if got := trail(filepath.Join(dir, "loop")); len(got) != maxLinks+1 {
		t.Errorf("a loop: %d", len(got))
	}
	if got := trail("/"); len(got) != 0 {
		t.Errorf("the root: %v", got)
	}
}
