package policy

import "strings"

// Level is one of the words of Kubernetes' Pod Security Standards, with what they mean for a tool's container.
type Level string

// The levels, from the widest to the narrowest.
const (
	Privileged Level = "privileged" // no rule but those about form
	Baseline   Level = "baseline"   // no known way out of the container; the default
	Restricted Level = "restricted" // also non-root, read-only, by digest, no network, limits
)

// rules are the switches of a policy, each with the name that it has in the policy file. A list of names is a list of
// what is allowed; "*" at the end of an entry stands for any rest.
type rules struct {
	blockPrivileged       bool     // block_privileged
	blockDockerSock       bool     // block_docker_sock
	blockHostNetwork      bool     // block_host_network
	blockHostNamespaces   bool     // block_host_namespaces
	blockUnconfined       bool     // block_unconfined
	blockSensitiveMounts  bool     // block_sensitive_mounts
	blockSharedMounts     bool     // block_shared_mounts
	blockSwap             bool     // block_swap
	blockGPUs             bool     // block_gpus
	blockBuilds           bool     // block_builds
	blockKeptContainers   bool     // block_kept_containers
	blockSessions         bool     // block_sessions
	blockedMountPaths     []string // blocked_mount_paths
	allowedMountRoots     []string // allowed_mount_roots
	allowedNetworks       []string // allowed_networks
	allowedCapabilities   []string // allowed_capabilities
	allowedDevices        []string // allowed_devices
	allowedImages         []string // allowed_images
	requireResourceLimits bool     // require_resource_limits
	requireImageDigest    bool     // require_image_digest
	requireNonRoot        bool     // require_non_root
	requireReadOnly       bool     // require_read_only
	maxMemory             int64    // max_memory, bytes; 0 for none
	maxNanoCPUs           int64    // max_cpus; 0 for none
	maxPids               int64    // max_pids; 0 for none
}

var anything = []string{"*"}

// rulesOf returns what a level means, and whether there is such a level.
func rulesOf(level Level) (rules, bool) {
	switch level {
	case Privileged:
		return rules{
			allowedMountRoots: anything, allowedNetworks: anything, allowedCapabilities: anything,
			allowedDevices: anything, allowedImages: anything,
		}, true
	case Baseline:
		return baseline(), true
	case Restricted:
		r := baseline()
		r.allowedMountRoots = nil
		r.allowedNetworks = nil
		r.blockGPUs = true
		r.blockBuilds = true
		r.blockSessions = true
		r.requireResourceLimits = true
		r.requireImageDigest = true
		r.requireNonRoot = true
		r.requireReadOnly = true
		return r, true
	}
	return rules{}, false
}

func baseline() rules {
	return rules{
		blockPrivileged: true, blockDockerSock: true, blockHostNetwork: true, blockHostNamespaces: true,
		blockUnconfined: true, blockSensitiveMounts: true, blockSharedMounts: true, blockSwap: true,
		blockKeptContainers: true,
		blockedMountPaths:   []string{"/etc/passwd", "/etc/shadow", "/var/run/docker.sock", "/root"},
		allowedMountRoots:   anything, allowedNetworks: anything, allowedImages: anything,
	}
}

// allows reports whether a list of what is allowed has the value.
func allows(list []string, value string) bool {
	for _, entry := range list {
		if prefix, wild := strings.CutSuffix(entry, "*"); value == entry || wild && strings.HasPrefix(value, prefix) {
			return true
		}
	}
	return false
}
