package runtime

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// relay stands between a Runtime and the real engine. It can be cut off, which stands for an engine's end, and it can be
// reached in other ways than the engine.
type relay struct {
	listener net.Listener
	conns    chan net.Conn
}

// startRelay passes connections on to the engine's socket, until the test ends.
func startRelay(t *testing.T, listener net.Listener, engine string) *relay {
	t.Helper()
	r := &relay{listener: listener, conns: make(chan net.Conn, 100)}
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("unix", engine)
			if err != nil {
				_ = from.Close()
				continue
			}
			r.conns <- from
			r.conns <- to
			go forward(from, to)
			go forward(to, from)
		}
	}()
	t.Cleanup(r.stop)
	return r
}

// forward copies one direction and passes its end on.
func forward(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.(interface{ CloseWrite() error }).CloseWrite()
}

// stop ends all connections, as a dying engine does.
func (r *relay) stop() {
	_ = r.listener.Close()
	for {
		select {
		case conn := <-r.conns:
			_ = conn.Close()
		default:
			return
		}
	}
}

// engineSocket is the path of the engine's socket.
func engineSocket(t *testing.T) string {
	t.Helper()
	path, ok := strings.CutPrefix(engineHost(), "unix://")
	if !ok {
		t.Fatalf("this test relays a socket, and the engine is at %s", engineHost())
	}
	return path
}

func listenUnix(t *testing.T, path string) net.Listener {
	t.Helper()
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

func TestAnEngineMayComeAndGoUnderARunningServer(t *testing.T) {
	t.Parallel()
	newEngineRuntime(t) // fails where there is no engine
	path := newSocketPath(t)
	r, err := New(Options{Host: "unix://" + path})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.run(t.Context(), shell("true"), IO{}); !errors.As(err, new(*EngineError)) {
		t.Errorf("before the engine's start: %v", err)
	}
	up := startRelay(t, listenUnix(t, path), engineSocket(t))
	if got := output(t, r, shell("echo up")); got != "up" {
		t.Errorf("%q", got)
	}
	reader, writer := io.Pipe()
	go func() {
		_, _ = reader.Read(make([]byte, 10))
		up.stop()
	}()
	_, err = r.run(t.Context(), shell("echo begun; sleep 30"), IO{Stdout: writer})
	var lost *EngineError
	if !errors.As(err, &lost) || !lost.Started || !errors.As(err, new(*UnkilledError)) {
		t.Errorf("while the engine went away: %v", err)
	}
	startRelay(t, listenUnix(t, path), engineSocket(t))
	if got := output(t, r, shell("echo up again")); got != "up again" {
		t.Errorf("%q", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := r.Close(ctx); err != nil {
		t.Error(err)
	}
	checkNothingLeft(ctx, t, r)
}

// Over TLS the SDK attaches with a dialer of its own, and the end of the input is a message of TLS's.
func TestAnEngineCanBeReachedOverTLS(t *testing.T) {
	t.Parallel()
	newEngineRuntime(t) // fails where there is no engine
	dir, config := newCertificates(t)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	startRelay(t, listener, engineSocket(t))
	for _, verify := range []bool{true, false} {
		r, err := New(Options{Host: "tcp://" + listener.Addr().String(), TLSVerify: verify, CertPath: dir})
		if err != nil {
			t.Fatal(err)
		}
		c := shell("cat; echo end")
		c.Stdin = []byte(strings.Repeat("input ", 50_000))
		if got := output(t, r, c); got != string(c.Stdin)+"end" {
			t.Errorf("%d bytes", len(got))
		}
		if err := r.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	// Without the client's certificate the engine does not answer.
	r, err := New(Options{Host: "tcp://" + listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Ping(t.Context()); !errors.As(err, new(*EngineError)) {
		t.Errorf("without TLS: %v", err)
	}
}

// newCertificates makes ca.pem, cert.pem and key.pem, one certificate for all, and a server that asks for it.
func newCertificates(t *testing.T) (dir string, _ *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "test"},
		NotAfter:              time.Now().Add(time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	dir = t.TempDir()
	for name, content := range map[string][]byte{
		"ca.pem":   certificate,
		"cert.pem": certificate,
		"key.pem":  pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certificate)
	return dir, &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		ClientCAs:    pool,
		ClientAuth:   tls.RequireAndVerifyClientCert,
	}
}
