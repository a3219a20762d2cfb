package runtime

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"skillet/runtime/supervisor"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// fakeEngine is an engine whose programs write "out" and run until they are killed, and whose requests can be made to go
// wrong. It serves the tests of faults that no real engine has on demand.
type fakeEngine struct {
	mu         sync.Mutex
	containers map[string]*fakeContainer
	calls      []string
	before     map[string]func(context.Context) error // by method; an error is the answer, and nothing happens
	after      map[string]error                       // by method; it happens, and this is the answer
	pulling    string                                 // what the engine says while it pulls
	exits      bool                                   // programs end by themselves, with code
	code       int64
	deaf       []string // signals that programs do not die of
	list       []container.Summary
	now        time.Time
	imageID    string         // what every name of an image stands for
	arch       string         // of its machine; the zero value is one that there is no supervisor for
	supervisor fakeSupervisor // what runs in containers with a supervisor
}

type fakeContainer struct {
	running bool
	exit    chan container.WaitResponse // buffered
	broken  chan error                  // the wait's connection
	stream  net.Conn                    // the engine's end
	config  *container.Config
	host    *container.HostConfig
}

func newFakeEngine() *fakeEngine {
	return &fakeEngine{
		containers: map[string]*fakeContainer{},
		before:     map[string]func(context.Context) error{},
		after:      map[string]error{},
		imageID:    "sha256:old",
	}
}

// newFakeRuntime makes a Runtime on a fake engine, with little patience.
func newFakeRuntime(t *testing.T, fake *fakeEngine) *Runtime {
	t.Helper()
	limits := limits{
		negotiate: time.Second,
		request:   150 * time.Millisecond,
		create:    150 * time.Millisecond,
		start:     150 * time.Millisecond,
		kill:      100 * time.Millisecond,
		word:      50 * time.Millisecond,
		vanish:    100 * time.Millisecond,
		drain:     50 * time.Millisecond,
		image:     5 * time.Second,
		retry:     10 * time.Millisecond,
	}
	engine := &engine{address: "fake://", limits: limits}
	engine.connect = func(context.Context) (dockerAPI, error) { return fake, nil }
	return newRuntime(engine, limits, IdleLimits{}, slog.New(slog.DiscardHandler))
}

// hang answers when the request's context ends.
func hang(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// errBroken is what a connection says that was cut.
var errBroken = fmt.Errorf("error during connect: %w", io.ErrUnexpectedEOF)

func (f *fakeEngine) enter(ctx context.Context, method string) error {
	f.mu.Lock()
	f.calls = append(f.calls, method)
	before := f.before[method]
	f.mu.Unlock()
	if before != nil {
		return before(ctx)
	}
	return nil
}

func (f *fakeEngine) called(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	count := 0
	for _, call := range f.calls {
		if call == method {
			count++
		}
	}
	return count
}

func (f *fakeEngine) names() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for name := range f.containers {
		names = append(names, name)
	}
	return names
}

func (f *fakeEngine) find(name string) (*fakeContainer, error) {
	c, ok := f.containers[name]
	if !ok {
		return nil, fmt.Errorf("No such container: %s: %w", name, cerrdefs.ErrNotFound)
	}
	return c, nil
}

func (f *fakeEngine) ContainerCreate(ctx context.Context, config *container.Config, host *container.HostConfig, _ *network.NetworkingConfig, _ *ocispec.Platform, name string) (container.CreateResponse, error) {
	if err := f.enter(ctx, "create"); err != nil {
		return container.CreateResponse{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if config != nil && strings.HasPrefix(config.Image, "sha256:") && config.Image != f.imageID {
		return container.CreateResponse{}, fmt.Errorf("No such image: %s: %w", config.Image, cerrdefs.ErrNotFound)
	}
	if _, taken := f.containers[name]; taken {
		return container.CreateResponse{}, fmt.Errorf("the name %s is taken: %w", name, cerrdefs.ErrConflict)
	}
	f.containers[name] = &fakeContainer{
		exit: make(chan container.WaitResponse, 1), broken: make(chan error, 1), config: config, host: host,
	}
	return container.CreateResponse{ID: name}, f.after["create"]
}

func (f *fakeEngine) ContainerAttach(ctx context.Context, name string, _ container.AttachOptions) (types.HijackedResponse, error) {
	if err := f.enter(ctx, "attach"); err != nil {
		return types.HijackedResponse{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.find(name)
	if err != nil {
		return types.HijackedResponse{}, err
	}
	ours, theirs := net.Pipe()
	c.stream = theirs
	return types.HijackedResponse{Conn: ours, Reader: bufio.NewReader(ours)}, nil
}

func (f *fakeEngine) ContainerWait(ctx context.Context, name string, _ container.WaitCondition) (<-chan container.WaitResponse, <-chan error) {
	results, errs := make(chan container.WaitResponse), make(chan error, 1)
	if err := f.enter(ctx, "wait"); err != nil {
		errs <- err
		return results, errs
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.find(name)
	if err != nil {
		errs <- err
		return results, errs
	}
	go func() {
		select {
		case response := <-c.exit:
			results <- response // as the SDK does: somebody has to take it
		case err := <-c.broken:
			errs <- err
		case <-ctx.Done():
			errs <- ctx.Err()
		}
	}()
	return results, errs
}

func (f *fakeEngine) ContainerStart(ctx context.Context, name string, _ container.StartOptions) error {
	if err := f.enter(ctx, "start"); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.find(name)
	if err != nil {
		return err
	}
	c.running = true
	if c.host.AutoRemove {
		go f.supervise(name, c)
		return f.after["start"]
	}
	go func() {
		_, _ = stdcopy.NewStdWriter(c.stream, stdcopy.Stdout).Write([]byte("out"))
		if f.exits {
			f.mu.Lock()
			defer f.mu.Unlock()
			c.end(f.code)
		}
	}()
	return f.after["start"]
}

func (c *fakeContainer) end(code int64) {
	if c.running {
		c.running = false
		c.exit <- container.WaitResponse{StatusCode: code}
		_ = c.stream.Close()
	}
}

func (f *fakeEngine) ContainerKill(ctx context.Context, name, signal string) error {
	if err := f.enter(ctx, "kill "+signal); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.find(name)
	if err != nil {
		return err
	}
	if !slices.Contains(f.deaf, signal) {
		c.end(map[string]int64{"SIGTERM": 143, "SIGKILL": 137}[signal])
		if c.host.AutoRemove {
			delete(f.containers, name)
		}
	}
	return nil
}

func (f *fakeEngine) ContainerInspect(ctx context.Context, _ string) (container.InspectResponse, error) {
	if err := f.enter(ctx, "inspect"); err != nil {
		return container.InspectResponse{}, err
	}
	state := &container.State{OOMKilled: true}
	return container.InspectResponse{ContainerJSONBase: &container.ContainerJSONBase{State: state}}, nil
}

func (f *fakeEngine) ContainerList(context.Context, container.ListOptions) ([]container.Summary, error) {
	return f.list, nil
}

func (f *fakeEngine) Info(context.Context) (system.Info, error) {
	return system.Info{SystemTime: f.now.Format(time.RFC3339Nano)}, nil
}

func (f *fakeEngine) ContainerRemove(ctx context.Context, name string, options container.RemoveOptions) error {
	if err := f.enter(ctx, "remove"); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.find(name)
	if err != nil {
		return err
	}
	if !options.Force || !options.RemoveVolumes {
		return errors.New("a removal without force or volumes")
	}
	if c.stream != nil {
		c.end(137)
	}
	delete(f.containers, name)
	return f.after["remove"]
}

func (f *fakeEngine) ImageInspect(ctx context.Context, _ string, _ ...client.ImageInspectOption) (image.InspectResponse, error) {
	if err := f.enter(ctx, "image inspect"); err != nil {
		return image.InspectResponse{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return image.InspectResponse{ID: f.imageID, Os: "linux", Architecture: "amd64"}, nil
}

func (f *fakeEngine) ImageBuild(ctx context.Context, _ io.Reader, _ build.ImageBuildOptions) (build.ImageBuildResponse, error) {
	return build.ImageBuildResponse{}, f.enter(ctx, "build")
}

func (f *fakeEngine) ImagePull(ctx context.Context, _ string, _ image.PullOptions) (io.ReadCloser, error) {
	if err := f.enter(ctx, "pull"); err != nil {
		return nil, err
	}
	return io.NopCloser(strings.NewReader(f.pulling)), nil
}

func (f *fakeEngine) CopyToContainer(ctx context.Context, _, _ string, _ io.Reader, _ container.CopyToContainerOptions) error {
	return f.enter(ctx, "copy to")
}

// CopyFromContainer gives the supervisor, as a volume has it that is as it should be.
func (f *fakeEngine) CopyFromContainer(ctx context.Context, _, _ string) (io.ReadCloser, container.PathStat, error) {
	binary, _ := supervisor.For(f.arch)
	return io.NopCloser(archive(binary.Bytes)), container.PathStat{}, f.enter(ctx, "copy from")
}

func (f *fakeEngine) Events(ctx context.Context, _ events.ListOptions) (<-chan events.Message, <-chan error) {
	errs := make(chan error, 1)
	errs <- errors.Join(f.enter(ctx, "events"), errBroken)
	return nil, errs
}

func (f *fakeEngine) ServerVersion(ctx context.Context) (types.Version, error) {
	return types.Version{Arch: f.arch}, f.enter(ctx, "version")
}

func (f *fakeEngine) ClientVersion() string { return "1.41" }

func (f *fakeEngine) Close() error { return nil }
