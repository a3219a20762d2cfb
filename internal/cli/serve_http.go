package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"skillet/mcpserver"
	"skillet/mcpserver/bearer"
	"skillet/mcpserver/streamable"
)

// httpFlags are the flags of serving over HTTP. A skills.toml may be somebody else's: none of this is in it.
type httpFlags struct {
	address         string
	tokenFile       string
	tokenEnv        string
	issuer          string
	keySet          string
	resource        string
	scope           string
	cert, key       string
	hosts, origins  []string
	requests        int
	rate            float64
	registeredFlags *pflag.FlagSet
}

func (f *httpFlags) register(flags *pflag.FlagSet) {
	f.registeredFlags = flags
	flags.StringVar(&f.address, "http", "", "speak Streamable HTTP on HOST:PORT instead of standard input and output; without HOST, 127.0.0.1")
	flags.StringVar(&f.tokenFile, "http-token-file", "", "let in clients with a bearer token from this file, one a line, each after its client's name if you like")
	flags.StringVar(&f.tokenEnv, "http-token-env", "", "let in clients with the bearer token in this variable of the environment")
	flags.StringVar(&f.issuer, "http-oauth-issuer", "", "let in clients with an access token of this OAuth 2.1 authorization server (URL)")
	flags.StringVar(&f.keySet, "http-oauth-jwks", "", "where that server's keys are (URL of a JSON Web Key Set)")
	flags.StringVar(&f.resource, "http-oauth-resource", "", "this server's URL for clients, ending in /mcp: the audience of access tokens")
	flags.StringVar(&f.scope, "http-oauth-scope", "", "a scope that access tokens need (default none)")
	flags.StringVar(&f.cert, "http-tls-cert", "", "the certificate, with its chain (PEM)")
	flags.StringVar(&f.key, "http-tls-key", "", "the certificate's private key (PEM)")
	flags.StringArrayVar(&f.hosts, "http-host", nil, "a name that clients have for this server, beside its addresses; may be repeated")
	flags.StringArrayVar(&f.origins, "http-origin", nil, "a web page's origin, as in https://example.com, that may talk to this server; may be repeated")
	flags.IntVar(&f.requests, "http-max-requests", 64, "requests that one client may have under way")
	flags.Float64Var(&f.rate, "http-rate", 50, "requests a second of one client; a burst may be twice that")
}

// check finds mistakes that need nothing but the flags.
func (f *httpFlags) check() error {
	if f.address == "" {
		var stray string
		f.registeredFlags.Visit(func(flag *pflag.Flag) {
			if strings.HasPrefix(flag.Name, "http-") {
				stray = flag.Name
			}
		})
		if stray != "" {
			return usage("name an address with --http, as in --http 127.0.0.1:8080", "--%s is for serving over HTTP", stray)
		}
		return nil
	}
	oauth := f.issuer != "" || f.keySet != "" || f.resource != "" || f.scope != ""
	switch {
	case oauth && (f.tokenFile != "" || f.tokenEnv != ""):
		return usage("use one of the two", "bearer tokens of your own and --http-oauth-… are two ways of letting clients in")
	case oauth && (f.issuer == "" || f.keySet == "" || f.resource == ""):
		return usage("give all three", "--http-oauth-issuer, --http-oauth-jwks and --http-oauth-resource belong together")
	case (f.cert == "") != (f.key == ""):
		return usage("give both", "--http-tls-cert and --http-tls-key belong together")
	case f.requests < 1:
		return usage("give a number above 0", "--http-max-requests %d lets nobody in", f.requests)
	case !(f.rate > 0):
		return usage("give a number above 0", "--http-rate %v lets nobody in", f.rate)
	}
	return f.checkURLs()
}

func (f *httpFlags) checkURLs() error {
	for _, one := range []struct{ flag, value string }{
		{"http-oauth-issuer", f.issuer}, {"http-oauth-jwks", f.keySet}, {"http-oauth-resource", f.resource},
	} {
		if one.value == "" {
			continue
		}
		if err := bearer.CheckURL(one.value); err != nil {
			return usage("give an https URL", "--%s %s: %w", one.flag, one.value, err)
		}
	}
	for _, origin := range f.origins {
		parsed, err := url.Parse(origin)
		if err != nil || parsed.Host == "" || origin != parsed.Scheme+"://"+parsed.Host {
			return usage("write it as browsers do: a scheme and a host, as in https://example.com", "--http-origin %s is no origin", origin)
		}
	}
	if f.resource != "" {
		parsed, err := url.Parse(f.resource)
		if err != nil || parsed.Path != streamable.Path || parsed.RawQuery != "" {
			return usage("end it in "+streamable.Path+", where clients send their messages", "--http-oauth-resource %s is not this server's URL", f.resource)
		}
		f.hosts = append(f.hosts, parsed.Hostname())
	}
	if f.cert != "" {
		if _, err := tls.LoadX509KeyPair(f.cert, f.key); err != nil {
			return usage("name a certificate and its private key, both in PEM", "--http-tls-cert and --http-tls-key: %w", err)
		}
	}
	return nil
}

// listen opens the address. Beyond the loopback device, only a server that asks its clients for a token is opened: who
// can call a tool can do what the tools can do.
func (f *httpFlags) listen() (net.Listener, error) {
	host, port, err := net.SplitHostPort(f.address)
	if err != nil {
		return nil, usage("write it as in 127.0.0.1:8080", "--http %s: %w", f.address, err)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, usage("name an address of this machine and a free port", "--http %s: %w", f.address, err)
	}
	address, ok := listener.Addr().(*net.TCPAddr)
	if ok && address.IP.IsLoopback() || f.tokenFile != "" || f.tokenEnv != "" || f.issuer != "" {
		return listener, nil
	}
	return nil, errors.Join(usage("ask clients for a token with --http-token-file, --http-token-env or --http-oauth-issuer, or listen on 127.0.0.1",
		"--http %s: without authentication, skillet listens on the loopback device only", f.address), listener.Close())
}

// serveHTTP serves until ctx ends.
func (c *command) serveHTTP(ctx context.Context, f *httpFlags, server *mcpserver.Server, a *app) error {
	guard, resource, err := c.guard(ctx, f, a.log)
	if err != nil {
		return err
	}
	listener, err := f.listen()
	if err != nil {
		return err
	}
	f.tell(listener, a.log)
	return server.ServeStreamable(ctx, listener, resource, streamable.Options{
		Guard: guard, Hosts: f.hosts, Origins: f.origins, CertFile: f.cert, KeyFile: f.key, MaxRequests: f.requests, Rate: f.rate,
		Ready: func(ctx context.Context) error {
			_, err := a.runtime.Ping(ctx)
			if err != nil {
				a.log.Warn("not ready", "error", err)
			}
			return err
		},
	})
}

// guard makes what asks clients for tokens, nil for nothing.
func (c *command) guard(ctx context.Context, f *httpFlags, log *slog.Logger) (*bearer.Guard, *mcpserver.Resource, error) {
	if f.issuer == "" {
		guard, err := c.tokens(f, log)
		return guard, nil, err
	}
	resource := &mcpserver.Resource{URL: f.resource, Issuer: f.issuer, Scope: f.scope}
	guard, err := bearer.OAuth{
		Issuer: f.issuer, KeySet: f.keySet, Resource: f.resource, Scope: f.scope, Metadata: resource.MetadataURL(),
	}.Guard(ctx, log)
	return guard, resource, err
}

// tell logs where the server is, and what is unwise about it.
func (f *httpFlags) tell(listener net.Listener, log *slog.Logger) {
	scheme := "http"
	if f.cert != "" {
		scheme = "https"
	}
	log.Info("listening", "url", scheme+"://"+listener.Addr().String()+streamable.Path)
	if address, ok := listener.Addr().(*net.TCPAddr); ok && !address.IP.IsLoopback() && f.cert == "" {
		log.Warn("tokens travel readable for everybody on the way: give --http-tls-cert and --http-tls-key, or put a proxy with TLS in front")
	}
}

// maxTokens bounds what is read from a token file.
const maxTokens = 1 << 20

// tokens reads the tokens of both sources, nil for none.
func (c *command) tokens(f *httpFlags, log *slog.Logger) (*bearer.Guard, error) {
	var all []bearer.Token
	if f.tokenFile != "" {
		text, err := readTokens(f.tokenFile, log)
		if err != nil {
			return nil, usage("name a file that holds tokens", "--http-token-file: %w", err)
		}
		tokens, err := bearer.ParseTokens(text)
		if err != nil {
			return nil, usage("write one token a line; openssl rand -hex 32 makes good ones", "--http-token-file %s: %w", f.tokenFile, err)
		}
		all = append(all, tokens...)
	}
	if f.tokenEnv != "" {
		tokens, err := bearer.ParseTokens(c.variable(f.tokenEnv))
		if err != nil {
			return nil, usage("set the variable to a token; openssl rand -hex 32 makes good ones", "--http-token-env %s: %w", f.tokenEnv, err)
		}
		for i := range tokens {
			tokens[i].Client = strings.Replace(tokens[i].Client, "token-", f.tokenEnv+"-", 1)
		}
		all = append(all, tokens...)
	}
	if all == nil {
		return nil, nil
	}
	return bearer.Tokens(all, log), nil
}

func readTokens(path string, log *slog.Logger) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Mode().Perm()&0o004 != 0 {
		log.Warn("everybody on this machine can read the token file: chmod 600 it", "file", path)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxTokens))
	return string(text), err
}
