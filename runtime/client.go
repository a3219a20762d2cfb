package runtime

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"
	"github.com/docker/go-connections/tlsconfig"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// oldestAPI is the first version that takes a platform and a cgroup namespace mode: Docker 20.10.
const oldestAPI = "1.41"

// dockerAPI is what this package asks of an engine. [client.Client] has it; tests put faults behind it.
type dockerAPI interface {
	ContainerCreate(ctx context.Context, config *container.Config, host *container.HostConfig, net *network.NetworkingConfig, platform *ocispec.Platform, name string) (container.CreateResponse, error)
	ContainerAttach(ctx context.Context, id string, options container.AttachOptions) (types.HijackedResponse, error)
	ContainerWait(ctx context.Context, id string, condition container.WaitCondition) (<-chan container.WaitResponse, <-chan error)
	ContainerStart(ctx context.Context, id string, options container.StartOptions) error
	ContainerKill(ctx context.Context, id, signal string) error
	ContainerInspect(ctx context.Context, id string) (container.InspectResponse, error)
	ContainerRemove(ctx context.Context, id string, options container.RemoveOptions) error
	ContainerList(ctx context.Context, options container.ListOptions) ([]container.Summary, error)
	ImageInspect(ctx context.Context, ref string, options ...client.ImageInspectOption) (image.InspectResponse, error)
	ImageBuild(ctx context.Context, tar io.Reader, options build.ImageBuildOptions) (build.ImageBuildResponse, error)
	ImagePull(ctx context.Context, ref string, options image.PullOptions) (io.ReadCloser, error)
	CopyToContainer(ctx context.Context, id, path string, content io.Reader, options container.CopyToContainerOptions) error
	CopyFromContainer(ctx context.Context, id, path string) (io.ReadCloser, container.PathStat, error)
	Events(ctx context.Context, options events.ListOptions) (<-chan events.Message, <-chan error)
	ServerVersion(ctx context.Context) (types.Version, error)
	Info(ctx context.Context) (system.Info, error)
	ClientVersion() string
	Close() error
}

// engine is one engine's address and, once it has answered, a client that speaks its version of the API.
//
// The SDK's own negotiation is not used: it happens once for the life of a client, only ever goes down, and its failure
// is passed over in silence, after which requests go out with a version that the engine may refuse. An engine that is
// upgraded or replaced under a running server would then be unusable until the server is restarted.
type engine struct {
	address string
	tls     *tls.Config // nil for none
	limits  limits
	connect func(context.Context) (dockerAPI, error) // negotiate, but for tests

	mu   sync.Mutex
	api  dockerAPI // nil until an engine has answered, and after it was lost
	arch *string   // of that engine's machine, nil until somebody has asked
}

// newEngine checks the address and the certificates, and makes no request.
func newEngine(options Options, limits limits) (*engine, error) {
	e := &engine{address: options.Host, limits: limits}
	if e.address == "" {
		e.address = client.DefaultDockerHost
	}
	e.connect = e.negotiate
	if err := checkAddress(e.address); err != nil {
		return nil, err
	}
	if strings.HasPrefix(e.address, "tcp://") && (options.TLSVerify || options.CertPath != "") {
		config, err := tlsConfig(options)
		if err != nil {
			return nil, &AddressError{Address: e.address, Reason: err.Error()}
		}
		e.tls = config
	}
	probe, err := e.newClient("")
	if err != nil {
		return nil, &AddressError{Address: e.address, Reason: err.Error()}
	}
	return e, probe.Close()
}

// checkAddress refuses what the SDK would take and fail with later, in words that do not name the cause.
func checkAddress(address string) error {
	scheme, rest, _ := strings.Cut(address, "://")
	fail := func(format string, args ...any) error {
		return &AddressError{Address: address, Reason: fmt.Sprintf(format, args...)}
	}
	switch scheme {
	case "unix", "npipe":
		if rest == "" {
			return fail("the path is missing")
		}
	case "tcp":
		host, _, _ := strings.Cut(rest, "/")
		if _, _, err := net.SplitHostPort(host); err != nil {
			return fail("%s, as in tcp://HOST:2376", err)
		}
	case "ssh":
		return fail("ssh is not supported; forward the engine's socket " +
			"(ssh -N -L /tmp/docker.sock:/var/run/docker.sock HOST) and use unix:///tmp/docker.sock")
	default:
		return fail("unknown scheme %q", scheme)
	}
	return nil
}

// tlsConfig reads what `docker` reads: ca.pem, cert.pem and key.pem in the certificate directory. Without TLSVerify the
// engine's certificate is not checked, also as with `docker`.
func tlsConfig(options Options) (*tls.Config, error) {
	if options.CertPath == "" {
		return nil, errors.New("TLS needs a directory with ca.pem, cert.pem and key.pem, and none is named")
	}
	return tlsconfig.Client(tlsconfig.Options{
		CAFile:             filepath.Join(options.CertPath, "ca.pem"),
		CertFile:           filepath.Join(options.CertPath, "cert.pem"),
		KeyFile:            filepath.Join(options.CertPath, "key.pem"),
		InsecureSkipVerify: !options.TLSVerify,
		ExclusiveRootPools: true,
	})
}

// newClient makes a client for one version of the API, "" for the newest that the SDK knows.
func (e *engine) newClient(version string) (*client.Client, error) {
	transport := &http.Transport{
		TLSClientConfig: e.tls,
		// The SDK's own 2 per host would close and reopen connections under a handful of calls at once.
		MaxIdleConns:        16,
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     30 * time.Second,
	}
	return client.NewClientWithOpts(
		client.WithHTTPClient(&http.Client{Transport: transport, CheckRedirect: client.CheckRedirect}),
		client.WithHost(e.address),
		client.WithVersion(version),
		client.WithUserAgent("skillet"),
	)
}

// session gives the client that speaks the engine's version, after asking for it where that is not known.
// Its error is an [EngineError], or ctx's.
func (e *engine) session(ctx context.Context) (dockerAPI, error) {
	e.mu.Lock()
	known := e.api
	e.mu.Unlock()
	if known != nil {
		return known, nil
	}
	// Not under the lock: callers must not queue up behind an engine that hangs.
	fresh, err := e.connect(ctx)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.api == nil {
		e.api, e.arch = fresh, nil
	}
	return e.api, nil
}

// architecture is the engine's machine's, in the words of Go or of uname(1); "" when it does not say.
func (e *engine) architecture(ctx context.Context, api dockerAPI) (string, error) {
	e.mu.Lock()
	known := e.arch
	if e.api != api {
		known = nil
	}
	e.mu.Unlock()
	if known != nil {
		return *known, nil
	}
	bounded, cancel := context.WithTimeout(ctx, e.limits.request)
	defer cancel()
	version, err := api.ServerVersion(bounded)
	if err != nil {
		return "", err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.api == api {
		e.arch = &version.Arch
	}
	return version.Arch, nil
}

// forget makes the next session negotiate anew.
func (e *engine) forget(lost dockerAPI) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.api == lost {
		e.api = nil
		_ = lost.Close() // only its idle connections; there is nothing that could fail
	}
}

func (e *engine) close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.api == nil {
		return nil
	}
	return e.api.Close()
}

func (e *engine) negotiate(ctx context.Context) (dockerAPI, error) {
	probe, err := e.newClient("")
	if err != nil {
		return nil, &AddressError{Address: e.address, Reason: err.Error()}
	}
	defer func() { _ = probe.Close() }()
	bounded, cancel := context.WithTimeout(ctx, e.limits.negotiate)
	defer cancel()
	pong, err := probe.Ping(bounded)
	if over(ctx) {
		return nil, ctx.Err()
	}
	fail := func(err error) (dockerAPI, error) {
		return nil, &EngineError{Address: e.address, Doing: "asking for its version", Err: err}
	}
	switch {
	case err != nil:
		return fail(e.diagnose(err))
	case pong.APIVersion == "":
		return fail(errors.New("what answers there is no Docker engine: it names no API version"))
	case pong.OSType == "windows":
		return fail(errors.New("it runs Windows containers, and skillet needs Linux containers"))
	case versions.LessThan(pong.APIVersion, oldestAPI):
		return fail(fmt.Errorf("its API version is %s, and skillet needs %s (Docker 20.10) or newer", pong.APIVersion, oldestAPI))
	}
	version := pong.APIVersion
	if versions.LessThan(api.DefaultVersion, version) {
		version = api.DefaultVersion
	}
	speaks, err := e.newClient(version)
	if err != nil {
		return fail(err)
	}
	return speaks, nil
}

// diagnose finds the cause of a failed connection. The SDK puts a question ("Is the docker daemon running?") in the
// place of the cause, and a missing socket and a refused connection need different answers from the operator.
func (e *engine) diagnose(err error) error {
	if !client.IsErrConnectionFailed(err) {
		return err
	}
	scheme, rest, _ := strings.Cut(e.address, "://")
	if scheme == "npipe" {
		return err
	}
	host, _, _ := strings.Cut(rest, "/")
	if scheme == "unix" {
		host = rest
	}
	conn, dialErr := net.DialTimeout(scheme, host, time.Second)
	if dialErr != nil {
		return dialErr
	}
	_ = conn.Close()
	return err
}
