package policy

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// canonical returns the path without symlinks, "." and "..". Where the end of it does not exist, the part that does is
// canonical and the rest is kept; a symlink to something that does not exist counts as where it leads.
func canonical(path string) string {
	const links = 40 // as many as the kernel follows, path_resolution(7)
	return follow(filepath.Clean(path), links)
}

func follow(path string, links int) string {
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		return resolved
	}
	if target, err := os.Readlink(path); err == nil && links > 0 {
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		return follow(filepath.Clean(target), links-1)
	}
	parent := filepath.Dir(path)
	if parent == path {
		return path
	}
	return filepath.Join(follow(parent, links), filepath.Base(path))
}

// engineSockets are where engines listen: whoever can write to one of them is root on the host.
var engineSockets = []string{
	"/run/docker.sock", "/var/run/docker.sock", "/run/docker", "/var/lib/docker", "/run/containerd", "/var/lib/containerd",
	"/run/podman", "/run/crio", "/run/cri-dockerd.sock", "/run/k3s", "/run/buildkit", "/run/user",
}

// homeSecrets are what a home directory holds that no tool is meant to see, engines' sockets among it.
var homeSecrets = []string{
	".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".colima", ".rd", ".lima", ".netrc", ".git-credentials",
	".config/gcloud", ".config/gh", ".password-store", ".local/share/keyrings", ".mozilla", ".config/google-chrome",
}

// kernelPaths are interfaces of the kernel, what starts it, and where the host's services listen.
var kernelPaths = []string{"/proc", "/sys", "/dev", "/boot", "/run", "/var/run"}

// systemPaths are what the host itself runs from: who can write there can have the host run a program.
var systemPaths = []string{"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/usr", "/etc", "/var/lib", "/var/spool"}

// noWorkdir are directories that nobody means when tools are to work on files: with everything below them, or themselves.
var (
	noWorkdirTrees = []string{"/bin", "/sbin", "/lib", "/lib64", "/etc", "/boot", "/proc", "/sys", "/dev", "/run", "/usr/bin", "/usr/sbin", "/usr/lib"}
	noWorkdir      = []string{"/", "/home", "/root", "/usr", "/usr/local", "/var", "/opt", "/srv", "/mnt", "/media", "/Users", "/System", "/Library", "/Applications"}
)

// guarded are the paths that hold for one policy, put together once.
type guarded struct {
	sockets   []string // of engines
	sensitive []string // of the kernel, and what homes hold
	noWorkdir []string
}

func guard(options Options) guarded {
	return guarded{
		sockets:   slices.Concat(engineSockets, options.EngineSockets),
		sensitive: slices.Concat(kernelPaths, inHomes(options.Homes, homeSecrets)),
		noWorkdir: slices.Concat(noWorkdir, options.Homes),
	}
}

// inHomes makes paths of home directories absolute.
func inHomes(homes, names []string) []string {
	var paths []string
	for _, home := range homes {
		for _, name := range names {
			paths = append(paths, filepath.Join(home, filepath.FromSlash(name)))
		}
	}
	return paths
}

// quoted is a path in a message.
func quoted(path string) string { return `"` + strings.ToValidUTF8(path, "?") + `"` }
