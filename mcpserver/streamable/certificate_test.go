package streamable_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"skillet/mcpserver/streamable"
)

// certify writes a certificate with a serial number, and its key.
func certify(t *testing.T, serial int64, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: certificate}, keyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		// Files may change faster than a file system's clock ticks.
		if stamp := time.Unix(serial, 0); os.Chtimes(file, stamp, stamp) != nil {
			t.Fatal("the time of the file cannot be set")
		}
	}
}

func TestARenewedCertificateIsTaken(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	certify(t, 1, certFile, keyFile)
	s := serve(t, echo(), streamable.Options{CertFile: certFile, KeyFile: keyFile})
	serial := func() int64 {
		connection, err := tls.Dial("tcp", strings.TrimPrefix(s.url, "http://"), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		return connection.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Errorf("the first certificate: got %d", got)
	}
	certify(t, 2, certFile, keyFile)
	if got := serial(); got != 2 {
		t.Errorf("the second certificate: got %d", got)
	}
	certify(t, 3, certFile, filepath.Join(dir, "not yet"))
	if got := serial(); got != 2 {
		t.Errorf("while the key is the old one: got %d", got)
	}
	if err := os.Rename(filepath.Join(dir, "not yet"), keyFile); err != nil {
		t.Fatal(err)
	}
	if got := serial(); got != 3 {
		t.Errorf("the third certificate: got %d", got)
	}
}
