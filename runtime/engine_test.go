package runtime

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"skillet/policy"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"
)

// The tests that run real containers use this image. scripts/base-image.sh makes it.
const baseImage = "debian:bookworm-slim"

// engineHost is the engine that the tests use.
func engineHost() string {
	if host := os.Getenv(client.EnvOverrideHost); host != "" {
		return host
	}
	return client.DefaultDockerHost
}

// newEngineRuntime gives a Runtime on the real engine. The test fails where none answers, and when it leaves a container.
func newEngineRuntime(t *testing.T) *Runtime {
	t.Helper()
	r, err := New(Options{Host: engineHost()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Ping(t.Context()); err != nil {
		t.Fatalf("this test needs a Docker engine: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := r.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
		checkNothingLeft(ctx, t, r)
	})
	return r
}

// newSDKClient is the engine without this package, to look at it from the side.
func newSDKClient(t *testing.T) *client.Client {
	t.Helper()
	api, err := client.NewClientWithOpts(client.WithHost(engineHost()), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = api.Close() })
	return api
}

// listOf asks for all containers of a Runtime.
func listOf(r *Runtime) container.ListOptions {
	return container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", labelInstance+"="+r.owner.instance))}
}

func checkNothingLeft(ctx context.Context, t *testing.T, r *Runtime) {
	t.Helper()
	// An engine lists what it removes for some milliseconds after it has said that it is gone, without its name.
	for deadline := time.Now().Add(time.Second); ; time.Sleep(10 * time.Millisecond) {
		left, err := newSDKClient(t).ContainerList(ctx, listOf(r))
		if err != nil {
			t.Fatalf("listing containers: %v", err)
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			for _, c := range left {
				t.Errorf("left behind: %s %v (%s)", c.ID, c.Names, c.Status)
			}
			return
		}
	}
}

// shell is a container that runs a script, as a skill of the defaults would be approved.
func shell(script string) policy.Container {
	return policy.Container{
		Skill:      "runtime-test",
		Image:      baseImage,
		Entrypoint: []string{"/bin/sh", "-c"},
		Command:    []string{script},
		Network:    "none",
		Memory:     256 << 20,
		MemorySwap: 256 << 20,
		NanoCPUs:   1_000_000_000,
		PidsLimit:  64,
		Timeout:    time.Minute,
		MaxOutput:  1 << 20,
	}
}

// mustRun runs a container whose call succeeds.
func mustRun(t *testing.T, r *Runtime, c policy.Container) Result {
	t.Helper()
	result, err := r.run(t.Context(), c, IO{})
	if err != nil {
		t.Fatalf("%v\n%s%s", err, result.Stdout.Data, result.Stderr.Data)
	}
	return result
}

// output is what a script writes, without surrounding space; it has to succeed.
func output(t *testing.T, r *Runtime, c policy.Container) string {
	t.Helper()
	result := mustRun(t, r, c)
	if result.ExitCode != 0 {
		t.Fatalf("exit code %d: %s", result.ExitCode, result.Stderr.Data)
	}
	return strings.TrimSpace(string(result.Stdout.Data))
}

// brief is a result to print, whose streams can be long.
func brief(r Result) string {
	cut := func(s Stream) string {
		return fmt.Sprintf("%.100q and %d bytes", s.Data[:min(len(s.Data), 100)], s.Dropped)
	}
	return fmt.Sprintf("exit code %d (%s), out of memory %v, incomplete %v, after %s, stdout %s, stderr %s",
		r.ExitCode, r.Signal, r.OOMKilled, r.Incomplete, r.Duration, cut(r.Stdout), cut(r.Stderr))
}
