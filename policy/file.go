package policy

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"skillet/skills"
	"skillet/skills/tomldoc"
)

// Parse reads the text of a policy file: a level, and single rules that replace the level's. No text at all is the
// default policy. The error is [tomldoc.Errors] with every mistake of the file.
func Parse(file string, data []byte, options Options) (*Policy, error) {
	doc, err := tomldoc.Parse(file, data)
	if err != nil {
		return nil, err
	}
	if options.Lookup == nil {
		options.Lookup = func(string) (string, bool) { return "", false }
	}
	p := &Policy{level: Baseline, options: options, guarded: guard(options)}
	root := doc.Root()
	if word, ok := root.String("level"); ok {
		p.level = Level(word)
	}
	var known bool
	if p.rules, known = rulesOf(p.level); !known {
		root.Fail("level", fmt.Sprintf("%q is no level", p.level), `the levels are "privileged", "baseline" and "restricted"`)
	}
	readRules(root, &p.rules)
	root.Done()
	if err := doc.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

func readRules(root tomldoc.Table, r *rules) {
	switches := map[string]*bool{
		"block_privileged":        &r.blockPrivileged,
		"block_docker_sock":       &r.blockDockerSock,
		"block_host_network":      &r.blockHostNetwork,
		"block_host_namespaces":   &r.blockHostNamespaces,
		"block_unconfined":        &r.blockUnconfined,
		"block_sensitive_mounts":  &r.blockSensitiveMounts,
		"block_shared_mounts":     &r.blockSharedMounts,
		"block_swap":              &r.blockSwap,
		"block_gpus":              &r.blockGPUs,
		"block_builds":            &r.blockBuilds,
		"block_kept_containers":   &r.blockKeptContainers,
		"block_sessions":          &r.blockSessions,
		"require_resource_limits": &r.requireResourceLimits,
		"require_image_digest":    &r.requireImageDigest,
		"require_non_root":        &r.requireNonRoot,
		"require_read_only":       &r.requireReadOnly,
	}
	for key, into := range switches {
		if value, ok := root.Bool(key); ok {
			*into = value
		}
	}
	lists := map[string]*[]string{
		"blocked_mount_paths":  &r.blockedMountPaths,
		"allowed_mount_roots":  &r.allowedMountRoots,
		"allowed_networks":     &r.allowedNetworks,
		"allowed_capabilities": &r.allowedCapabilities,
		"allowed_devices":      &r.allowedDevices,
		"allowed_images":       &r.allowedImages,
	}
	for key, into := range lists {
		if value, ok := root.Strings(key); ok {
			*into = value
		}
	}
	for i, name := range r.allowedCapabilities {
		r.allowedCapabilities = slices.Clone(r.allowedCapabilities)
		r.allowedCapabilities[i] = capability(name)
	}
	absolute(root, "blocked_mount_paths", r.blockedMountPaths)
	absolute(root, "allowed_mount_roots", r.allowedMountRoots)
	readMaxima(root, r)
}

// absolute refuses relative paths in a list: relative to what would be anybody's guess.
func absolute(root tomldoc.Table, key string, paths []string) {
	for _, path := range paths {
		switch {
		case path == "*" && key == "allowed_mount_roots":
		case !filepath.IsAbs(path):
			root.Fail(key, fmt.Sprintf("%q is no absolute path", path), "")
		case strings.Contains(path, "*"):
			root.Fail(key, fmt.Sprintf("%q has a *", path), "a directory stands for all that is in it")
		}
	}
}

func readMaxima(root tomldoc.Table, r *rules) {
	if text, ok := root.String("max_memory"); ok {
		size, err := skills.ParseSize(text)
		if err == nil && size == 0 {
			err = errors.New("has to be more than 0")
		}
		if err != nil {
			root.Fail("max_memory", err.Error(), `write it like "512m" or "2g"`)
		}
		r.maxMemory = size
	}
	if text, ok := root.String("max_cpus"); ok {
		nano, err := skills.ParseCPUs(text)
		if err != nil {
			root.Fail("max_cpus", err.Error(), "")
		}
		r.maxNanoCPUs = nano
	}
	if count, ok := root.Int("max_pids"); ok {
		if count <= 0 {
			root.Fail("max_pids", "has to be more than 0", "")
		}
		r.maxPids = count
	}
}
