package runtime

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"skillet/policy"
)

// probe prints what a program can see of its surroundings, a topic a line or more.
const probe = `
exec 2>&1
echo "== identity"; id; grep -E '^(Uid|Gid|Groups|NoNewPrivs|Seccomp|Seccomp_filters|Cap...|Sig(Blk|Ign|Cgt)|CoreDumping|Speculation.*|Cpus_allowed|Mems_allowed):' /proc/self/status
echo "== environment"; (env | sort; pwd; umask; hostname) | sed 's/\b[0-9a-f]\{12\}\b/ID/'
echo "== limits"; cat /proc/self/limits; cat /proc/self/timerslack_ns /proc/self/personality /proc/self/coredump_filter; nice
echo "== descriptors"; perl -MFcntl -e '
  for (0..20) { open(my $f, "<&=", $_) or next; my @s = stat($f); next unless @s;
    printf "%d type %o mode %o owner %d flags %o fd %o\n", $_, $s[2] >> 12, $s[2] & 07777, $s[4], fcntl($f, F_GETFL, 0), fcntl($f, F_GETFD, 0) }'
for f in 0 1 2; do readlink /proc/self/fd/$f | sed 's/[0-9]\+/N/'; done; ls /proc/self/fd | wc -l
echo to /dev/stdout >/dev/stdout; echo to /dev/stderr >/dev/stderr
echo "== session"; perl -e 'use POSIX; printf "leader %d, group %d, terminal %s\n", POSIX::getpgrp() == getppid() ? 1 : 0, POSIX::getpgrp() == (split / /, do { open my $f, "<", "/proc/self/stat"; my $l = <$f>; $l =~ s/.*\) //; $l })[3], -e "/dev/tty" && open(my $t, "<", "/dev/tty") ? "yes" : "no"'; echo
echo "== cgroups"; cat /proc/self/cgroup | sed 's/[0-9a-f]\{64\}/ID/'; for f in memory/memory.limit_in_bytes memory/memory.memsw.limit_in_bytes cpu/cpu.cfs_quota_us memory.max memory.swap.max cpu.max; do echo $f $(cat /sys/fs/cgroup/$f 2>/dev/null); done
echo "== namespaces"; for n in cgroup ipc mnt net pid user uts; do readlink /proc/self/ns/$n | sed 's/[0-9]\+/N/'; done; cat /proc/self/uid_map
echo "== network"; cat /proc/net/dev | cut -d: -f1; ls -l /etc/hosts /etc/resolv.conf /etc/hostname 2>&1 | cut -c1-10
echo "== devices"; find /dev | sort; ls /proc | grep -v '^[0-9]' | sort | tr '\n' ' '
echo "== signals"; perl -e 'for (sort { $SIG{$a}//"" cmp $SIG{$b}//"" } grep { defined $SIG{$_} && $SIG{$_} ne "" && $SIG{$_} ne "DEFAULT" } keys %SIG) { print "$_ $SIG{$_}\n" }'
echo "== mounts"; cut -d' ' -f2- /proc/mounts | sed 's/[0-9a-f]\{64\}/ID/g; s/lowerdir=[^ ]*//; s/[^ ]*workdir=[^ ]*//' | sort
echo "== own"; echo "pids.max $(cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null)"; echo "oom_score_adj $(cat /proc/self/oom_score_adj)"; echo "pid $$ parent $PPID first $(cat /proc/1/comm)"
`

// probed are containers to look at from inside, with different rights, users, mounts and limits.
func probed(t *testing.T) map[string]policy.Container {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	with := func(change func(*policy.Container)) policy.Container {
		c := shell(probe)
		c.Env, c.Warm = []string{"A=a b", "EMPTY="}, 1
		change(&c)
		return c
	}
	return map[string]policy.Container{
		"default": with(func(*policy.Container) {}),
		"a user, read-only": with(func(c *policy.Container) {
			c.User, c.GroupAdd, c.ReadOnlyRootfs, c.WorkingDir = "1234:5678", []string{"4321"}, true, "/var/tmp"
			c.Mounts = []policy.Mount{
				{Type: policy.MountBind, Source: dir, Target: "/workdir"},
				{Type: policy.MountTmpfs, Target: "/home/skillet", Exec: true, SizeBytes: 1 << 20},
				{Type: policy.MountVolume, Target: "/anonymous"},
			}
			c.Env = append(c.Env, "HOME=/home/skillet", "PATH=/usr/bin:/bin", "GOMEMLIMIT=nonsense")
		}),
		"limits and a named user": with(func(c *policy.Container) {
			c.User, c.Hostname, c.ShmSize = "nobody", "box", 1<<20
			c.Ulimits = []policy.Ulimit{{Name: "nofile", Soft: 77, Hard: 99}, {Name: "core", Soft: 0, Hard: 0}}
			c.Stdin = []byte("input")
		}),
		"capabilities and a network": with(func(c *policy.Container) {
			c.CapAdd, c.Network, c.ExtraHosts = []string{"CAP_NET_RAW", "CAP_CHOWN"}, "bridge", []string{"db:192.0.2.7"}
			c.WorkingDir = "/made/by/the engine"
		}),
		"no home": with(func(c *policy.Container) { c.User, c.Env = "4242", []string{"HOME="} }),
	}
}

// runPlain runs a container without a supervisor, as the engine does by itself.
func runPlain(t *testing.T, r *Runtime, c policy.Container) Result {
	t.Helper()
	x := &execution{
		vessel: r.newVessel(c, newRequest(c, containerName(c.Skill), r.owner)),
		stdout: newCapture(c.MaxOutput, nil), stderr: newCapture(c.MaxOutput, nil),
	}
	if !r.removals.hold(x.request.Name) {
		t.Fatal("closed")
	}
	defer r.removals.release(x.request.Name)
	if err := x.plain(t.Context()); err != nil {
		t.Fatal(err)
	}
	x.result.Stdout, x.result.Stderr = x.stdout.seal(), x.stderr.seal()
	return x.result
}

// runWarm runs a container that was started before.
func runWarm(t *testing.T, r *Runtime, c policy.Container) Result {
	t.Helper()
	warm(t, r, c)
	result := mustRun(t, r, c)
	if !result.Warm {
		t.Errorf("the call had a container made")
	}
	return result
}

// warm keeps a container started for calls of these plans, and returns when each has one.
func warm(t *testing.T, r *Runtime, specs ...policy.Container) {
	t.Helper()
	r.pool.limits = IdleLimits{Containers: 64, Memory: 64 * IdleMemory}
	r.pool.keep(specs)
	waitUntil(t, "containers to be ready", func() bool {
		r.pool.mu.Lock()
		defer r.pool.mu.Unlock()
		for _, s := range r.pool.shelves {
			if len(s.ready) < s.wants(time.Now()) {
				return false
			}
		}
		return true
	})
}

func waitUntil(t *testing.T, what string, reached func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !reached(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// What a program sees is the same whether the engine runs it, a supervisor, or a supervisor that has waited for it; but for
// the differences that docs/supervisor.md names, which are put aside here one by one.
func TestAProgramSeesTheSameWithASupervisorAndWithout(t *testing.T) {
	for name, c := range probed(t) {
		t.Run(name, func(t *testing.T) {
			r := newEngineRuntime(t)
			plain := sections(t, runPlain(t, r, c))
			for way, result := range map[string]Result{"cold": mustRun(t, r, c), "warm": runWarm(t, r, c)} {
				supervised := sections(t, result)
				checkOwn(t, way, c, plain["own"], supervised["own"])
				supervised["mounts"] = without(supervised["mounts"], policy.ReservedTarget+" ")
				supervised["own"] = plain["own"]
				if len(plain) != len(supervised) {
					t.Errorf("%s: %d topics, %d without a supervisor", way, len(supervised), len(plain))
				}
				for topic, want := range plain {
					if got := supervised[topic]; got != want {
						t.Errorf("%s: %s differs:\n%s\nwithout a supervisor:\n%s", way, topic, got, want)
					}
				}
			}
		})
	}
}

// sections splits the probe's output by topic.
func sections(t *testing.T, result Result) map[string]string {
	t.Helper()
	if result.ExitCode != 0 || len(result.Stderr.Data) != 0 && !strings.Contains(string(result.Stderr.Data), "/dev/stderr") {
		t.Fatalf("the probe failed: %s", brief(result))
	}
	topics := map[string]string{}
	for part := range strings.SplitSeq(string(result.Stdout.Data), "== ") {
		if topic, text, ok := strings.Cut(part, "\n"); ok {
			topics[topic] = text
		}
	}
	if len(topics) < 10 {
		t.Fatalf("the probe says only %s", result.Stdout.Data)
	}
	return topics
}

// without leaves lines out, of which there has to be one.
func without(text, with string) string {
	var kept []string
	for line := range strings.Lines(text) {
		if !strings.Contains(line, with) {
			kept = append(kept, line)
		}
	}
	if len(kept) != strings.Count(text, "\n")-1 {
		return "not one line with " + with + " in " + text
	}
	return strings.Join(kept, "")
}

// checkOwn checks what differs: the limit of processes by the supervisor's share, the process's own number, and its parent.
func checkOwn(t *testing.T, way string, c policy.Container, plain, supervised string) {
	t.Helper()
	var before, after struct {
		pids, victim, pid, parent int
		first                     string
	}
	const form = "pids.max %d\noom_score_adj %d\npid %d parent %d first %s\n"
	if _, err := fmt.Sscanf(plain, form, &before.pids, &before.victim, &before.pid, &before.parent, &before.first); err != nil {
		t.Fatalf("%v in %q", err, plain)
	}
	if _, err := fmt.Sscanf(supervised, form, &after.pids, &after.victim, &after.pid, &after.parent, &after.first); err != nil {
		t.Fatalf("%s: %v in %q", way, err, supervised)
	}
	if before.victim != 0 || before.pid != 1 || before.parent != 0 || before.pids != int(c.PidsLimit) {
		t.Errorf("without a supervisor: %s", plain)
	}
	if after.victim != 500 || after.pid == 1 || after.parent != 1 || after.first != "supervisor" || after.pids != int(c.PidsLimit)+supervisorShare {
		t.Errorf("%s: %s (want pids.max %s)", way, supervised, strconv.Itoa(int(c.PidsLimit)+supervisorShare))
	}
}
