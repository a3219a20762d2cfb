//go:build linux

package policy

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAPathWithASymlinkIsNotPinned(t *testing.T) {
	dir := t.TempDir()
	real := filepath.Join(dir, "real", "data")
	if err := os.MkdirAll(real, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "real"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	pinned, err := pin(real)
	if err != nil {
		t.Fatal(err)
	}
	if seen, err := os.Stat(real); err != nil || !os.SameFile(pinned, seen) {
		t.Errorf("another file than the one that is there: %v", err)
	}
	for _, path := range []string{filepath.Join(dir, "link", "data"), filepath.Join(dir, "missing")} {
		if _, err := pin(path); err == nil {
			t.Errorf("%s is pinned", path)
		}
	}
}
