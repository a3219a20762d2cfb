package workdir

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Limits bound what is looked at.
type Limits struct {
	Entries int           // names in all directories together
	Depth   int           // directories in each other
	Time    time.Duration // for one look
}

// DefaultLimits are those of calls. So many entries are looked at in some 8 ms (go test -bench Look), on a busy machine in 40,
// which a call pays twice, and take some three megabytes while it runs.
func DefaultLimits() Limits { return Limits{Entries: 5000, Depth: 16, Time: 2 * time.Second} }

// snapshot is what a directory had in it at some time.
type snapshot struct {
	files map[string]Stamp
	seen  map[string]bool // directories: whether all of what is in them was looked at
}

// look looks at everything below a directory, the nearest first, as far as the limits allow.
func look(ctx context.Context, root *os.Root, limits Limits) *snapshot {
	ctx, cancel := context.WithTimeout(ctx, limits.Time)
	defer cancel()
	s := &snapshot{files: map[string]Stamp{}, seen: map[string]bool{".": false}}
	room := limits.Entries
	level := []string{"."}
	for depth := 0; len(level) > 0 && depth <= limits.Depth; depth++ {
		var below []string
		for _, directory := range level {
			if room <= 0 || ctx.Err() != nil {
				return s
			}
			entries, err := s.read(ctx, root, directory, &room)
			if err != nil {
				continue
			}
			for _, entry := range entries {
				s.enter(path.Join(directory, entry.Name()), entry, &below)
			}
			s.seen[directory] = true
		}
		slices.Sort(below) // the same directory is looked at in the same order, before and after
		level = below
	}
	return s
}

func (s *snapshot) enter(name string, entry fs.DirEntry, below *[]string) {
	switch {
	case entry.IsDir():
		s.seen[name] = false
		*below = append(*below, name)
	case entry.Type().IsRegular():
		// The standard library asks relative to the open directory, so that a swapped parent leads nowhere.
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			s.files[name] = StampOf(info)
		}
	}
}

// errTooMany says that a directory has more in it than there is room for.
var errTooMany = errors.New("too many entries")

// read returns what is in one directory, all of it or nothing.
func (s *snapshot) read(ctx context.Context, root *os.Root, directory string, room *int) ([]fs.DirEntry, error) {
	opened, err := root.OpenFile(directory, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	var all []fs.DirEntry
	for {
		entries, err := opened.ReadDir(512)
		*room -= len(entries)
		all = append(all, entries...)
		switch {
		case errors.Is(err, io.EOF):
			return slices.DeleteFunc(all, func(entry fs.DirEntry) bool { return strings.HasPrefix(entry.Name(), ".") }), nil
		case err != nil:
			return nil, err
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case *room <= 0:
			return nil, errTooMany
		}
	}
}

// partial reports whether there is something that was not looked at.
func (s *snapshot) partial() bool {
	for _, whole := range s.seen {
		if !whole {
			return true
		}
	}
	return false
}

// knew reports whether a file of a directory would have been seen if it had been there.
func (s *snapshot) knew(directory string) bool {
	whole, seen := s.seen[directory]
	if seen || directory == "." {
		return whole
	}
	return s.knew(path.Dir(directory)) // which had no such directory
}

// since returns the files that are new or other than they were before.
func (s *snapshot) since(before *snapshot) []string {
	var changed []string
	for name, stamp := range s.files {
		old, was := before.files[name]
		if was && !old.Same(stamp) || !was && before.knew(path.Dir(name)) {
			changed = append(changed, name)
		}
	}
	slices.Sort(changed)
	return changed
}
