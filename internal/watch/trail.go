package watch

import (
	"os"
	"path/filepath"
	"strings"
)

// maxLinks is the kernel's own bound of symbolic links on one way.
const maxLinks = 40

// trail returns what the meaning of a path hangs on: each symbolic link on the way and, at the end, the file itself or the
// first part that does not exist. All are paths without a symbolic link in their directory.
func trail(path string) []string {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil
	}
	var marks []string
	at, rest := split(path)
	for len(rest) > 0 {
		next := filepath.Join(at, rest[0])
		info, err := os.Lstat(next)
		switch {
		case err == nil && info.Mode().Type() == os.ModeSymlink:
			marks = append(marks, next)
			target, err := os.Readlink(next)
			if err != nil || len(marks) > maxLinks {
				return marks
			}
			if !filepath.IsAbs(target) {
				target = filepath.Join(at, target)
			}
			root, parts := split(target)
			at, rest = root, append(parts, rest[1:]...)
			continue
		case err != nil || len(rest) == 1:
			return append(marks, next)
		}
		at, rest = next, rest[1:]
	}
	return marks
}

// split cuts an absolute path into its root and the names below it.
func split(path string) (root string, names []string) {
	path = filepath.Clean(path)
	root = filepath.VolumeName(path) + string(filepath.Separator)
	if path = strings.TrimPrefix(path, root); path == "" {
		return root, nil
	}
	return root, strings.Split(path, string(filepath.Separator))
}
