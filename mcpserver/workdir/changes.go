package workdir

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
)

// ErrNotRegular says that what goes by a name is no regular file.
var ErrNotRegular = errors.New("is no regular file")

// Wanted is what is asked about a call.
type Wanted struct {
	Named []string // files that the call is to make, relative to the directory
	Find  bool     // look for others, too
}

// Changes are what a call has done to its directory.
type Changes struct {
	Made      []string // of those that were named, new or changed
	Untouched []string // of those that were named, as they were before
	Missing   []string // of those that were named, not there
	Found     []string // others, new or changed, in the order of their names
	Partial   bool     // the limits did not let everything be looked at
	Shared    bool     // others have been found that may be another call's; they are not named
	Unread    error    // the directory cannot be looked at; nothing is known then

	stamps map[string]Stamp // of what was made or found
}

// Is reports whether a file is still what the call has left under the name.
func (c Changes) Is(name string, info fs.FileInfo) bool {
	stamp, known := c.stamps[name]
	return known && stamp.Same(StampOf(info))
}

// Watch is a look at a directory before a call.
type Watch struct {
	directory string
	wanted    Wanted
	limits    Limits
	visit     *visit
	named     map[string]Stamp
	all       *snapshot
	unread    error
}

// look fills in what is there.
func (w *Watch) look(ctx context.Context) {
	root, err := os.OpenRoot(w.directory)
	if err != nil {
		w.unread = err
		return
	}
	defer root.Close()
	w.named = map[string]Stamp{}
	for _, name := range w.wanted.Named {
		if info, err := stat(root, name); err == nil {
			w.named[name] = StampOf(info)
		}
	}
	if w.wanted.Find {
		w.all = look(ctx, root, w.limits)
	}
}

// End looks again, after the call. A nil watch has nothing to tell.
func (w *Watch) End(ctx context.Context) Changes {
	if w == nil {
		return Changes{}
	}
	defer w.visit.leave()
	if w.unread != nil || len(w.wanted.Named) == 0 && !w.wanted.Find {
		return Changes{Unread: w.unread}
	}
	root, err := os.OpenRoot(w.directory)
	if err != nil {
		return Changes{Unread: err}
	}
	defer root.Close()
	changes := Changes{stamps: map[string]Stamp{}}
	for _, name := range w.wanted.Named {
		w.sort(root, name, &changes)
	}
	if w.wanted.Find {
		w.find(look(ctx, root, w.limits), &changes)
	}
	return changes
}

// stat looks at what a name leads to inside the directory, else at what has the name.
func stat(root *os.Root, name string) (fs.FileInfo, error) {
	if info, err := root.Stat(name); err == nil {
		return info, nil
	}
	return root.Lstat(name)
}

// sort says what became of a file that was named.
func (w *Watch) sort(root *os.Root, name string, changes *Changes) {
	info, err := stat(root, name)
	old, was := w.named[name]
	switch {
	case errors.Is(err, fs.ErrNotExist):
		changes.Missing = append(changes.Missing, name)
	case err == nil && was && old.Same(StampOf(info)):
		changes.Untouched = append(changes.Untouched, name)
	default:
		changes.Made = append(changes.Made, name) // whoever opens it sees what else is wrong with it
		if err == nil {
			changes.stamps[name] = StampOf(info)
		}
	}
}

// find says which others have changed.
func (w *Watch) find(after *snapshot, changes *Changes) {
	changes.Partial = w.all.partial() || after.partial()
	found := slices.DeleteFunc(after.since(w.all), func(name string) bool { return slices.Contains(w.wanted.Named, name) })
	if changes.Shared = len(found) > 0 && w.visit.shared(); !changes.Shared {
		changes.Found = found
		for _, name := range found {
			changes.stamps[name] = after.files[name]
		}
	}
}
