package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/docker/docker/client"
)

// bench is what the measurements share.
type bench struct {
	settings
	plan   plan
	dir    string         // for the files of this run
	docker *client.Client // of the Engine API, for one of the variants and for what is asked about containers

	cold, warm *server // of the loads
}

// newBench makes sure that what is measured is there.
func newBench(ctx context.Context, s settings, p plan, dir string) (*bench, error) {
	docker, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, err
	}
	b := &bench{settings: s, plan: p, dir: dir, docker: docker}
	if _, err := os.Stat(s.skillet); err != nil {
		return nil, fmt.Errorf("the program is missing, run `make build`: %w", err)
	}
	if _, err := docker.ImageInspect(ctx, s.image); err != nil {
		return nil, fmt.Errorf("the image is missing, run `make base`: %w", err)
	}
	return b, nil
}

func (b *bench) close() { _ = b.docker.Close() }

// pair starts a server without warm containers and one with them. Both are closed together.
func (b *bench) pair(ctx context.Context, engine string, flags ...string) (cold, warm *server, err error) {
	cold, err = b.start(ctx, launch{config: b.echoSkill("0"), flags: flags, engine: engine})
	if err != nil {
		return nil, nil, err
	}
	warm, err = b.start(ctx, launch{config: b.echoSkill(b.settings.warm), flags: flags, engine: engine})
	if err != nil {
		return nil, nil, errors.Join(err, cold.close())
	}
	return cold, warm, nil
}

// settle lets what has been begun come to its end.
func (b *bench) settle(ctx context.Context, times int) error {
	return pause(ctx, time.Duration(times)*b.plan.settle)
}

// pause waits, but not beyond the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// describe says where and with what it was measured.
func (b *bench) describe(ctx context.Context, r *results) error {
	version, err := b.docker.ServerVersion(ctx)
	if err != nil {
		return err
	}
	info, err := b.docker.Info(ctx)
	if err != nil {
		return err
	}
	r.Date = time.Now()
	r.Machine = fmt.Sprintf("%d processors (%s), %.0f GiB of memory, %s, kernel %s, Docker %s, storage driver %s, cgroup version %s",
		info.NCPU, runtime.GOARCH, float64(info.MemTotal)/(1<<30), info.OperatingSystem, kernel(info.KernelVersion), version.Version, info.Driver, info.CgroupVersion)
	return nil
}

// kernel leaves out what a distributor or a provider has put after the version.
func kernel(version string) string {
	number, _, _ := strings.Cut(version, "-")
	return number
}
