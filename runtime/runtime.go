package runtime

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// Options say which engine to use. The zero value means the local one.
type Options struct {
	Host      string       // unix://PATH or tcp://HOST:PORT (on Windows npipe:// too); "" for the local engine's socket
	TLSVerify bool         // check the certificate of an engine at tcp://
	CertPath  string       // directory of ca.pem, cert.pem and key.pem for tcp://; "" for no TLS
	Idle      IdleLimits   // of what [Runtime.Warm] keeps started
	Logger    *slog.Logger // nil discards
}

// Runtime runs plans on one engine. It is safe for concurrent use.
type Runtime struct {
	owner    owner // what its containers are labelled with
	engine   *engine
	removals *removals
	images   flights
	resolved resolved
	installs singleflight.Group // by volume
	pool     *pool
	limits   limits
	log      *slog.Logger
	warned   sync.Map // engine warnings that were logged already
}

// limits bound the waiting for an engine that does not answer. They are generous: a loaded engine is slow, and only one
// that hangs should meet them.
type limits struct {
	negotiate time.Duration // the engine's version
	request   time.Duration // a request that costs the engine little
	create    time.Duration // creating a container, which may copy a volume's content
	start     time.Duration // starting it
	word      time.Duration // what a supervisor may take to answer
	vanish    time.Duration // what the engine may take to remove a container by itself
	kill      time.Duration // from a kill to the exit that it brings about
	drain     time.Duration // silence after the exit, before the rest of the output is given up
	image     time.Duration // building or pulling an image
	retry     time.Duration // before the second attempt to remove a container; doubled for each further one
}

func defaultLimits() limits {
	return limits{
		negotiate: 10 * time.Second,
		request:   30 * time.Second,
		create:    2 * time.Minute,
		start:     2 * time.Minute,
		word:      700 * time.Millisecond,
		vanish:    10 * time.Second,
		kill:      10 * time.Second,
		drain:     2 * time.Second,
		image:     time.Hour,
		retry:     500 * time.Millisecond,
	}
}

// New makes a Runtime. It makes no request: the engine may be started later. Its error is an [AddressError].
func New(options Options) (*Runtime, error) {
	limits := defaultLimits()
	engine, err := newEngine(options, limits)
	if err != nil {
		return nil, err
	}
	log := options.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return newRuntime(engine, limits, options.Idle, log), nil
}

func newRuntime(engine *engine, limits limits, idle IdleLimits, log *slog.Logger) *Runtime {
	r := &Runtime{
		owner:    thisProcess(),
		engine:   engine,
		removals: newRemovals(engine, limits, log),
		resolved: resolved{limits: limits},
		limits:   limits,
		log:      log,
	}
	r.pool = newPool(r, idle)
	return r
}

// randomName gives 60 random bits in characters that a container's name may have.
func randomName() string { return strings.ToLower(rand.Text()[:12]) }

// Engine is what an engine says of itself.
type Engine struct {
	Address    string
	Version    string // the engine's own, such as "28.5.2"
	APIVersion string // the one that is spoken with it
	OS, Arch   string
	Kernel     string
}

// Ping asks the engine who it is. Its error is an [EngineError] or a [CancelledError].
func (r *Runtime) Ping(ctx context.Context) (Engine, error) {
	const doing = "asking for its version"
	api, err := r.engine.session(ctx)
	if err != nil {
		return Engine{}, r.failed(ctx, nil, err, doing)
	}
	bounded, cancel := context.WithTimeout(ctx, r.limits.request)
	defer cancel()
	version, err := api.ServerVersion(bounded)
	if err != nil {
		return Engine{}, r.failed(ctx, api, err, doing)
	}
	return Engine{
		Address:    r.engine.address,
		Version:    version.Version,
		APIVersion: api.ClientVersion(),
		OS:         version.Os,
		Arch:       version.Arch,
		Kernel:     version.KernelVersion,
	}, nil
}

// Close refuses further calls, lets go of idle containers, waits until those that run have ended and all containers are removed,
// or until ctx ends, and reports a [LeftoverError] when containers are left. It does not end calls: their own contexts do that.
func (r *Runtime) Close(ctx context.Context) error {
	r.pool.close(ctx)
	return errors.Join(r.removals.close(ctx), r.engine.close())
}
