package policy

import (
	"os"
	"path/filepath"
	"testing"
)

// crooked makes a directory in which one thing has several names, and returns paths of it: what is there, what is not,
// and what lies behind symlinks of every kind.
func crooked(t *testing.T) []string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a/b/c", "d"} {
		must(os.MkdirAll(filepath.Join(dir, name), 0o755))
	}
	must(os.WriteFile(filepath.Join(dir, "a/file"), nil, 0o644))
	must(os.Link(filepath.Join(dir, "a/file"), filepath.Join(dir, "d/second")))
	for name, target := range map[string]string{
		"absolute": filepath.Join(dir, "a"), "relative": "a/b", "a/up": "../d", "d/chain": "../absolute/b",
		"a/b/around": "../../a", "dangling": "nothing/there", "d/dangling": "../dangling/below", "cycle": "cycle2", "cycle2": "cycle",
		"toFile": "a/file", "root": "/", "d/self": ".", "a/b/c/out": "../../../..",
	} {
		must(os.Symlink(target, filepath.Join(dir, name)))
	}
	paths := []string{dir, filepath.Dir(dir), "/", ".", "..", "", "relative/to/nothing", "look.go", "/dev/null", "/proc/self/root", "/proc/self/cwd", "/proc/self/exe/x"}
	for _, name := range []string{
		"a", "a/", "a/b", "a/b/../b/c", "a/b/c/none", "d", "a/file", "d/second", "a/file/below", "absolute", "absolute/b/c", "absolute/none",
		"relative", "relative/c", "a/up", "a/up/second", "d/chain", "d/chain/around/b", "dangling", "dangling/x", "d/dangling", "nothing",
		"nothing/there", "nothing/there/below", "cycle", "cycle/x", "toFile", "toFile/x", "root", "d/self/self/chain/c", "a/b/c/out", "a/b/around/up",
		"A", "none/none", "./d//second",
	} {
		paths = append(paths, dir+"/"+name)
	}
	return append(paths, "/root"+dir, filepath.Join("/proc/self/root", dir, "a"), filepath.Join(dir, "root", dir, "a/b"))
}

func TestALookDecidesAsTheFileSystemDoesWhenItIsAskedAboutEachPair(t *testing.T) {
	paths := crooked(t)
	l := newLook()
	var below, overlaps int
	for _, path := range paths {
		if got, want := l.canonical(path), canonical(path); got != want {
			t.Errorf("the canonical form of %q is %q, expected %q", path, got, want)
		}
		for _, other := range paths {
			got, want := l.below(path, other), belowByAsking(path, other)
			if got != want {
				t.Errorf("%q lies in %q: %t, expected %t", path, other, got, want)
			}
			if got != newLook().below(path, other) {
				t.Errorf("%q lies in %q: another answer for a fresh look", path, other)
			}
			if want && path != other {
				below++
			}
			got, want = l.overlaps(path, other), overlapsByAsking(path, other)
			if got != want {
				t.Errorf("%q overlaps %q: %t, expected %t", path, other, got, want)
			}
			if want {
				overlaps++
			}
		}
	}
	if all := len(paths) * len(paths); below < all/20 || overlaps < all/10 || overlaps > all-all/10 {
		t.Errorf("of %d pairs %d lie in each other and %d overlap: the test says little", all, below, overlaps)
	}
}

// belowByAsking is the definition, without a look: every pair of names is compared, and the kernel is asked each time.
func belowByAsking(path, base string) bool {
	path, base = filepath.Clean(path), filepath.Clean(base)
	if rel, err := filepath.Rel(base, path); err == nil && (rel == "." || filepath.IsLocal(rel)) {
		return true
	}
	baseInfo, err := os.Stat(base)
	if err != nil {
		return false
	}
	for {
		if info, err := os.Stat(path); err == nil && os.SameFile(info, baseInfo) {
			return true
		}
		parent := filepath.Dir(path)
		if parent == path {
			return false
		}
		path = parent
	}
}

func overlapsByAsking(path, blocked string) bool {
	for _, name := range []string{filepath.Clean(blocked), canonical(blocked)} {
		if belowByAsking(path, name) || belowByAsking(name, path) {
			return true
		}
	}
	return false
}
