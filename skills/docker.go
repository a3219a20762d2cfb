package skills

import (
	"fmt"
	"math/big"
	"path/filepath"
	"strings"

	"github.com/docker/go-units"

	"skillet/skills/tomldoc"
)

// docker reads a [skills.X.docker] table over what is inherited. Only the shape of a value is checked here; what may
// run is the policy's business.
func (l *loader) docker(t tomldoc.Table, inv *Invocation) {
	l.text(t, "image", &inv.Image)
	if t.Has("image") && strings.TrimSpace(inv.Image) == "" {
		t.Fail("image", "is empty", "")
	}
	if build, ok := t.String("build"); ok {
		if build, ok = l.expand(t, "build", build); ok {
			inv.Build = l.below(build)
		}
	}
	l.text(t, "entrypoint", &inv.Entrypoint)
	l.texts(t, "command", &inv.Command)
	l.texts(t, "volumes", &inv.Volumes)
	l.text(t, "working_dir", &inv.WorkingDir)
	l.environment(t, inv)
	readMemory(t, inv)
	readCPUs(t, inv)
	l.plain(t, "network", &inv.Network)
	if remove, ok := t.Bool("rm"); ok {
		inv.Keep = !remove
	}
	l.text(t, "user", &inv.User)
	l.plain(t, "gpus", &inv.GPUs)
	if readOnly, ok := t.Bool("read_only"); ok {
		inv.ReadOnly = readOnly
	}
	l.plain(t, "platform", &inv.Platform)
	if extra, ok := t.Strings("extra_args"); ok {
		inv.ExtraArgs = extra
	}
	t.Done()
}

// below makes a path of the file absolute: paths in it are relative to the directory that it lies in.
func (l *loader) below(path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(l.dir, path)
	}
	return filepath.Clean(path)
}

// text reads a string whose variables are expanded.
func (l *loader) text(t tomldoc.Table, key string, into *string) {
	if value, ok := t.String(key); ok {
		if value, ok = l.expand(t, key, value); ok {
			*into = value
		}
	}
}

// texts reads an array of strings whose variables are expanded.
func (l *loader) texts(t tomldoc.Table, key string, into *[]string) {
	values, ok := t.Strings(key)
	if !ok {
		return
	}
	expanded := make([]string, len(values))
	for i, value := range values {
		if expanded[i], ok = l.expand(t, key, value); !ok {
			return
		}
	}
	*into = expanded
}

// plain reads a string in which ${NAME} has no meaning, as the fields' table in docs/skills-toml.md says.
func (l *loader) plain(t tomldoc.Table, key string, into *string) {
	value, ok := t.String(key)
	if !ok {
		return
	}
	if strings.Contains(value, "${") {
		t.Fail(key, "variables are not expanded here", "write the value itself")
		return
	}
	if value == "" {
		t.Fail(key, "is empty", "leave the key out for the default")
		return
	}
	*into = value
}

// environment reads KEY=value and KEY. A later entry of a key replaces an earlier, inherited one.
func (l *loader) environment(t tomldoc.Table, inv *Invocation) {
	var entries []string
	l.texts(t, "environment", &entries)
	for _, entry := range entries {
		if key, _, _ := strings.Cut(entry, "="); !environmentKey(key) {
			// The entry may hold a secret in the wrong place: it is not repeated.
			t.Fail("environment", "an entry has no variable's name before its \"=\"", `write "KEY=value", or "KEY" to hand on skillet's own variable`)
			return
		}
		inv.Environment = setEnvironment(inv.Environment, entry)
	}
}

func environmentKey(key string) bool {
	return key != "" && !strings.ContainsAny(key, "\x00 \t\n")
}

func setEnvironment(environment []string, entry string) []string {
	key, _, _ := strings.Cut(entry, "=")
	for i, old := range environment {
		if oldKey, _, _ := strings.Cut(old, "="); oldKey == key {
			environment[i] = entry
			return environment
		}
	}
	return append(environment, entry)
}

func readMemory(t tomldoc.Table, inv *Invocation) {
	size, ok := readSize(t, "memory")
	if !ok {
		return
	}
	if size < minMemory {
		t.Fail("memory", fmt.Sprintf("has to be at least %s", units.BytesSize(minMemory)), "")
		return
	}
	inv.Memory = size
}

func readCPUs(t tomldoc.Table, inv *Invocation) {
	text, ok := t.String("cpus")
	if !ok {
		return
	}
	nano, err := ParseCPUs(text)
	if err != nil {
		t.Fail("cpus", err.Error(), "")
		return
	}
	inv.NanoCPUs = nano
}

// ParseCPUs reads a number of CPUs as `docker run --cpus` does, such as "0.5" or "2", in billionths of a CPU.
func ParseCPUs(text string) (int64, error) {
	cpus, ok := new(big.Rat).SetString(text)
	if !ok || strings.ContainsAny(text, "/eExXpP_") || len(text) > 16 {
		return 0, fmt.Errorf("%q is no number of CPUs, expected one like \"0.5\" or \"2\"", text)
	}
	nano := new(big.Rat).Mul(cpus, big.NewRat(1e9, 1))
	if !nano.IsInt() || nano.Sign() <= 0 || !nano.Num().IsInt64() {
		return 0, fmt.Errorf("%q CPUs: expected more than 0, with at most 9 decimals", text)
	}
	return nano.Num().Int64(), nil
}
