package e2e

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"skillet/internal/testlog"
)

// web is a skillet that serves over HTTP.
type web struct {
	url     string // with the path
	process *os.Process
	stderr  *testlog.Buffer
	workdir string
	exit    chan error
}

// serveHTTP starts skillet on a free port with more flags.
func serveHTTP(t *testing.T, config string, env []string, flags ...string) *web {
	t.Helper()
	s := &web{stderr: &testlog.Buffer{}, workdir: t.TempDir(), exit: make(chan error, 1)}
	file := filepath.Join(s.workdir, "skills.toml")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(skillet, append([]string{"serve", "--config", file, "--workdir", s.workdir, "--http", "127.0.0.1:0"}, flags...)...)
	command.Env, command.Stderr = append(os.Environ(), env...), s.stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	s.process = command.Process
	go func() { s.exit <- command.Wait() }()
	t.Cleanup(func() {
		_ = s.process.Signal(syscall.SIGTERM)
		if err := <-s.exit; err != nil {
			t.Errorf("skillet ended with %v\n%s", err, s.stderr)
		}
		s.exit <- nil
		if left := s.containers(t); len(left) > 0 {
			t.Errorf("containers were left behind: %s", left)
		}
	})
	waitFor(t, "skillet to listen", func() bool {
		_, rest, _ := strings.Cut(s.stderr.String(), "url=")
		url, _, whole := strings.Cut(rest, "\n")
		s.url = url
		return whole
	})
	return s
}

// containers names those of this very server.
func (s *web) containers(t *testing.T) []string {
	t.Helper()
	return strings.Fields(docker(t, "ps", "-aq", "--filter", fmt.Sprintf("label=skillet.pid=%d", s.process.Pid)))
}

// bearerClient adds a token to every request.
type bearerClient struct {
	token string
	next  http.RoundTripper
}

func (c bearerClient) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+c.token)
	return c.next.RoundTrip(r)
}

// connect introduces a client of the official Go SDK.
func (s *web) connect(t *testing.T, version, token string) *mcp.ClientSession {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}}
	if token != "" {
		client.Transport = bearerClient{token, client.Transport}
	}
	return s.connectWith(t, version, client)
}

func (s *web) connectWith(t *testing.T, version string, client *http.Client) *mcp.ClientSession {
	t.Helper()
	session, err := mcp.NewClient(&mcp.Implementation{Name: "e2e", Version: "1"}, nil).
		Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: s.url, HTTPClient: client}, &mcp.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatalf("connecting: %v\n%s", err, s.stderr)
	}
	t.Cleanup(func() { session.Close() })
	return session
}

func runScript(ctx context.Context, session *mcp.ClientSession, text string) (string, error) {
	result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "e2e_sh", Arguments: script(text)})
	if err != nil {
		return "", err
	}
	return texts(result), nil
}

const (
	older = "2025-11-25"
	newer = "2026-07-28"
)

func TestBothErasAreServedOverHTTP(t *testing.T) {
	s := serveHTTP(t, sh, nil)
	for _, version := range []string{"2025-03-26", "2025-06-18", older, newer} {
		session := s.connect(t, version, "")
		if got := session.InitializeResult().ProtocolVersion; got != version {
			t.Errorf("%s: %s is spoken", version, got)
		}
		list, err := session.ListTools(t.Context(), nil)
		if err != nil || len(list.Tools) != 1 {
			t.Errorf("%s: got %v %v", version, list, err)
		}
		if got, err := runScript(t.Context(), session, "echo on"); got != "on\n" {
			t.Errorf("%s: got %q %v", version, got, err)
		}
	}
}

func TestAClientThatLeavesTakesItsContainerAlongAndNoOther(t *testing.T) {
	s := serveHTTP(t, sh, nil, "--max-idle", "0")
	for _, version := range []string{older, newer} {
		// Two clients that count their requests alike.
		leaves, stays := s.connect(t, version, ""), s.connect(t, version, "")
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() {
			_, err := runScript(ctx, leaves, "trap '' TERM; touch leaves; sleep 600")
			left <- err
		}()
		stayed := make(chan string, 1)
		go func() {
			got, err := runScript(t.Context(), stays, "touch stays; sleep 4; echo stayed")
			stayed <- fmt.Sprint(got, err)
		}()
		for _, name := range []string{"leaves", "stays"} {
			file := filepath.Join(s.workdir, name)
			waitFor(t, "the program to start", func() bool { return exists(file) })
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
		cancel()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: the call ended with %v", version, err)
		}
		begun := time.Now()
		waitFor(t, "the container to die", func() bool {
			return len(strings.Fields(docker(t, "ps", "-q", "--filter", fmt.Sprintf("label=skillet.pid=%d", s.process.Pid)))) < 2
		})
		if took := time.Since(begun); took > time.Second {
			t.Errorf("%s: the container died after %v", version, took)
		}
		if got := <-stayed; got != "stayed\n<nil>" {
			t.Errorf("%s: the other client got %s", version, got)
		}
	}
}

func TestCallsOverHTTPWaitInTheQueueAndAreToldWhenItIsFull(t *testing.T) {
	s := serveHTTP(t, sh, nil, "--max-concurrent", "1", "--max-queue", "2")
	first := s.connect(t, newer, "")
	var wait sync.WaitGroup
	call := func(session *mcp.ClientSession, text string) {
		wait.Go(func() {
			if got, err := runScript(t.Context(), session, text); err != nil || got != "The program ended well and wrote nothing." {
				t.Errorf("got %q %v", got, err)
			}
		})
	}
	call(first, "touch begun; sleep 3; echo first >> order")
	waitFor(t, "the first call to run", func() bool { return exists(filepath.Join(s.workdir, "begun")) })
	for _, name := range []string{"second", "third"} {
		call(s.connect(t, newer, ""), "echo "+name+" >> order")
		time.Sleep(300 * time.Millisecond) // so that it has arrived
	}
	if got, err := runScript(t.Context(), s.connect(t, older, ""), "echo fourth"); err != nil || !strings.Contains(got, "skillet is busy") {
		t.Errorf("a call too many got %q %v", got, err)
	}
	wait.Wait()
	order, err := os.ReadFile(filepath.Join(s.workdir, "order"))
	if err != nil || string(order) != "first\nsecond\nthird\n" {
		t.Errorf("the order was %q, %v", order, err)
	}
}

func TestAServerThatIsStoppedLetsCallsEndWithinTheGrace(t *testing.T) {
	s := serveHTTP(t, sh, nil, "--grace", "4s")
	session := s.connect(t, newer, "")
	quick, deaf := make(chan string, 1), make(chan string, 1)
	go func() {
		got, err := runScript(t.Context(), session, "touch quick; sleep 1; echo ended")
		quick <- fmt.Sprint(got, err)
	}()
	go func() {
		got, err := runScript(t.Context(), session, "trap '' TERM; touch deaf; sleep 600")
		deaf <- fmt.Sprint(got, err)
	}()
	waitFor(t, "the programs to start", func() bool {
		return exists(filepath.Join(s.workdir, "quick")) && exists(filepath.Join(s.workdir, "deaf"))
	})
	begun := time.Now()
	if err := s.process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := <-quick; got != "ended\n<nil>" {
		t.Errorf("the call that ends got %s", got)
	}
	if got := <-deaf; got != "The call was cancelled.<nil>" {
		t.Errorf("the call that does not end got %s", got)
	}
	err := <-s.exit
	s.exit <- nil
	if took := time.Since(begun); err != nil || took < 4*time.Second || took > 8*time.Second {
		t.Errorf("skillet ended after %v with %v\n%s", took, err, s.stderr)
	}
}

func TestReadinessFollowsTheEngine(t *testing.T) {
	p := &proxy{socket: filepath.Join(t.TempDir(), "engine.sock"), stop: func() {}}
	t.Cleanup(func() { p.stop() })
	s := serveHTTP(t, sh, []string{"DOCKER_HOST=unix://" + p.socket})
	status := func(path string) int {
		response, err := http.Get(strings.Replace(s.url, "/mcp", path, 1))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		return response.StatusCode
	}
	if got := status("/readyz"); got != http.StatusServiceUnavailable {
		t.Errorf("without an engine: %d", got)
	}
	if got := status("/healthz"); got != http.StatusOK {
		t.Errorf("healthz: %d", got)
	}
	p.start(t)
	waitFor(t, "readiness", func() bool { return status("/readyz") == http.StatusOK })
	p.stop()
	waitFor(t, "the end of readiness", func() bool { return status("/readyz") == http.StatusServiceUnavailable })
	p.start(t) // for the end, when containers are looked after
}

func TestTokensOfAFileAndOfTheEnvironmentLetIn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte("alice 0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serveHTTP(t, sh, []string{"TOKEN=fedcba9876543210"}, "--http-token-file", file, "--http-token-env", "TOKEN")
	for _, token := range []string{"0123456789abcdef", "fedcba9876543210"} {
		if got, err := runScript(t.Context(), s.connect(t, newer, token), "echo on"); got != "on\n" {
			t.Errorf("got %q %v", got, err)
		}
	}
	if !strings.Contains(s.stderr.String(), "client=alice") || strings.Contains(s.stderr.String(), "0123456789abcdef") {
		t.Errorf("the log does not name the client, or names the token: %s", s.stderr)
	}
	if status, challenge := s.knock(t, ""); status != http.StatusUnauthorized || challenge != "Bearer" {
		t.Errorf("got %d %q", status, challenge)
	}
}

// knock sends a message with a token and tells what the server says to it.
func (s *web) knock(t *testing.T, token string) (status int, challenge string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode, response.Header.Get("WWW-Authenticate")
}

func TestAccessTokensOfAnAuthorizationServerLetIn(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	authority := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":%q}]}`, base64.RawURLEncoding.EncodeToString(public))
	}))
	defer authority.Close()
	// The resource is the server's own URL, so that the port has to be known before.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	resource := "http://" + address + "/mcp"
	s := serveHTTP(t, sh, nil, "--http", address, "--http-oauth-issuer", authority.URL, "--http-oauth-jwks", authority.URL+"/jwks",
		"--http-oauth-resource", resource, "--http-oauth-scope", "tools")
	sign := func(audience, scope string, life time.Duration) string {
		token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{
			"iss": authority.URL, "aud": audience, "sub": "alice", "scope": scope, "exp": time.Now().Add(life).Unix(),
		})
		token.Header["kid"] = "k"
		signed, err := token.SignedString(private)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	for name, test := range map[string]struct {
		token  string
		status int
		error  string
	}{
		"none":           {"", 401, ""},
		"expired":        {sign(resource, "tools", -time.Hour), 401, "invalid_token"},
		"wrong audience": {sign("http://other/mcp", "tools", time.Hour), 401, "invalid_token"},
		"wrong scope":    {sign(resource, "other", time.Hour), 403, "insufficient_scope"},
		"good":           {sign(resource, "tools", time.Hour), 200, ""},
	} {
		status, challenge := s.knock(t, test.token)
		if status != test.status || !strings.Contains(challenge, test.error) {
			t.Errorf("%s: got %d %q", name, status, challenge)
		}
	}
	// A client finds its way from the challenge to the authorization server, as the SDK does.
	_, challenge := s.knock(t, "")
	_, metadata, _ := strings.Cut(challenge, `resource_metadata="`)
	metadata, _, _ = strings.Cut(metadata, `"`)
	got, err := oauthex.GetProtectedResourceMetadata(t.Context(), metadata, resource, http.DefaultClient)
	if err != nil || len(got.AuthorizationServers) != 1 || got.AuthorizationServers[0] != authority.URL || got.ScopesSupported[0] != "tools" {
		t.Errorf("%s: got %+v, %v", metadata, got, err)
	}
	if text, err := runScript(t.Context(), s.connect(t, newer, sign(resource, "tools", time.Hour)), "echo on"); text != "on\n" {
		t.Errorf("got %q %v", text, err)
	}
}

func TestTLSIsSpokenWithACertificate(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	pool := x509.NewCertPool()
	for name, block := range map[string]*pem.Block{"cert": {Type: "CERTIFICATE", Bytes: certificate}, "key": {Type: "PRIVATE KEY", Bytes: secret}} {
		text := pem.EncodeToMemory(block)
		pool.AppendCertsFromPEM(text)
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := serveHTTP(t, sh, nil, "--http-tls-cert", filepath.Join(dir, "cert"), "--http-tls-key", filepath.Join(dir, "key"))
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: http2}}
		if got, err := runScript(t.Context(), s.connectWith(t, newer, client), "echo on"); got != "on\n" {
			t.Errorf("%s: got %q %v", name, got, err)
		}
	}
	response, err := http.Post(strings.Replace(s.url, "https", "http", 1), "application/json", bytes.NewReader(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusBadRequest {
		t.Errorf("without TLS: got %s", response.Status)
	}
}
