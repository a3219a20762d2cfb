package workdir

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// write writes a file with a time of modification of its own, so that a quick test is no quick change.
func write(t *testing.T, directory, name, text string) {
	t.Helper()
	path := filepath.Join(directory, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, expected %q", what, got, want)
	}
}

func TestWhatIsNewOrOtherThanBeforeIsFoundAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"same", "grown", "rewritten", "replaced", "moved", "gone", "sub/same", "named", "named-same"} {
		write(t, dir, name, "old")
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "rewritten"), old, old); err != nil {
		t.Fatal(err)
	}
	watch := new(Traffic).Begin(t.Context(), dir, Wanted{Named: []string{"named", "named-same", "named-missing"}, Find: true})
	write(t, dir, "grown", "older")
	write(t, dir, "rewritten", "new")
	write(t, dir, "other", "old")
	info, err := os.Stat(filepath.Join(dir, "replaced"))
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		os.Chtimes(filepath.Join(dir, "other"), info.ModTime(), info.ModTime()), // another inode with the same size and time
		os.Rename(filepath.Join(dir, "other"), filepath.Join(dir, "replaced")),
		os.Rename(filepath.Join(dir, "moved"), filepath.Join(dir, "here")),
		os.Remove(filepath.Join(dir, "gone")),
		os.Chmod(filepath.Join(dir, "same"), 0o600),
		os.Symlink("/etc/passwd", filepath.Join(dir, "symlink")),
		syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir, "made/below/new", "new")
	write(t, dir, ".cache/hidden", "new")
	write(t, dir, "named", "new and longer")
	changes := watch.End(t.Context())
	expect(t, "found", changes.Found, "grown", "here", "made/below/new", "replaced", "rewritten")
	expect(t, "made", changes.Made, "named")
	expect(t, "untouched", changes.Untouched, "named-same")
	expect(t, "missing", changes.Missing, "named-missing")
	if changes.Partial || changes.Shared || changes.Unread != nil {
		t.Errorf("got %+v", changes)
	}
	for _, name := range []string{"named", "grown", "same"} { // the last of which the call has nothing to do with
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || changes.Is(name, info) != (name != "same") {
			t.Errorf("%s is what the call has left: %t, %v", name, name == "same", err)
		}
	}
	write(t, dir, "grown", "changed again")
	if info, err := os.Stat(filepath.Join(dir, "grown")); err != nil || changes.Is("grown", info) {
		t.Errorf("what has changed again is taken for the call's: %v", err)
	}
}

func TestOnlyWhatIsNamedIsLookedAtWhereNothingIsToBeFound(t *testing.T) {
	dir := t.TempDir()
	watch := new(Traffic).Begin(t.Context(), dir, Wanted{Named: []string{"a"}})
	write(t, dir, "a", "")
	write(t, dir, "b", "")
	changes := watch.End(t.Context())
	expect(t, "made", changes.Made, "a")
	expect(t, "found", changes.Found)
}

// A huge directory costs no more than the limits, and what lies within them is still told rightly: a file is called new only
// where it would have been seen before.
func TestBeyondTheLimitsNothingIsReported(t *testing.T) {
	for name, test := range map[string]struct {
		limits Limits
		found  []string
	}{
		"none":    {Limits{Entries: 10_000, Depth: 16, Time: time.Minute}, []string{"a/b/c/new", "a/new", "big/new", "new"}},
		"depth":   {Limits{Entries: 10_000, Depth: 1, Time: time.Minute}, []string{"a/new", "big/new", "new"}},
		"entries": {Limits{Entries: 100, Depth: 16, Time: time.Minute}, []string{"a/new", "new"}},
		"time":    {Limits{Entries: 10_000, Depth: 16}, nil},
	} {
		dir := t.TempDir()
		for i := range 200 {
			write(t, dir, fmt.Sprintf("big/%d", i), "")
		}
		write(t, dir, "a/b/c/old", "")
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		before := look(t.Context(), root, test.limits)
		for _, made := range []string{"new", "a/new", "a/b/c/new", "big/new"} {
			write(t, dir, made, "")
		}
		after := look(t.Context(), root, test.limits)
		expect(t, name, after.since(before), test.found...)
		if whole := name == "none"; after.partial() == whole {
			t.Errorf("%s: partial is %t", name, after.partial())
		}
		if len(after.files) > test.limits.Entries {
			t.Errorf("%s: %d files are held", name, len(after.files))
		}
	}
}

func TestAFileIsNotCalledNewWhereNobodyLookedBefore(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a/b/old", "")
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	shallow, deep := DefaultLimits(), DefaultLimits()
	shallow.Depth = 1
	expect(t, "found", look(t.Context(), root, deep).since(look(t.Context(), root, shallow)))
}

func TestACallThatIsCancelledLooksNoFurther(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a", "")
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s := look(ctx, root, DefaultLimits()); len(s.files) > 0 || !s.partial() {
		t.Errorf("got %+v", s)
	}
}

func TestOfCallsBesideEachOtherNoneIsGivenTheOthersFiles(t *testing.T) {
	dir := t.TempDir()
	traffic := new(Traffic)
	find := Wanted{Find: true, Named: []string{"mine"}}
	first := traffic.Begin(t.Context(), dir, find)
	second := traffic.Begin(t.Context(), dir, Wanted{})
	write(t, dir, "whose", "")
	write(t, dir, "mine", "")
	second.End(t.Context())
	changes := first.End(t.Context())
	if expect(t, "found", changes.Found); !changes.Shared {
		t.Error("nothing is said of it")
	}
	expect(t, "made", changes.Made, "mine")
	alone := traffic.Begin(t.Context(), dir, find)
	write(t, dir, "new", "")
	changes = alone.End(t.Context())
	if expect(t, "found alone", changes.Found, "new"); changes.Shared || len(traffic.visits) > 0 {
		t.Errorf("got %+v and %d visits", changes, len(traffic.visits))
	}
}

func TestADirectoryThatIsGoneIsSaidToBe(t *testing.T) {
	dir := t.TempDir()
	watch := new(Traffic).Begin(t.Context(), dir, Wanted{Find: true})
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if changes := watch.End(t.Context()); changes.Unread == nil {
		t.Errorf("got %+v", changes)
	}
	if changes := new(Traffic).Begin(t.Context(), dir, Wanted{Find: true}).End(t.Context()); changes.Unread == nil {
		t.Errorf("got %+v", changes)
	}
	var none *Watch
	if changes := none.End(t.Context()); changes.Unread != nil {
		t.Errorf("got %+v", changes)
	}
}

// BenchmarkLook is what a call pays, twice, where files are to be found.
func BenchmarkLook(b *testing.B) {
	dir := b.TempDir()
	for i := range DefaultLimits().Entries - 200 {
		path := filepath.Join(dir, fmt.Sprint(i/100), fmt.Sprint(i))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer root.Close()
	b.ReportAllocs()
	for b.Loop() {
		look(b.Context(), root, DefaultLimits())
	}
}
