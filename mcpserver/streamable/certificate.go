package streamable

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificate is one of a file that somebody renews every few weeks, under a server that runs on.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu     sync.Mutex
	loaded *tls.Certificate
	of     [2]time.Time // when the files had changed that it is from
}

// newEncryption makes the configuration of TLS, nil for none.
func newEncryption(options Options) (*tls.Config, error) {
	if options.CertFile == "" {
		return nil, nil
	}
	c := &certificate{certFile: options.CertFile, keyFile: options.KeyFile, log: options.Logger}
	if err := c.load(); err != nil {
		return nil, err
	}
	return &tls.Config{GetCertificate: c.get}, nil
}

// get returns the certificate for a connection, after reading it anew when its files have changed. While they do not fit
// each other, as in the middle of a renewal, the old one goes on.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changed() != c.of {
		if err := c.load(); err != nil {
			c.log.Warn("the new certificate cannot be used, the old one goes on", "error", err)
		}
	}
	return c.loaded, nil
}

func (c *certificate) load() error {
	changed := c.changed() // before reading: a change in between is then seen the next time
	loaded, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.loaded, c.of = &loaded, changed
	return nil
}

func (c *certificate) changed() (times [2]time.Time) {
	for i, file := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(file); err == nil {
			times[i] = info.ModTime()
		}
	}
	return times
}
