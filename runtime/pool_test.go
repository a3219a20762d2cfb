package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"skillet/policy"
	"skillet/runtime/supervisor/wire"

	"github.com/docker/docker/api/types/image"
)

// A call may use a container that was started for another one only when nothing else is different but what the order says.
func TestOnlyArgumentsVariablesAndInputMayDifferFromThePools(t *testing.T) {
	inTheOrder := map[string]bool{"Entrypoint": true, "Command": true, "Env": true, "Stdin": true}
	plain := goldens()["plain"]
	of := reflect.TypeOf(plain)
	for i := range of.NumField() {
		name := of.Field(i).Name
		changed := plain
		setSomething(t, reflect.ValueOf(&changed).Elem().Field(i))
		if same := shelfKey(plain) == shelfKey(changed); same != inTheOrder[name] {
			t.Errorf("with another %s, a container that was started before can be used: %t", name, same)
		}
	}
	gpus := goldens()["devices"]
	before := shelfKey(gpus)
	gpus.Env = []string{"NVIDIA_VISIBLE_DEVICES=1"}
	if before == shelfKey(gpus) {
		t.Error("variables that an engine's hooks read are not in the order")
	}
}

func TestASkillThatIsWarmByUseFollowsItsUse(t *testing.T) {
	start := time.Now()
	s := &shelf{spec: policy.Container{Warm: policy.WarmAuto}}
	at := func(after time.Duration, want int, what string) {
		t.Helper()
		if got := s.wants(start.Add(after)); got != want {
			t.Errorf("%s: %d wanted, not %d", what, got, want)
		}
	}
	at(0, 0, "before the first call")
	s.use(start)
	at(0, 1, "after the first call")
	for i := range 3 {
		s.use(start.Add(10*time.Second + time.Duration(i)*300*time.Millisecond))
	}
	at(11*time.Second, 3, "after three calls within a second")
	at(65*time.Second, 3, "in the same minute")
	at(72*time.Second, 1, "a minute later")
	at(6*time.Minute, 0, "five minutes after the last call")
	for range 20 {
		s.use(start.Add(10 * time.Minute))
	}
	at(10*time.Minute, mostBySkill, "after a burst")
	s = &shelf{spec: policy.Container{Warm: 3}}
	at(time.Hour, 3, "with a number")
}

func TestContainersThatCannotBeMadeAreTriedLessAndLessOften(t *testing.T) {
	now := time.Now()
	s := &shelf{spec: policy.Container{Warm: 1}}
	pauses := []time.Duration{}
	for range 9 {
		s.failed(now)
		if s.lacks(now) {
			t.Fatal("tried again at once")
		}
		pauses = append(pauses, s.retryAt.Sub(now))
	}
	if pauses[0] != firstRetry || pauses[1] != 2*firstRetry || pauses[8] != longestRetry {
		t.Error(pauses)
	}
}

// idle counts the containers that wait.
func (p *pool) idle() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	count := 0
	for _, s := range p.shelves {
		count += len(s.ready)
	}
	return count
}

func warmShell(script string, n int) policy.Container {
	c := shell(script)
	c.Warm = n
	return c
}

func TestEachCallHasAContainerOfItsOwnAlsoWhenItWaitedForIt(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	warm(t, r, warmShell("", 2))
	seen := map[string]bool{}
	for i := range 5 {
		c := warmShell(fmt.Sprintf(`echo "$0 $A $(cat)"; ls /tmp; echo left >/tmp/left-%d`, i), 2)
		c.Env, c.Stdin = []string{fmt.Sprintf("A=env %d", i)}, []byte(fmt.Sprintf("input %d", i))
		c.Command = append(c.Command, fmt.Sprintf("arg %d", i))
		waitUntil(t, "a container", func() bool { return r.pool.idle() > 0 })
		result := mustRun(t, r, c)
		if want := fmt.Sprintf("arg %[1]d env %[1]d input %[1]d\n", i); string(result.Stdout.Data) != want || !result.Warm || result.ExitCode != 0 {
			t.Errorf("warm %t, %s, want %q", result.Warm, brief(result), want)
		}
		if seen[result.Container] {
			t.Errorf("%s was used twice", result.Container)
		}
		seen[result.Container] = true
	}
}

func TestAContainerThatDiedWhileItWaitedIsReplacedAndNobodyNotices(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	api := newSDKClient(t)
	warm(t, r, warmShell("", 2))
	for _, pause := range []time.Duration{0, 200 * time.Millisecond} {
		waitUntil(t, "both containers", func() bool { return r.pool.idle() == 2 })
		r.pool.mu.Lock()
		var names []string
		for _, s := range r.pool.shelves {
			for _, one := range s.ready {
				names = append(names, one.request.Name)
			}
		}
		r.pool.mu.Unlock()
		for _, name := range names {
			if err := api.ContainerKill(t.Context(), name, "KILL"); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(pause)
		if got := output(t, r, warmShell("echo works", 2)); got != "works" {
			t.Errorf("%q", got)
		}
	}
	waitUntil(t, "new containers", func() bool { return r.pool.idle() == 2 })
}

func TestAnotherImageOfTheSameNameIsTheOneThatRuns(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	name := "skillet-runtime-test-" + randomName()
	api := newSDKClient(t)
	t.Cleanup(func() {
		for _, tag := range []string{name, name + ":first"} {
			_, _ = api.ImageRemove(context.Background(), tag, image.RemoveOptions{Force: true})
		}
	})
	build := func(version string) policy.Container {
		c := warmShell("echo $VERSION", 2)
		c.Image, c.Build = name, writeTree(t, map[string]string{"Dockerfile": "FROM " + baseImage + "\nENV VERSION=" + version + "\n"})
		if err := r.ensureImage(t.Context(), c, ImageOptions{Force: true}); err != nil {
			t.Fatal(err)
		}
		c.Build = "" // it is there
		return c
	}
	c := build("one")
	warm(t, r, c)
	if got := output(t, r, c); got != "one" {
		t.Errorf("%q", got)
	}
	waitUntil(t, "both containers", func() bool { return r.pool.idle() == 2 })
	if err := api.ImageTag(t.Context(), name, name+":first"); err != nil {
		t.Fatal(err)
	}
	build("two")
	if got := output(t, r, c); got != "two" {
		t.Errorf("after another build: %q", got)
	}
	isWarm := func(version string) func() bool {
		return func() bool {
			result := mustRun(t, r, c)
			return result.Warm && string(result.Stdout.Data) == version+"\n"
		}
	}
	waitUntil(t, "containers of the new image", isWarm("two"))
	// Somebody else gives the name back to the first one.
	if err := api.ImageTag(t.Context(), name+":first", name); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	if got := output(t, r, c); got != "one" {
		t.Errorf("after the name was given to another image: %q", got)
	}
	waitUntil(t, "containers of the first image", isWarm("one"))
}

func TestADirectoryThatWasReplacedIsMountedAnew(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	dir := filepath.Join(t.TempDir(), "work")
	put := func(content string) {
		t.Helper()
		if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "file"), []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	put("old")
	c := warmShell("cat /work/file", 1)
	c.Mounts = []policy.Mount{{Type: policy.MountBind, Source: dir, Target: "/work"}}
	warm(t, r, c)
	if err := os.Rename(dir, dir+"-old"); err != nil {
		t.Fatal(err)
	}
	put("new")
	result := mustRun(t, r, c)
	if string(result.Stdout.Data) != "new" || result.Warm {
		t.Errorf("warm %t, %s", result.Warm, brief(result))
	}
	waitUntil(t, "a container with the new directory", func() bool {
		result := mustRun(t, r, c)
		return result.Warm && string(result.Stdout.Data) == "new"
	})
}

func TestNoMoreContainersWaitThanAllowed(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	r.pool.limits = IdleLimits{Containers: 3, Memory: 2 * IdleMemory}
	if most := r.pool.limits.most(); most != 2 {
		t.Fatalf("%d may wait", most)
	}
	one, other := warmShell("", 2), warmShell("echo other", 2)
	other.Hostname = "other"
	r.pool.keep([]policy.Container{one, other})
	waitUntil(t, "two containers", func() bool { return r.pool.idle() == 2 })
	time.Sleep(time.Second)
	if got := r.pool.idle(); got != 2 {
		t.Errorf("%d wait", got)
	}
	// Who is called takes the place of who is not.
	waitUntil(t, "a container for the one that is called", func() bool { return mustRun(t, r, other).Warm })
	if got := r.pool.idle(); got > 2 {
		t.Errorf("%d wait", got)
	}
}

func TestWhatIsKeptStartedFollowsThePlans(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	one, other := warmShell("", 1), warmShell("", 1)
	other.Hostname = "other"
	warm(t, r, one)
	warm(t, r, other)
	if result := mustRun(t, r, one); result.Warm {
		t.Error("a container waited for a plan that is not kept any more")
	}
	if result := mustRun(t, r, other); !result.Warm {
		t.Error("none waited for the new plan")
	}
	r.pool.keep(nil)
	waitUntil(t, "all containers to go", func() bool { return r.pool.idle() == 0 })
	if result := mustRun(t, r, other); result.Warm || result.ExitCode != 0 {
		t.Errorf("warm %t, %s", result.Warm, brief(result))
	}
}

func TestCallsBeyondWhatWaitsAreMadeAsWell(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	warm(t, r, warmShell("", 2))
	var calls sync.WaitGroup
	var mu sync.Mutex
	waited := 0
	for i := range 10 {
		calls.Go(func() {
			result, err := r.run(t.Context(), warmShell(fmt.Sprint("echo ", i), 2), IO{})
			if err != nil || strings.TrimSpace(string(result.Stdout.Data)) != fmt.Sprint(i) {
				t.Errorf("call %d: %s, %v", i, brief(result), err)
			}
			mu.Lock()
			defer mu.Unlock()
			if result.Warm {
				waited++
			}
		})
	}
	calls.Wait()
	if waited < 2 {
		t.Errorf("%d calls had a container that waited, and there were two", waited)
	}
}

// A container that has taken the order may have run it: whatever becomes of it, no other one gets the order.
func TestACallThatWasTakenIsNeverMadeAgain(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	api := newSDKClient(t)
	dir := t.TempDir()
	c := warmShell(`echo x >>/work/runs; sleep 60`, 3)
	c.Mounts = []policy.Mount{{Type: policy.MountBind, Source: dir, Target: "/work"}}
	warm(t, r, c)
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		for {
			if runs, _ := os.ReadFile(filepath.Join(dir, "runs")); len(runs) > 0 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		containers, err := api.ContainerList(context.Background(), listOf(r))
		if err != nil {
			t.Error(err)
		}
		for _, one := range containers {
			_ = api.ContainerKill(context.Background(), one.ID, "KILL")
		}
	}()
	_, err := r.run(t.Context(), c, IO{})
	<-killed
	if !errors.As(err, new(*LostError)) {
		t.Errorf("%v", err)
	}
	time.Sleep(500 * time.Millisecond)
	if runs, _ := os.ReadFile(filepath.Join(dir, "runs")); string(runs) != "x\n" {
		t.Errorf("it ran %d times", strings.Count(string(runs), "x"))
	}
}

// The order is not carried out without the word to do so: so an order that was not accepted in time has done nothing.
func TestAnOrderIsNotCarriedOutBeforeTheWord(t *testing.T) {
	t.Parallel()
	r := newEngineRuntime(t)
	dir := t.TempDir()
	c := warmShell(`echo x >>/work/runs`, 1)
	c.Mounts = []policy.Mount{{Type: policy.MountBind, Source: dir, Target: "/work"}}
	s, h := mustLaunch(t, r, c)
	order := wire.OrderFrame{Args: h.image.argv(c)}
	s.order(order, &task{newCapture(1, nil), newCapture(1, nil)}, false)
	<-s.accepted
	s.leave()
	waitUntil(t, "its end", func() bool { return isClosed(s.ended) })
	time.Sleep(200 * time.Millisecond)
	if runs, err := os.ReadFile(filepath.Join(dir, "runs")); err == nil {
		t.Errorf("it ran: %q", runs)
	}
}

// BenchmarkBursts empties a full pool at once, again and again: 16 calls for 16 containers.
//
//	go test -run '^$' -bench Bursts -benchtime 200x ./runtime
func BenchmarkBursts(b *testing.B) {
	const size = 16
	r, err := New(Options{Host: engineHost(), Idle: IdleLimits{Containers: size, Memory: size * IdleMemory}})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := r.Close(context.Background()); err != nil {
			b.Error(err)
		}
	}()
	c := warmShell("", size)
	r.pool.keep([]policy.Container{c})
	var busy time.Duration
	cold := 0
	for burst := range b.N {
		for r.pool.idle() < size {
			time.Sleep(5 * time.Millisecond)
		}
		begun := time.Now()
		var calls sync.WaitGroup
		var mu sync.Mutex
		for i := range size {
			calls.Go(func() {
				want := fmt.Sprintf("%d %d\n", burst, i)
				result, err := r.run(context.Background(), warmShell("echo "+want, size), IO{})
				mu.Lock()
				defer mu.Unlock()
				if err != nil || string(result.Stdout.Data) != want || result.ExitCode != 0 {
					b.Errorf("burst %d, call %d: %s, %v", burst, i, brief(result), err)
				}
				if !result.Warm {
					cold++
				}
			})
		}
		calls.Wait()
		busy += time.Since(begun)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(size*b.N)/busy.Seconds(), "calls/s")
	b.ReportMetric(float64(cold), "cold")
}
