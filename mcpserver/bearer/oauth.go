package bearer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"
)

// OAuth says whose access tokens are good, and for what.
type OAuth struct {
	Issuer   string // of the authorization server, exactly as its tokens have it in iss
	KeySet   string // URL of its JSON Web Key Set
	Resource string // this server as its clients address it: the audience of the tokens
	Scope    string // that every token needs; "" for none

	Metadata string       // URL of this server's protected resource metadata
	Client   *http.Client // to get the keys with; nil for one of its own
}

// algorithms are those of a private key that only the authorization server has. A token that was made with a secret that
// both sides know, or with none, is no token of it, whatever its header says.
var algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// leeway is how far the clocks of the two servers may be apart.
const leeway = 30 * time.Second

// Guard makes a guard that takes access tokens. It asks for the keys at once, goes on without them when the authorization
// server does not answer, and asks again every now and then until ctx ends.
func (o OAuth) Guard(ctx context.Context, log *slog.Logger) (*Guard, error) {
	client := o.Client
	if client == nil {
		client = &http.Client{Timeout: 10 * time.Second, CheckRedirect: sameSecurity}
	}
	keys, err := keyfunc.NewDefaultOverrideCtx(ctx, []string{o.KeySet}, keyfunc.Override{
		Client:          client,
		HTTPTimeout:     10 * time.Second,
		RefreshInterval: 15 * time.Minute,
		// A token with an unknown key may be the first one after a change of keys, or made up to keep us asking.
		RefreshUnknownKID: rate.NewLimiter(rate.Every(20*time.Second), 1),
		RateLimitWaitMax:  time.Second,
		RefreshErrorHandlerFunc: func(address string) func(context.Context, error) {
			return func(_ context.Context, err error) {
				log.Error("the authorization server's keys cannot be had; new ones are not known until they can", "url", address, "error", err)
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("the keys at %s: %w", o.KeySet, err)
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods(algorithms),
		jwt.WithIssuer(o.Issuer),
		jwt.WithAudience(o.Resource),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(), // if it is there, it must not be in the future
		jwt.WithLeeway(leeway),
	)
	return &Guard{verifier: &accessTokens{keys: keys, parser: parser, scope: o.Scope}, metadata: o.Metadata, scope: o.Scope, log: log}, nil
}

// accessTokens verifies JSON Web Tokens.
type accessTokens struct {
	keys   keyfunc.Keyfunc
	parser *jwt.Parser
	scope  string
}

// claims are those that are read here, beside the registered ones.
type claims struct {
	jwt.RegisteredClaims
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"` // RFC 9068: a list with spaces
	Scp      any    `json:"scp"`   // the same elsewhere: a list, or one with spaces
}

func (a *accessTokens) verify(ctx context.Context, token string) (string, error) {
	var got claims
	if _, err := a.parser.ParseWithClaims(token, &got, a.keys.KeyfuncCtx(ctx)); err != nil {
		return "", err
	}
	if a.scope != "" && !slices.Contains(got.scopes(), a.scope) {
		return "", errScope
	}
	// A subject's clients are apart from each other: one that was let in for something small must not see the others' work.
	if got.Subject == "" && got.ClientID == "" {
		return "", errors.New("the token has neither sub nor client_id")
	}
	return strings.TrimSuffix(url.PathEscape(got.Subject)+" "+url.PathEscape(got.ClientID), " "), nil
}

func (c claims) scopes() []string {
	scopes := strings.Fields(c.Scope)
	switch scp := c.Scp.(type) {
	case string:
		scopes = append(scopes, strings.Fields(scp)...)
	case []any:
		for _, one := range scp {
			scopes = append(scopes, fmt.Sprint(one))
		}
	}
	return scopes
}

// CheckURL refuses what keys and issuers cannot be trusted at: whoever sits between can put theirs in their place.
func CheckURL(address string) error {
	parsed, err := url.Parse(address)
	switch {
	case err != nil || parsed.Host == "":
		return errors.New("is no absolute URL")
	case parsed.Fragment != "" || parsed.User != nil:
		return errors.New("has a fragment or a user in it")
	case parsed.Scheme == "https", parsed.Scheme == "http" && loopback(parsed.Hostname()):
		return nil
	}
	return errors.New("is not https")
}

func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// sameSecurity follows redirections as long as they do not leave TLS.
func sameSecurity(next *http.Request, before []*http.Request) error {
	if len(before) > 3 {
		return errors.New("too many redirections")
	}
	return CheckURL(next.URL.String())
}
