package runtime

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAnAddressThatCannotBeUsedIsRefusedBeforeAnyRequest(t *testing.T) {
	for address, want := range map[string]string{
		"ssh://host":            "forward the engine's socket",
		"http://host:2375":      "unknown scheme",
		"/var/run/docker.sock":  "unknown scheme",
		"tcp://host":            "missing port",
		"unix://":               "the path is missing",
		"npipe:////./pipe/x":    "not available",
		"unix:///" + longPath(): "too long",
	} {
		_, err := New(Options{Host: address})
		var wrong *AddressError
		if !errors.As(err, &wrong) || wrong.Address != address || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "tcp://") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func longPath() string { return strings.Repeat("x", 200) }

func TestTLSNeedsCertificates(t *testing.T) {
	for _, options := range []Options{
		{Host: "tcp://127.0.0.1:2376", TLSVerify: true},
		{Host: "tcp://127.0.0.1:2376", CertPath: t.TempDir()},
	} {
		if _, err := New(options); !errors.As(err, new(*AddressError)) || !strings.Contains(err.Error(), "cert.pem") {
			t.Errorf("%+v: %v", options, err)
		}
	}
	// On a socket there is nothing to encrypt; DOCKER_CERT_PATH may be set for another engine.
	if _, err := New(Options{CertPath: t.TempDir(), TLSVerify: true}); err != nil {
		t.Error(err)
	}
}

// newSocketPath gives a path short enough for a socket.
func newSocketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sk")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "d.sock")
}

// serve answers on a socket like an engine of a version, until the test ends.
func serve(t *testing.T, path string, handler http.HandlerFunc) {
	t.Helper()
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
}

func TestAnEngineThatCannotBeUsedIsNamedWithTheReason(t *testing.T) {
	for name, c := range map[string]struct {
		headers map[string]string
		want    string
	}{
		"too old":      {map[string]string{"Api-Version": "1.40", "Ostype": "linux"}, "needs 1.41"},
		"no engine":    {nil, "no Docker engine"},
		"for Windows":  {map[string]string{"Api-Version": "1.51", "Ostype": "windows"}, "Linux containers"},
		"another page": {map[string]string{"Content-Type": "text/html"}, "no Docker engine"},
	} {
		t.Run(name, func(t *testing.T) {
			path := newSocketPath(t)
			serve(t, path, func(w http.ResponseWriter, _ *http.Request) {
				for key, value := range c.headers {
					w.Header().Set(key, value)
				}
			})
			r, err := New(Options{Host: "unix://" + path})
			if err != nil {
				t.Fatal(err)
			}
			_, err = r.Ping(t.Context())
			if !errors.As(err, new(*EngineError)) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestTheNewestCommonVersionIsSpokenWithAnEngine(t *testing.T) {
	for version, want := range map[string]string{"1.41": "/v1.41/version", "1.44": "/v1.44/version", "9.99": "/v1.51/version"} {
		path := newSocketPath(t)
		asked := make(chan string, 1)
		serve(t, path, func(w http.ResponseWriter, request *http.Request) {
			w.Header().Set("Api-Version", version)
			if request.URL.Path != "/_ping" {
				asked <- request.URL.Path
				_, _ = io.WriteString(w, "{}")
			}
		})
		r, err := New(Options{Host: "unix://" + path})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := <-asked; got != want {
			t.Errorf("version %s: %s", version, got)
		}
	}
}

func TestAnAbsentEngineIsAnErrorThatSaysSo(t *testing.T) {
	path := newSocketPath(t)
	r, err := New(Options{Host: "unix://" + path})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.run(t.Context(), fakePlan, IO{})
	var engine *EngineError
	if !errors.As(err, &engine) || !errors.Is(err, fs.ErrNotExist) || engine.Address != "unix://"+path {
		t.Errorf("error %v", err)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAnEngineThatHangsIsNotWaitedForForEver(t *testing.T) {
	path := newSocketPath(t)
	serve(t, path, func(_ http.ResponseWriter, request *http.Request) { <-request.Context().Done() })
	r, err := New(Options{Host: "unix://" + path})
	if err != nil {
		t.Fatal(err)
	}
	r.engine.limits.negotiate = 100 * time.Millisecond
	within(t, 2*time.Second, func() {
		_, err := r.run(t.Context(), fakePlan, IO{})
		if !errors.As(err, new(*EngineError)) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
}

func TestAPingThatIsCancelledIsNotTheEnginesFault(t *testing.T) {
	fake := newFakeEngine()
	fake.before["version"] = hang
	r := newFakeRuntime(t, fake)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := r.Ping(ctx); !errors.As(err, new(*CancelledError)) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := r.Ping(t.Context()); !errors.As(err, new(*EngineError)) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("hanging: %v", err)
	}
}
