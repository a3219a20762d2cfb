package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"
)

// variant is a way to run the program once in a fresh container.
type variant int

const (
	dockerRun variant = iota
	plainAPI
	cold
	warm
)

// variants are all, in the order of the tables. The first is what the others are compared with.
var variants = []variant{dockerRun, plainAPI, cold, warm}

func (v variant) String() string {
	return [...]string{"docker run", "Engine API", "skillet, cold", "skillet, warm"}[v]
}

// greeting is what the program has to print, or else something other than a call was measured.
const greeting = "hi\n"

// call makes one call and returns when its output is there and the program is known to have ended.
func (b *bench) call(ctx context.Context, v variant) error {
	var output string
	var err error
	switch v {
	case dockerRun:
		output, err = b.dockerRun(ctx)
	case plainAPI:
		output, err = b.plainAPI(ctx)
	case cold:
		output, err = b.cold.call(ctx)
	case warm:
		output, err = b.warm.call(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", v, err)
	}
	if output != greeting {
		return fmt.Errorf("%s: the program has printed %q, not %q", v, output, greeting)
	}
	return nil
}

func (b *bench) dockerRun(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, "docker", "run", "--rm", "--network", "none", b.image, "echo", "hi")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	return string(output), nil
}

// plainAPI is what one writes first with the SDK: the same container as that of `docker run`, with one request after the
// other on one client, and without what skillet does to be safe or fast.
func (b *bench) plainAPI(ctx context.Context) (_ string, err error) {
	created, err := b.docker.ContainerCreate(ctx,
		&container.Config{Image: b.image, Cmd: []string{"echo", "hi"}, AttachStdout: true, AttachStderr: true},
		&container.HostConfig{NetworkMode: "none"}, nil, nil, "")
	if err != nil {
		return "", err
	}
	defer func() {
		removeErr := b.docker.ContainerRemove(context.WithoutCancel(ctx), created.ID, container.RemoveOptions{Force: true})
		if err == nil {
			err = removeErr
		}
	}()
	stream, err := b.docker.ContainerAttach(ctx, created.ID, container.AttachOptions{Stream: true, Stdout: true, Stderr: true})
	if err != nil {
		return "", err
	}
	defer stream.Close()
	if err := b.docker.ContainerStart(ctx, created.ID, container.StartOptions{}); err != nil {
		return "", err
	}
	var stdout, stderr bytes.Buffer
	if _, err := stdcopy.StdCopy(&stdout, &stderr, stream.Reader); err != nil {
		return "", err
	}
	return stdout.String(), exited(ctx, b.docker, created.ID)
}

// exited waits for the end of a container.
func exited(ctx context.Context, docker *client.Client, id string) error {
	answers, errs := docker.ContainerWait(ctx, id, container.WaitConditionNotRunning)
	select {
	case answer := <-answers:
		if answer.StatusCode != 0 {
			return fmt.Errorf("the program has ended with %d", answer.StatusCode)
		}
		return nil
	case err := <-errs:
		return err
	}
}
