package skills

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

// pathFormat is skillet's own JSON Schema format: a path below the working directory.
const pathFormat = "path"

// workdirTarget returns where the volumes mount the working directory itself, "" when they do not, and whether it can only
// be read there.
func workdirTarget(inv Invocation) (target string, readOnly bool) {
	for _, volume := range inv.Volumes {
		source, rest, ok := strings.Cut(volume, ":")
		if !ok || inv.Workdir == "" {
			continue
		}
		if strings.HasPrefix(source, ".") {
			source = filepath.Join(inv.Workdir, source)
		}
		if isWorkdir(source, inv.Workdir) {
			target, options, _ := strings.Cut(rest, ":")
			return path.Clean(target), slices.Contains(strings.Split(options, ","), "ro")
		}
	}
	return "", false
}

// isWorkdir reports whether a source is the working directory, which is canonical, by another name perhaps: a shell's
// PWD keeps the symlinks that it came through.
func isWorkdir(source, workdir string) bool {
	if filepath.Clean(source) == workdir {
		return true
	}
	canonical, err := filepath.EvalSymlinks(source)
	return err == nil && filepath.IsAbs(source) && canonical == workdir
}

// pathResolver checks the paths of one call and translates them into the container's.
type pathResolver struct {
	skill *Skill
	root  *os.Root // the working directory, opened for the first path
	errs  ArgErrors
}

func (r *pathResolver) close() {
	if r.root != nil {
		r.root.Close()
	}
}

// resolve goes through a value along its schema and replaces the paths in it. The result shares nothing with value.
func (r *pathResolver) resolve(p *parameter, at string, schema map[string]any, value any) any {
	switch value := value.(type) {
	case string:
		if schema["format"] == pathFormat {
			return r.argument(at, value, p.creates)
		}
	case []any:
		if items, ok := schema["items"].(map[string]any); ok {
			out := slices.Clone(value)
			others, _ := schema["prefixItems"].([]any) // of which items says nothing
			for i := len(others); i < len(value); i++ {
				out[i] = r.resolve(p, fmt.Sprintf("%s[%d]", at, i), items, value[i])
			}
			return out
		}
	case map[string]any:
		if properties, ok := schema["properties"].(map[string]any); ok {
			out := make(map[string]any, len(value))
			for name, item := range value {
				out[name] = item
				if property, ok := properties[name].(map[string]any); ok {
					out[name] = r.resolve(p, join(at, name), property, item)
				}
			}
			return out
		}
	}
	return value
}

// argument checks a path and returns it as the program in the container has to write it.
func (r *pathResolver) argument(at, value string, creates bool) string {
	if reason := r.check(value, creates); reason != "" {
		r.errs = append(r.errs, &ArgError{Param: at, Reason: reason})
		return ""
	}
	return r.skill.inContainer(path.Clean(value))
}

// output checks the path of a file that the call is to make, and returns it below the working directory.
func (r *pathResolver) output(at, value string) (string, bool) {
	reason := r.check(value, true)
	if reason == "" {
		if info, err := r.root.Stat(path.Clean(value)); err == nil && info.IsDir() {
			reason = "is a directory, expected a file to be made"
		}
	}
	if reason != "" {
		r.errs = append(r.errs, &ArgError{Param: at, Reason: reason})
		return "", false
	}
	return path.Clean(value), true
}

// check says what is wrong with a path, "" when nothing is. The working directory is a capability here (openat(2) with
// every symlink followed inside it only), so that what is seen cannot be swapped for something outside while it is
// looked at. What a program in a container sees afterwards is bounded by its mounts in any case.
func (r *pathResolver) check(value string, creates bool) string {
	if reason := outside(value); reason != "" {
		return reason
	}
	if err := r.open(); err != nil {
		return "cannot be looked up: the working directory cannot be opened"
	}
	name := path.Clean(value)
	info, err := r.root.Stat(name)
	switch {
	case err == nil && !info.Mode().IsRegular() && !info.IsDir():
		return "is neither a file nor a directory"
	case err == nil && !info.IsDir() && name != value && strings.HasSuffix(value, "/"):
		return "is a file, and with a slash behind it would be a directory"
	case err == nil:
		return ""
	case !errors.Is(err, fs.ErrNotExist):
		return refusal(err)
	case !creates:
		return "does not exist in the working directory"
	}
	return r.checkNew(name)
}

// outside says what is wrong with the text of a path, whatever the file system has, "" when nothing is.
func outside(value string) string {
	switch {
	case value == "":
		return "is empty, expected " + pathInWords
	case strings.ContainsRune(value, 0):
		return "has a NUL character, which no path can hold"
	case path.IsAbs(value):
		return "is an absolute path, expected " + pathInWords
	case slices.Contains(strings.Split(value, "/"), ".."):
		return `has ".." in it, expected ` + pathInWords
	}
	return ""
}

// checkNew says what is wrong with a path that does not exist yet.
func (r *pathResolver) checkNew(name string) string {
	if info, err := r.root.Lstat(name); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return "is a symlink to something that does not exist"
	}
	switch _, err := r.root.Stat(path.Dir(name)); {
	case errors.Is(err, fs.ErrNotExist):
		return "lies in a directory that does not exist in the working directory"
	case err != nil:
		return refusal(err)
	}
	return ""
}

func refusal(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "may not be looked at: permission denied"
	case errors.Is(err, syscall.ENOTDIR):
		return "lies in something that is no directory"
	case strings.Contains(err.Error(), "escapes"): // os.Root has no other way to tell
		return "leads out of the working directory through a symlink"
	}
	return "cannot be looked up in the working directory"
}

func (r *pathResolver) open() (err error) {
	if r.root == nil {
		r.root, err = os.OpenRoot(r.skill.prototype.Workdir)
	}
	return err
}

// plainPath is what no program takes for an option, a protocol or a list of files.
var plainPath = regexp.MustCompile(`^[A-Za-z0-9_.][A-Za-z0-9_./ -]*$`)

// inContainer translates a path below the working directory into one that a program finds in its container: relative
// where the program starts in the working directory, absolute otherwise. A name like "-x" or "concat:a" gets a "./",
// lest a program reads more than a file's name in it.
func (s *Skill) inContainer(relative string) string {
	if path.Clean(s.prototype.WorkingDir) != s.mountTarget {
		return path.Join(s.mountTarget, relative)
	}
	if !plainPath.MatchString(relative) {
		return "./" + relative
	}
	return relative
}
