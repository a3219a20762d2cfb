package docs

import (
	"slices"
	"strings"
	"testing"

	"skillet/policy"
	"skillet/skills"
)

// violations has for each rule a docker table that breaks it, beside an image, which all of them have.
var violations = map[string]string{
	"block_privileged":        `extra_args = ["--privileged"]`,
	"block_docker_sock":       `volumes = ["/run/docker:/x"]`,
	"block_host_network":      `network = "host"`,
	"block_host_namespaces":   `extra_args = ["--pid=host"]`,
	"block_unconfined":        `extra_args = ["--security-opt=seccomp=unconfined"]`,
	"block_sensitive_mounts":  `volumes = ["/sys:/x"]`,
	"block_shared_mounts":     `volumes = ["/srv:/x:shared"]`,
	"block_swap":              `extra_args = ["--memory=64m", "--memory-swap=128m"]`,
	"block_gpus":              `gpus = "all"`,
	"block_builds":            `build = "."`,
	"block_kept_containers":   `rm = false`,
	"block_sessions":          "[skills.x]\nsession = true",
	"blocked_mount_paths":     `volumes = ["/etc:/x:ro"]`,
	"allowed_mount_roots":     `volumes = ["/srv:/x"]`,
	"allowed_networks":        `network = "bridge"`,
	"allowed_capabilities":    `extra_args = ["--cap-add=NET_RAW"]`,
	"allowed_devices":         `extra_args = ["--device=/dev/null"]`,
	"allowed_images":          `read_only = true`, // nothing breaks it before the file names images
	"require_resource_limits": `read_only = true`,
	"require_image_digest":    `read_only = true`,
	"require_non_root":        `user = "root"`,
	"require_read_only":       `read_only = false`,
	"max_memory":              `memory = "1000g"`,
	"max_cpus":                `cpus = "1000"`,
	"max_pids":                `extra_args = ["--pids-limit=100000"]`,
}

const withImage = "image = \"x\"\n"

// settings has for each rule that no level has a value that makes its violation one.
var settings = map[string]string{
	"allowed_images": `["other/*"]`, "max_memory": `"1g"`, "max_cpus": `"2"`, "max_pids": `64`,
}

// refusedBy returns the rules by which a policy refuses a skill with this docker table.
func refusedBy(t *testing.T, policyText, docker string) []string {
	t.Helper()
	set, err := skills.Parse("skills.toml", []byte("[skills.x.docker]\n"+docker+"\n"), environment(t))
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse("policy.toml", []byte(policyText), options)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, denied := range policy.Denied(p.Vet(set.Skills[0])) {
		all = append(all, denied.Rule)
	}
	return all
}

func TestTheTableOfRulesHasEveryKeyOfAPolicyFile(t *testing.T) {
	_, err := policy.Parse("policy.toml", []byte(unknown+" = 1\n"), options)
	documented := append(firstCells(section(t, "security.md", "## Rules")), "level")
	same(t, "rules", documented, known(t, err))
}

func TestRulesHaveTheDocumentedDefaults(t *testing.T) {
	for _, cells := range rows(section(t, "security.md", "## Rules")) {
		rule := strings.Trim(cells[0], "`")
		for i, level := range []string{"privileged", "baseline", "restricted"} {
			refuses := slices.Contains(refusedBy(t, `level = "`+level+`"`, withImage+violations[rule]), rule)
			documented := map[bool][]string{
				true:  {"on", "the four below", "none"},
				false: {"off", "`\"*\"`", "none"},
			}[refuses]
			if strings.HasPrefix(rule, "max_") || rule == "blocked_mount_paths" { // none is no bound here
				documented = map[bool][]string{true: {"the four below"}, false: {"none"}}[refuses]
			} else if strings.HasPrefix(rule, "allowed_") {
				documented = map[bool][]string{true: {"none"}, false: {"`\"*\"`"}}[refuses]
			}
			if !slices.Contains(documented, cells[2+i]) {
				t.Errorf("%s at the level %s: %s is documented, and refused is %v", rule, level, cells[2+i], refuses)
			}
		}
		if setting, ok := settings[rule]; ok && !slices.Contains(refusedBy(t, rule+" = "+setting, withImage+violations[rule]), rule) {
			t.Errorf("%s = %s refuses nothing", rule, setting)
		}
	}
}

func TestTheDefaultPolicyIsTheOneWrittenOut(t *testing.T) {
	var written string
	for _, b := range blocks(t, "security.md") {
		if b.kind == "toml policy" && b.name() == "policy.toml" {
			written = b.text()
		}
	}
	for rule, docker := range violations {
		if !strings.Contains(written, rule) {
			t.Errorf("%s is not written out", rule)
		}
		byDefault, byFile := refusedBy(t, "", withImage+docker), refusedBy(t, written, withImage+docker)
		if !slices.Equal(byDefault, byFile) {
			t.Errorf("%s: %v by default, %v by the policy that is written out", docker, byDefault, byFile)
		}
	}
}

func TestTheFourBlockedPathsAreTheDocumentedOnes(t *testing.T) {
	text := section(t, "security.md", "## Rules")
	_, text, _ = strings.Cut(text, "- `blocked_mount_paths` is ")
	text, _, _ = strings.Cut(text, " at the levels")
	for _, match := range inCode.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(refusedBy(t, "", withImage+`volumes = ["`+match[1]+`:/x"]`), "blocked_mount_paths") {
			t.Errorf("%s is not blocked", match[1])
		}
	}
}

// malformed has for each form a docker table that breaks it.
var malformed = map[string]string{
	"image":      `image = "--privileged"`,
	"build":      "image = \"x\"\nbuild = \"/srv\"",
	"volumes":    "image = \"x\"\nvolumes = [\"a:b:c:d\"]",
	"extra_args": "image = \"x\"\nextra_args = [\"--publish=80:80\"]",
	"network":    "image = \"x\"\nnetwork = \"a b\"",
	"user":       "image = \"x\"\nuser = \"-u\"",
	"platform":   "image = \"x\"\nplatform = \"x\"",
	"gpus":       "image = \"x\"\ngpus = \"some\"",
}

func TestFormsAreRefusedAtEveryLevel(t *testing.T) {
	for _, form := range firstCells(section(t, "security.md", "## Forms")) {
		if form == "workdir" {
			continue // below
		}
		if rules := refusedBy(t, `level = "privileged"`, malformed[form]); !slices.Contains(rules, form) {
			t.Errorf("%s: refused by %v", form, rules)
		}
	}
}

func TestUnwantedWorkingDirectoriesAreRefusedAtEveryLevel(t *testing.T) {
	p, err := policy.Parse("policy.toml", []byte(`level = "privileged"`), options)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"/", "/etc", "/usr/lib", "/home/me"} {
		env := environment(t)
		env.Workdir = dir
		set, err := skills.Parse("skills.toml", []byte("[skills.x.docker]\nimage = \"x\"\nvolumes = [\"${SKILL_WORKDIR}:/workdir\"]\n"), env)
		if err != nil {
			t.Fatal(err)
		}
		denied := policy.Denied(p.Vet(set.Skills[0]))
		if !slices.ContainsFunc(denied, func(one *policy.DeniedError) bool { return one.Rule == "workdir" }) {
			t.Errorf("%s: %v", dir, denied)
		}
	}
}
