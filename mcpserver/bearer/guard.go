package bearer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
)

// verifier tells whose token it is.
type verifier interface {
	verify(ctx context.Context, token string) (client string, err error)
}

// Guard lets in the requests with a token that its verifier knows. The nil guard lets in all.
type Guard struct {
	verifier verifier
	metadata string // URL of the protected resource metadata; "" for none
	scope    string // that every token needs; "" for none
	log      *slog.Logger
}

// Refusal is the answer to a request that is not let in.
type Refusal struct {
	Status    int
	Challenge string // the WWW-Authenticate header
	Text      string
}

// errScope is a token that is good, and not good for this.
var errScope = errors.New("the token has not the scope that is needed here")

// Client returns the name of the client that sends a request, "" where nobody is asked.
func (g *Guard) Client(r *http.Request) (string, *Refusal) {
	if g == nil {
		return "", nil
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", g.refuse(http.StatusUnauthorized, "", "this server needs a bearer token in the Authorization header")
	}
	token = strings.TrimSpace(token)
	if len(r.Header.Values("Authorization")) > 1 || !wellFormed(token) {
		return "", g.refuse(http.StatusBadRequest, "invalid_request", "the Authorization header is not of the form: Bearer TOKEN")
	}
	client, err := g.verifier.verify(r.Context(), token)
	switch {
	case errors.Is(err, errScope):
		return "", g.refuse(http.StatusForbidden, "insufficient_scope", err.Error())
	case err != nil:
		g.log.Debug("a token was refused", "reason", err)
		return "", g.refuse(http.StatusUnauthorized, "invalid_token", "the token is not valid here")
	}
	return client, nil
}

// refuse words the challenge: RFC 6750, section 3, and RFC 9728, section 5.1.
func (g *Guard) refuse(status int, code, text string) *Refusal {
	var fields []string
	if code != "" {
		fields = append(fields, fmt.Sprintf("error=%q", code), fmt.Sprintf("error_description=%q", text))
	}
	if g.scope != "" {
		fields = append(fields, fmt.Sprintf("scope=%q", g.scope))
	}
	if g.metadata != "" {
		fields = append(fields, fmt.Sprintf("resource_metadata=%q", g.metadata))
	}
	challenge := "Bearer"
	if fields != nil {
		challenge += " " + strings.Join(fields, ", ")
	}
	return &Refusal{Status: status, Challenge: challenge, Text: text}
}

// wellFormed tells whether a text is a b64token, which is what a bearer token can be (RFC 6750, section 2.1).
func wellFormed(token string) bool {
	body := strings.TrimRight(token, "=")
	return body != "" && !strings.ContainsFunc(body, func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !letter && !strings.ContainsRune("-._~+/", r)
	})
}
