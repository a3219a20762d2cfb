package policy

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// look is the host's file system as one pass of the rules sees it. Rules compare every mount with every guarded path, by
// all directories above both; with a look, each of these paths is asked for once. What it has seen can change, so that
// no look outlives its pass. It belongs to one goroutine.
type look struct {
	places map[string]*place // by every name that was asked for
}

// place is one path of the host.
type place struct {
	name   string      // clean
	parent *place      // nil for a root
	info   os.FileInfo // what is there, with symlinks followed; nil for nothing
	link   bool        // a symlink, be it to nothing
	real   *place      // without symlinks; nil until it is asked for
}

func newLook() *look { return &look{places: map[string]*place{}} }

func (l *look) at(path string) *place {
	if known := l.places[path]; known != nil {
		return known
	}
	name := filepath.Clean(path)
	if name != path {
		known := l.at(name)
		l.places[path] = known
		return known
	}
	p := &place{name: name}
	l.places[name] = p
	if parent := filepath.Dir(name); parent != name {
		p.parent = l.at(parent)
	}
	info, err := os.Lstat(name)
	if err != nil {
		return p
	}
	p.link = info.Mode()&os.ModeSymlink != 0
	if p.link || info.Mode()&os.ModeIrregular != 0 { // the latter are Windows' other ways to lead elsewhere
		if info, err = os.Stat(name); err != nil {
			return p
		}
	}
	p.info = info
	return p
}

// real returns the place that a place is without symlinks, as [canonical] says.
func (l *look) real(p *place) *place {
	if p.real != nil {
		return p.real
	}
	switch {
	case p.link || runtime.GOOS == "windows": // where a canonical path is also spelled as the file system has it
		p.real = l.at(canonical(p.name))
	case p.parent == nil || l.real(p.parent) == p.parent:
		p.real = p
	default:
		p.real = l.at(filepath.Join(l.real(p.parent).name, filepath.Base(p.name)))
	}
	return p.real
}

// is reports whether two places are one. Beside the names, files are compared as the kernel does (device and inode): a
// bind mount, or another spelling on a file system without case, gives a directory a second name.
func (p *place) is(other *place) bool {
	return p == other || p.info != nil && other.info != nil && os.SameFile(p.info, other.info) ||
		runtime.GOOS == "windows" && strings.EqualFold(p.name, other.name)
}

// in reports whether a place is another one or lies in it.
func (p *place) in(base *place) bool {
	for ; p != nil; p = p.parent {
		if p.is(base) {
			return true
		}
	}
	return false
}

// canonical returns a path without symlinks, as the function of this name.
func (l *look) canonical(path string) string { return l.real(l.at(path)).name }

// below reports whether path is base or lies in it.
func (l *look) below(path, base string) bool { return l.at(path).in(l.at(base)) }

// overlaps reports whether one of two paths holds the other: mounting a parent gives what lies below it.
func (l *look) overlaps(path, blocked string) bool {
	p, b := l.at(path), l.at(blocked)
	if p.in(b) || b.in(p) {
		return true
	}
	real := l.real(b)
	return real != b && (p.in(real) || real.in(p))
}

// isSocket reports whether a path is a socket.
func (l *look) isSocket(path string) bool {
	info := l.at(path).info
	return info != nil && info.Mode()&os.ModeSocket != 0
}

func (l *look) exists(path string) bool { return l.at(path).info != nil }
