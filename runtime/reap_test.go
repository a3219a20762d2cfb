package runtime

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"skillet/policy"

	"github.com/docker/docker/api/types/container"
)

// someTimeAgo is when the containers of these tests were created.
var someTimeAgo = time.Unix(1_700_000_000, 0)

// made is a container as an engine lists it: made by an owner for a call of a minute, with changes.
func made(by owner, keep bool, changes map[string]string) container.Summary {
	labels := by.labels(policy.Container{Skill: "x", Timeout: time.Minute, Keep: keep})
	maps.Copy(labels, changes)
	return container.Summary{ID: "id", Created: someTimeAgo.Unix(), State: container.StateRunning, Labels: labels}
}

// deadProcess is a process of this host that has ended.
func deadProcess(t *testing.T) owner {
	t.Helper()
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	o := thisProcess()
	o.pid, o.started = child.Process.Pid, processStart(child.Process.Pid)
	_ = child.Process.Kill()
	_ = child.Wait()
	return o
}

func TestOnlyAContainerThatProvablyHasNoOwnerIsReaped(t *testing.T) {
	this := thisProcess()
	if this.host == "" {
		t.Fatal("the system does not tell processes apart")
	}
	other := thisProcess() // another Runtime of this very process
	elsewhere := owner{instance: "elsewhere", host: "another boot", pid: 1, started: "1"}
	silent := owner{instance: "silent"}
	reused := deadProcess(t)
	reused.pid = os.Getpid() // its number was given out again

	const soon, late = 30 * time.Second, 2*time.Minute + time.Second
	for _, test := range []struct {
		name   string
		c      container.Summary
		age    time.Duration
		orphan bool
	}{
		{"its own", made(this, false, nil), late, false},
		{"of a living process", made(other, false, nil), late, false},
		{"of a dead process", made(deadProcess(t), false, nil), soon, true},
		{"of a dead process whose number is taken", made(reused, false, nil), soon, true},
		{"of another host, in its time", made(elsewhere, false, nil), soon, false},
		{"of another host, after its time", made(elsewhere, false, nil), late, true},
		{"of a system that does not tell, in its time", made(silent, false, nil), soon, false},
		{"of a system that does not tell, after its time", made(silent, false, nil), late, true},
		{"of another host, without a time", made(elsewhere, false, map[string]string{labelLifetime: "0"}), time.Hour, false},
		{"with labels that make no sense", made(elsewhere, false, map[string]string{labelLifetime: "x", labelPID: "x"}), time.Hour, false},
		{"to be kept and running without an owner", made(deadProcess(t), true, nil), soon, true},
	} {
		r := newFakeRuntime(t, newFakeEngine())
		r.owner = this
		if got := r.orphan(test.c, someTimeAgo.Add(test.age)); got != test.orphan {
			t.Errorf("%s: %v", test.name, got)
		}
	}
	kept := made(deadProcess(t), true, nil)
	kept.State = container.StateExited
	if newFakeRuntime(t, newFakeEngine()).orphan(kept, someTimeAgo) {
		t.Error("a kept container that has ended would be removed")
	}
}

// TestWhatAKilledSkilletLeftIsReaped runs a container in a process that is then killed: this test, once more.
func TestWhatAKilledSkilletLeftIsReaped(t *testing.T) {
	r := newEngineRuntime(t)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), isKilled+"=1")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	api := newSDKClient(t)
	var left container.Summary
	for deadline := time.Now().Add(20 * time.Second); left.ID == "" || left.State != container.StateRunning; time.Sleep(20 * time.Millisecond) {
		all, err := api.ContainerList(t.Context(), container.ListOptions{All: true})
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("the container does not appear: %v", err)
		}
		for _, c := range all {
			if c.Labels[labelPID] == fmt.Sprint(child.Process.Pid) {
				left = c
			}
		}
	}
	if reaped, err := r.Reap(t.Context()); err != nil || slices.Contains(reaped, left.ID) {
		t.Fatalf("the container of a living process was reaped: %v", err)
	}
	_ = child.Process.Kill()
	_ = child.Wait()
	if reaped, err := r.Reap(t.Context()); err != nil || !slices.Contains(reaped, left.ID) {
		t.Fatalf("reaped %v, not %s: %v", reaped, left.ID, err)
	}
	if err := r.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
	if _, err := api.ContainerInspect(t.Context(), left.ID); err == nil {
		t.Error("the container is still there")
	}
}

// TestMain makes of this program, when it is told so, the process that TestWhatAKilledSkilletLeftIsReaped kills.
func TestMain(m *testing.M) {
	if os.Getenv(isKilled) == "" {
		os.Exit(m.Run())
	}
	r, err := New(Options{Host: engineHost()})
	if err == nil {
		_, err = r.run(context.Background(), shell("trap '' TERM; sleep 600"), IO{})
	}
	fmt.Fprintln(os.Stderr, "the process that was to be killed has ended:", err)
	os.Exit(1)
}

const isKilled = "SKILLET_TEST_IS_KILLED"
