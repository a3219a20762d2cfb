package watch

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// pace says how soon and how often the caller is asked to look.
type pace struct {
	quiet  time.Duration // after the last event: a change is often several
	within time.Duration // of the first one, at the latest
	sweep  time.Duration // without any event
	blind  time.Duration // where events cannot be had
}

var usual = pace{quiet: 100 * time.Millisecond, within: time.Second, sweep: 10 * time.Second, blind: 2 * time.Second}

// Run calls look at once, and whenever one of the files that it last returned may have changed, until ctx ends. Where the
// system gives no events, the log says so, and look is called every two seconds.
func Run(ctx context.Context, log *slog.Logger, look func() []string) { run(ctx, log, usual, look) }

func run(ctx context.Context, log *slog.Logger, pace pace, look func() []string) {
	w := &watcher{log: log, pace: pace, look: look, dirs: map[string]os.FileInfo{}, told: map[string]bool{}}
	if events, err := fsnotify.NewWatcher(); err != nil {
		w.warn("", err)
	} else {
		defer events.Close()
		w.events, w.happened, w.failed = events, events.Events, events.Errors
	}
	for {
		w.update()
		if !w.wait(ctx) {
			return
		}
	}
}

// watcher is one Run.
type watcher struct {
	log  *slog.Logger
	pace pace
	look func() []string

	events   *fsnotify.Watcher // nil where the system has none
	happened chan fsnotify.Event
	failed   chan error

	marks map[string]bool        // paths whose change matters
	dirs  map[string]os.FileInfo // that are watched, as they were then
	blind bool                   // some of what should be watched is not
	told  map[string]bool        // what was warned of already
}

// update lets the caller look, and watches what it says. What is watched for the first time may have changed just before
// that, so that it is looked at once more.
func (w *watcher) update() {
	const enough = 5 // where something changes all the time, an event will tell
	for range enough {
		if !w.follow(w.look()) {
			return
		}
	}
}

// follow watches files and nothing else. It reports whether there was something new to watch.
func (w *watcher) follow(files []string) bool {
	w.marks, w.blind = map[string]bool{}, w.events == nil
	wanted := map[string]bool{}
	for _, file := range files {
		for _, mark := range trail(file) {
			w.marks[mark] = true
			wanted[filepath.Dir(mark)] = true
		}
	}
	if w.events == nil {
		return false
	}
	for dir, before := range w.dirs {
		// Another directory may have the name now.
		if now, err := os.Stat(dir); !wanted[dir] || err != nil || !os.SameFile(before, now) {
			_ = w.events.Remove(dir) // it is not there when the directory is gone
			delete(w.dirs, dir)
		}
	}
	added := false
	for dir := range wanted {
		if w.dirs[dir] != nil {
			continue
		}
		info, err := os.Stat(dir)
		if err == nil {
			err = w.events.Add(dir)
		}
		if err != nil {
			w.blind = true
			w.warn(dir, err)
			continue
		}
		w.dirs[dir] = info
		added = true
	}
	return added
}

// wait returns when it is time to look again, false when ctx has ended.
func (w *watcher) wait(ctx context.Context) bool {
	patience := w.pace.sweep
	if w.blind {
		patience = w.pace.blind
	}
	sweep := time.NewTimer(patience)
	defer sweep.Stop()
	var quiet, latest <-chan time.Time // of what has happened
	for {
		select {
		case event := <-w.happened:
			if !w.matters(event) {
				continue
			}
			quiet = time.After(w.pace.quiet)
			if latest == nil {
				latest = time.After(w.pace.within)
			}
		case err := <-w.failed: // events were lost
			w.log.Debug("watching files", "error", err)
			return true
		case <-quiet:
			return true
		case <-latest:
			return true
		case <-sweep.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
}

// matters tells whether an event is about a file, a link to it, or a watched directory as a whole.
func (w *watcher) matters(event fsnotify.Event) bool {
	path := filepath.Clean(event.Name)
	if w.dirs[path] != nil && (event.Has(fsnotify.Remove) || event.Has(fsnotify.Rename)) {
		_ = w.events.Remove(path) // what has this name from now on is another directory
		delete(w.dirs, path)
		return true
	}
	return w.marks[path]
}

func (w *watcher) warn(dir string, err error) {
	if !w.told[dir] {
		w.told[dir] = true
		w.log.Warn("changes are looked for every few seconds, since the system does not tell of them", "directory", dir, "error", err)
	}
}
