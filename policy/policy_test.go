package policy_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skillet/policy"
	"skillet/skills"
)

// vet reads a skill with the given lines in its docker table and judges it, on the way that a real skill takes.
func vet(t *testing.T, policyText, docker string) error {
	t.Helper()
	return vetIn(t, t.TempDir(), policyText, docker)
}

func vetIn(t *testing.T, workdir, policyText, docker string) error {
	t.Helper()
	if !strings.Contains(docker, "image =") {
		docker = "image = \"debian\"\n" + docker
	}
	file := filepath.Join(workdir, "skills.toml")
	set, err := skills.Parse(file, []byte("[skills.x]\n[skills.x.docker]\n"+docker), skills.Environment{
		Workdir: workdir, UID: "1000", GID: "1000", Lookup: func(string) (string, bool) { return "", false },
	})
	if err != nil {
		t.Fatalf("%s: %v", docker, err)
	}
	p, err := policy.Parse("policy.toml", []byte(policyText), policy.Options{Homes: []string{"/home/somebody"}})
	if err != nil {
		t.Fatal(err)
	}
	return p.Vet(set.Skills[len(set.Skills)-1])
}

// extra is the docker table of a skill with these extra_args.
func extra(args ...string) string {
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = fmt.Sprintf("%q", arg)
	}
	return "extra_args = [" + strings.Join(quoted, ", ") + "]"
}

func mount(source string) string { return fmt.Sprintf("volumes = [%q]", source+":/x") }

func wantRule(t *testing.T, err error, rule string) {
	t.Helper()
	denied := policy.Denied(err)
	if len(denied) == 0 {
		t.Fatalf("was approved, expected a refusal by %s", rule)
	}
	for _, one := range denied {
		if one.Rule == rule {
			if one.Reason == "" {
				t.Errorf("the refusal by %s gives no reason", rule)
			}
			return
		}
	}
	t.Errorf("was refused by another rule than %s:\n%v", rule, err)
}

func TestEveryKnownBypassIsRefusedByTheRuleThatMeansIt(t *testing.T) {
	link := filepath.Join(t.TempDir(), "innocent")
	if err := os.Symlink("/root", link); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()

	const paths, sockets = "blocked_mount_paths", "block_docker_sock"
	for _, test := range []struct{ docker, rule string }{
		{mount("//root"), paths},
		{mount("/./root"), paths},
		{mount("/tmp/../root"), paths},
		{mount("../../../root"), "allowed_mount_roots"},
		{mount("/"), paths},
		{mount("/etc"), paths},
		{mount("/var/run"), paths},
		{mount("/run"), sockets},
		{mount("/root/"), paths},
		{mount("/root/.ssh"), paths},
		{mount("/etc/shadow"), paths},
		{mount("/proc/1/root/root"), "block_sensitive_mounts"},
		{mount("/proc/self/root/etc"), "block_sensitive_mounts"},
		{mount("/proc"), "block_sensitive_mounts"},
		{mount("/sys/fs/cgroup"), "block_sensitive_mounts"},
		{mount("/dev"), "block_sensitive_mounts"},
		{mount("/etc/ssl"), "block_sensitive_mounts"},
		{mount("/usr/local/bin"), "block_sensitive_mounts"},
		{mount("/var/spool"), "block_sensitive_mounts"},
		{mount("/run/dbus"), "block_sensitive_mounts"},
		{`volumes = ["/run/lock:/x:ro"]`, "block_sensitive_mounts"},
		{`volumes = ["/tmp:/proc/x"]`, "volumes"},
		{`volumes = ["/tmp:/dev"]`, "volumes"},
		{`volumes = ["/tmp:/x/../.skillet/supervisor"]`, "volumes"},
		{`volumes = ["skillet-supervisor-0123456789abcdef-amd64:/x"]`, "volumes"},
		{extra("--mount", "type=volume,source=skillet-supervisor-0,target=/x"), "extra_args"},
		{extra("--tmpfs", "/.skillet"), "extra_args"},
		{`working_dir = "/proc/self/fd/8"`, "working_dir"},
		{extra("-w", "/x/../dev/fd/8"), "working_dir"},
		{extra("--pid=host:x"), "extra_args"},
		{extra("--stop-timeout=60"), "extra_args"},
		{mount("/home/somebody"), "block_sensitive_mounts"},
		{mount("/home/somebody/.ssh"), "block_sensitive_mounts"},
		{mount("/home"), "block_sensitive_mounts"},
		{mount(link), paths},
		{mount(link + "/x"), paths},
		{mount("/run/containerd/containerd.sock"), sockets},
		{mount("/run/docker.sock"), sockets},
		{mount("/var/lib/docker"), sockets},
		{mount("/run/podman/podman.sock"), sockets},
		{mount("/run/user/1000/podman/podman.sock"), sockets},
		{mount(socket), sockets},
		{`volumes = ["/tmp:/x:rshared"]`, "block_shared_mounts"},
		{`volumes = ["/tmp:/x:weird"]`, "volumes"},
		{`volumes = ["/tmp:/x:ro:y"]`, "volumes"},
		{`volumes = ["/tmp:/"]`, "volumes"},
		{mount("/does/not/exist"), "volumes"},
		{mount("~/project"), "volumes"},

		{extra("--privileged"), "block_privileged"},
		{extra("--privileged=true"), "block_privileged"},
		{extra("--mount", "type=bind,source=/var/run/docker.sock,target=/s"), sockets},
		{extra("--mount=type=bind,src=/root,dst=/s"), paths},
		{extra("--mount", "TYPE=bind,SOURCE=/root,target=/s"), paths},
		{extra("-v/var/run/docker.sock:/s"), sockets},
		{extra("-v=/root:/s"), paths},
		{extra("--volume", "/root:/s"), paths},
		{extra("--pid=host"), "block_host_namespaces"},
		{extra("--pid", "container:abc"), "block_host_namespaces"},
		{extra("--userns=host"), "block_host_namespaces"},
		{extra("--ipc=host"), "block_host_namespaces"},
		{extra("--uts=host"), "block_host_namespaces"},
		{extra("--cgroupns=host"), "block_host_namespaces"},
		{extra("--cap-add=ALL"), "allowed_capabilities"},
		{extra("--cap-add", "SYS_ADMIN"), "allowed_capabilities"},
		{extra("--cap-add", "cap_net_raw"), "allowed_capabilities"},
		{extra("--network=host"), "block_host_network"},
		{extra("--net=host"), "block_host_network"},
		{extra("--network=container:X"), "block_host_network"},
		{extra("--network=name=host"), "network"},
		{extra("--memory=0"), "extra_args"},
		{extra("-m0"), "extra_args"},
		{extra("--cpus=0"), "extra_args"},
		{extra("--pids-limit=-1"), "extra_args"},
		{extra("--memory-swap=-1"), "block_swap"},
		{extra("--env-file", "/host/file"), "extra_args"},
		{extra("--mount", "type=volume,source=v,target=/s,volume-opt=o=bind,volume-opt=device=/root"), "extra_args"},
		{extra("--mount", "type=volume,source=v,target=/s,volume-driver=evil"), "extra_args"},
		{extra("--mount", "type=npipe,source=v,target=/s"), "extra_args"},
		{extra("--device", "/dev/sda"), "allowed_devices"},
		{extra("--security-opt", "seccomp=unconfined"), "block_unconfined"},
		{extra("--security-opt", "seccomp:unconfined"), "block_unconfined"},
		{extra("--security-opt", "apparmor=unconfined"), "block_unconfined"},
		{extra("--security-opt", "label=disable"), "block_unconfined"},
		{extra("--security-opt", "systempaths=unconfined"), "extra_args"},
		{extra("--security-opt", "no-new-privileges=false"), "extra_args"},
		{extra("--cgroup-parent", "/"), "extra_args"},
		{extra("--volumes-from", "other"), "extra_args"},
		{extra("--sysctl", "kernel.x=1"), "extra_args"},
		{extra("--oom-score-adj", "-1000"), "extra_args"},
		{extra("--runtime", "runc"), "extra_args"},
		{extra("--publish", "80:80"), "extra_args"},
		{extra("-p80:80"), "extra_args"},
		{extra("-d"), "extra_args"},
		{extra("-it"), "extra_args"},
		{extra("alpine"), "extra_args"},
		{extra("--init", "--", "alpine"), "extra_args"},
		{extra("--label", "skillet.instance=me"), "extra_args"},
		{extra("--tmpfs", "/x:suid"), "extra_args"},

		{`image = "--privileged"`, "image"},
		{`image = "a b"`, "image"},
		{`image = "UPPER"`, "image"},
		{`network = "container:X"`, "block_host_network"},
		{`network = "host"`, "block_host_network"},
		{`network = "a b"`, "network"},
		{`platform = "--privileged"`, "platform"},
		{`user = "0 --privileged"`, "user"},
		{`rm = false`, "block_kept_containers"},
		{`build = "/etc"`, "build"},
		{`build = "../.."`, "build"},
		{extra("-w", "workdir"), "working_dir"},
		{`gpus = "everything"`, "gpus"},
	} {
		t.Run(test.docker, func(t *testing.T) { wantRule(t, vet(t, "", test.docker), test.rule) })
	}
}

func TestHarmlessSettingsAreApproved(t *testing.T) {
	if err := os.MkdirAll("/rootfs-data", 0o755); err != nil {
		t.Fatal(err)
	}
	defer os.Remove("/rootfs-data")
	for _, docker := range []string{
		mount("/rootfs-data"),
		extra("--label=x--privileged"),
		extra("--label", "a=b,c", "-e", "A=1,2", "-w", "/x", "-u", "1:1", "-h", "box", "--add-host", "a:192.0.2.1"),
		extra("--dns", "192.0.2.1", "--tmpfs", "/t:size=1m,mode=1777", "--shm-size=1m", "--ulimit", "nofile=10:20", "--read-only"),
		extra("--memory=64m", "--memory-swap=64m", "--cpus=.5", "--pids-limit=10", "--cap-drop=ALL", "--init", "--stop-timeout=1"),
		extra("--mount", "type=tmpfs,target=/t,tmpfs-size=1m", "--mount=type=volume,source=v,dst=/v,readonly", "-v", "named:/n"),
		extra("--platform=linux/amd64", "--gpus=all", "--group-add=10", "--network=bridge", "--ipc=private"),
		extra("--security-opt", "no-new-privileges", "--security-opt=apparmor=docker-default", "--privileged=false"),
		`network = "my-network"`,
		`volumes = ["${SKILL_WORKDIR}:/workdir", "cache:/cache:ro", "/anonymous"]`,
		`volumes = ["./:/workdir"]`,
		`volumes = ["/etc/ssl/certs:/etc/ssl/certs:ro"]`,
		extra("--tmpfs", "/dev/shm:size=1m"),
		`image = "sha256:0000000000000000000000000000000000000000000000000000000000000000"`,
		`image = "localhost:5000/a/b:tag"`,
		`user = "${UID}:${GID}"`,
		`gpus = "device=0,1"`,
	} {
		t.Run(docker, func(t *testing.T) {
			if err := vet(t, "", docker); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSingleRulesAreRelaxedAndTightened(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct{ policy, docker, rule string }{
		{`block_privileged = false`, extra("--privileged"), ""},
		{"block_docker_sock = false\nblock_sensitive_mounts = false\nblocked_mount_paths = []", mount("/run"), ""},
		{`block_host_network = false`, `network = "host"`, ""},
		{`blocked_mount_paths = []`, mount("/root"), ""},
		{`blocked_mount_paths = ["/srv"]`, mount("/srv"), "blocked_mount_paths"},
		{`require_resource_limits = true`, ``, "require_resource_limits"},
		{`require_resource_limits = true`, "memory = \"64m\"\ncpus = \"1\"", ""},
		{`allowed_capabilities = ["net_raw"]`, extra("--cap-add=NET_RAW"), ""},
		{`allowed_capabilities = ["net_raw"]`, extra("--cap-add=NET_ADMIN"), "allowed_capabilities"},
		{`allowed_devices = ["/dev/dri/*"]`, extra("--device=/dev/dri/card0"), ""},
		{`allowed_networks = ["db-*"]`, `network = "db-one"`, ""},
		{`allowed_networks = ["db-*"]`, `network = "bridge"`, "allowed_networks"},
		{`allowed_images = ["skillet/*"]`, `image = "skillet/jq"`, ""},
		{`allowed_images = ["skillet/*"]`, `image = "other/jq"`, "allowed_images"},
		{`allowed_mount_roots = []`, mount("/tmp"), "allowed_mount_roots"},
		{`allowed_mount_roots = ["/tmp"]`, mount("/tmp"), ""},
		{`max_memory = "64m"`, `memory = "128m"`, "max_memory"},
		{`max_memory = "64m"`, ``, "max_memory"},
		{`max_cpus = "1"`, `cpus = "2"`, "max_cpus"},
		{`max_pids = 10`, ``, "max_pids"},
		{`block_gpus = true`, `gpus = "all"`, "block_gpus"},
		{`block_builds = true`, `build = "."`, "block_builds"},
		{`block_sessions = true`, "image = \"debian\"\n[skills.y]\nsession = true\n[skills.y.docker]\nimage = \"debian\"", "block_sessions"},
		{`level = "restricted"`, "image = \"debian\"\n[skills.y]\nsession = true\n[skills.y.docker]\nimage = \"debian\"", "block_sessions"},
		{`block_kept_containers = false`, `rm = false`, ""},
		{`level = "privileged"`, extra("--privileged", "--pid=host", "--network=host", "--cap-add=ALL", "-v", "/:/host", "--device=/dev/null"), ""},
		{`level = "restricted"`, ``, "require_non_root"},
		{`level = "restricted"`, ``, "require_read_only"},
		{`level = "restricted"`, ``, "require_image_digest"},
		{`level = "restricted"`, ``, "require_resource_limits"},
		{`level = "restricted"`, `network = "bridge"`, "allowed_networks"},
		{`level = "restricted"`, mount("/tmp"), "allowed_mount_roots"},
		{`level = "restricted"`, `user = "0"`, "require_non_root"},
		{`level = "restricted"`, `user = "1000:0"`, "require_non_root"},
		{"level = \"restricted\"\nrequire_image_digest = false", strings.Join([]string{
			`volumes = ["${SKILL_WORKDIR}:/w"]`, `user = "1000:1000"`, `read_only = true`, `memory = "64m"`, `cpus = "1"`}, "\n"), ""},
	} {
		t.Run(test.policy+" "+test.docker, func(t *testing.T) {
			err := vetIn(t, dir, test.policy, test.docker)
			if test.rule != "" {
				wantRule(t, err, test.rule)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheWorkingDirectoryIsNoSystemDirectory(t *testing.T) {
	for _, dir := range []string{"/", "/etc", "/usr", "/usr/bin", "/home", "/home/somebody", "/var"} {
		wantRule(t, vetIn(t, dir, `level = "privileged"`, `volumes = ["${SKILL_WORKDIR}:/workdir"]`), "workdir")
	}
}

func TestASymlinkInTheWorkingDirectoryDoesNotLeadAMountOutOfIt(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	if err := os.Symlink(elsewhere, filepath.Join(dir, "data")); err != nil {
		t.Fatal(err)
	}
	for _, source := range []string{"./data", "${SKILL_WORKDIR}/data", "data/../data"} {
		wantRule(t, vetIn(t, dir, "", mount(source)), "allowed_mount_roots")
	}
}

func TestASocketOfTheConfiguredEngineIsRefused(t *testing.T) {
	dir := t.TempDir()
	set, err := skills.Parse("x.toml", []byte("[skills.x.docker]\nimage = \"a\"\n"+mount(dir)), skills.Environment{Workdir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	p, _ := policy.New(policy.Options{EngineSockets: []string{filepath.Join(dir, "engine.sock")}})
	wantRule(t, p.Vet(set.Skills[0]), "block_docker_sock")
}

func TestAPolicyFileIsReadStrictly(t *testing.T) {
	_, err := policy.Parse("p.toml", []byte("level = \"strict\"\nblock_priviledged = true\nallowed_mount_roots = [\"data\"]\nmax_memory = \"0x1p30\"\nmax_pids = 0\n"), policy.Options{})
	want := []string{
		`p.toml:1: level: "strict" is no level (the levels are "privileged", "baseline" and "restricted")`,
		`p.toml:2: block_priviledged: unknown key (did you mean "block_privileged"?)`,
		`p.toml:3: allowed_mount_roots: "data" is no absolute path`,
		`p.toml:4: max_memory: "0x1p30" is no size (write it like "512m" or "2g")`,
		`p.toml:5: max_pids: has to be more than 0`,
	}
	if err == nil || err.Error() != strings.Join(want, "\n") {
		t.Errorf("got\n%v\nexpected\n%s", err, strings.Join(want, "\n"))
	}
}

func TestRefusalsHoldNoValuesOfTheEnvironment(t *testing.T) {
	err := vet(t, "", extra("-e", "=hunter2", "--env-file=/hunter2", "--privileged"))
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}

func TestTheZeroPlanIsNotApproved(t *testing.T) {
	if (policy.Plan{}).Approved() {
		t.Error("is approved")
	}
}

func TestAnApprovedPlanCannotBeChanged(t *testing.T) {
	p, _ := policy.New(policy.Options{})
	inv := skills.Invocation{
		Skill: "x", Image: "debian", Network: "none", PidsLimit: 1, Command: []string{"true"},
		Environment: []string{"A=1"}, Stdin: []byte("in"), ExtraArgs: []string{"--group-add=1", "--label=a=b"},
	}
	plan, err := p.Approve(inv)
	if err != nil {
		t.Fatal(err)
	}
	inv.Command[0], inv.Environment[0], inv.Stdin[0], inv.ExtraArgs[0] = "false", "A=2", 'o', "--group-add=2"
	if got := plan.Container(); got.Command[0] != "true" || got.Env[0] != "A=1" || string(got.Stdin) != "in" || got.GroupAdd[0] != "1" {
		t.Errorf("was changed through the invocation: %+v", got)
	}
	c := plan.Container()
	c.Command[0] = "false"
	if plan.Container().Command[0] != "true" {
		t.Error("was changed through a copy")
	}
}
