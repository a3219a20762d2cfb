package bearer_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"skillet/mcpserver/bearer"
)

var discard = slog.New(slog.DiscardHandler)

// ask shows a guard a request with an Authorization header, "" for none.
func ask(guard *bearer.Guard, authorization string) (string, *bearer.Refusal) {
	request := httptest.NewRequest(http.MethodPost, "/mcp", nil)
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	return guard.Client(request)
}

func TestATokenOfTheFileNamesItsClient(t *testing.T) {
	tokens, err := bearer.ParseTokens("# who may call\n\nalice 0123456789abcdef0123\nfedcba9876543210ABC.~+/==\n")
	if err != nil {
		t.Fatal(err)
	}
	guard := bearer.Tokens(tokens, discard)
	for _, test := range []struct {
		authorization, client, challenge string
		status                           int
	}{
		{"Bearer 0123456789abcdef0123", "alice", "", 0},
		{"bearer   fedcba9876543210ABC.~+/==", "token-4", "", 0},
		{"", "", "Bearer", 401},
		{"Basic YWxpY2U6", "", "Bearer", 401},
		{"Bearer", "", `Bearer error="invalid_request"`, 400},
		{"Bearer two words", "", `Bearer error="invalid_request"`, 400},
		{"Bearer 0123456789abcdef012", "", `Bearer error="invalid_token"`, 401},
		{"Bearer 0123456789abcdef01234", "", `Bearer error="invalid_token"`, 401},
	} {
		client, refusal := ask(guard, test.authorization)
		switch {
		case test.status == 0 && (refusal != nil || client != test.client):
			t.Errorf("%q: got %q %+v", test.authorization, client, refusal)
		case test.status != 0 && (refusal == nil || refusal.Status != test.status || !strings.HasPrefix(refusal.Challenge, test.challenge)):
			t.Errorf("%q: got %q %+v", test.authorization, client, refusal)
		case refusal != nil && strings.Contains(refusal.Challenge+refusal.Text, "0123456789"):
			t.Errorf("the refusal repeats the token: %+v", refusal)
		}
	}
}

func TestWithoutAGuardEverybodyIsLetIn(t *testing.T) {
	if client, refusal := ask(nil, ""); client != "" || refusal != nil {
		t.Errorf("got %q %+v", client, refusal)
	}
}

func TestMistakesOfATokenFileNameTheirLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "no token",
		"# only a remark\n":                      "no token",
		"short":                                  "line 1: the token is shorter",
		"\nalice bob 0123456789abcdef":           "line 2: has more than",
		"0123456789abcdef\"":                     "line 1: the token has characters",
		"a 0123456789abcdef\nb 0123456789abcdef": "line 2: the token is that of line 1",
	} {
		_, err := bearer.ParseTokens(text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "0123456789abcdef") {
			t.Errorf("%q: got %v, expected %s", text, err, want)
		}
	}
}

// authority is an authorization server: its keys, and the tokens that it signs.
type authority struct {
	*httptest.Server
	rsa     *rsa.PrivateKey
	ecdsa   *ecdsa.PrivateKey
	ed      ed25519.PrivateKey
	late    *rsa.PrivateKey // known after the first look at the keys
	asked   atomic.Int32
	showAll atomic.Bool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	var err error
	for _, make := range []func() error{
		func() error { a.rsa, err = rsa.GenerateKey(rand.Reader, 2048); return err },
		func() error { a.late, err = rsa.GenerateKey(rand.Reader, 2048); return err },
		func() error { a.ecdsa, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); return err },
		func() error { _, a.ed, err = ed25519.GenerateKey(rand.Reader); return err },
	} {
		if err := make(); err != nil {
			t.Fatal(err)
		}
	}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		a.asked.Add(1)
		point, _ := a.ecdsa.PublicKey.Bytes() // 4, then the two coordinates
		keys := []map[string]string{
			{"kty": "RSA", "kid": "rsa", "n": encode(a.rsa.N.Bytes()), "e": encode(big.NewInt(int64(a.rsa.E)).Bytes())},
			{"kty": "EC", "kid": "ec", "crv": "P-256", "x": encode(point[1:33]), "y": encode(point[33:])},
			{"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": encode(a.ed.Public().(ed25519.PublicKey))},
		}
		if a.showAll.Load() {
			keys = append(keys, map[string]string{"kty": "RSA", "kid": "late", "n": encode(a.late.N.Bytes()), "e": encode(big.NewInt(int64(a.late.E)).Bytes())})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": keys})
	}))
	t.Cleanup(a.Close)
	return a
}

func encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

const resource = "https://tools.example.com/mcp"

func (a *authority) guard(t *testing.T, scope string) *bearer.Guard {
	t.Helper()
	guard, err := bearer.OAuth{
		Issuer: a.URL, KeySet: a.URL + "/jwks", Resource: resource, Scope: scope, Metadata: "https://tools.example.com/.well-known/oauth-protected-resource/mcp",
	}.Guard(t.Context(), discard)
	if err != nil {
		t.Fatal(err)
	}
	return guard
}

// claims are those of a good token, with changes; nil takes one out.
func (a *authority) claims(changes map[string]any) jwt.MapClaims {
	claims := jwt.MapClaims{"iss": a.URL, "aud": []string{"other", resource}, "sub": "alice", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix()}
	for name, value := range changes {
		if value == nil {
			delete(claims, name)
			continue
		}
		claims[name] = value
	}
	return claims
}

func sign(t *testing.T, method jwt.SigningMethod, kid string, key any, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	if kid != "" {
		token.Header["kid"] = kid
	}
	signed, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestOnlyGoodAccessTokensAreLetIn(t *testing.T) {
	a := newAuthority(t)
	guard := a.guard(t, "")
	rsaSigned := func(changes map[string]any) string {
		return sign(t, jwt.SigningMethodRS256, "rsa", a.rsa, a.claims(changes))
	}
	public, err := x509.MarshalPKIXPublicKey(&a.rsa.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	hour := time.Hour
	for name, test := range map[string]struct{ token, client string }{
		"RSA":                      {rsaSigned(nil), "alice"},
		"RSA-PSS":                  {sign(t, jwt.SigningMethodPS256, "rsa", a.rsa, a.claims(nil)), "alice"},
		"ECDSA":                    {sign(t, jwt.SigningMethodES256, "ec", a.ecdsa, a.claims(nil)), "alice"},
		"Ed25519":                  {sign(t, jwt.SigningMethodEdDSA, "ed", a.ed, a.claims(nil)), "alice"},
		"a client of a subject":    {rsaSigned(map[string]any{"client_id": "an app"}), "alice an%20app"},
		"a client without subject": {rsaSigned(map[string]any{"sub": nil, "client_id": "app"}), " app"},
		"one audience":             {rsaSigned(map[string]any{"aud": resource}), "alice"},
		"clocks that differ a bit": {rsaSigned(map[string]any{"exp": time.Now().Add(-5 * time.Second).Unix()}), "alice"},

		"expired":              {rsaSigned(map[string]any{"exp": time.Now().Add(-hour).Unix()}), ""},
		"no expiry":            {rsaSigned(map[string]any{"exp": nil}), ""},
		"not yet":              {rsaSigned(map[string]any{"nbf": time.Now().Add(hour).Unix()}), ""},
		"issued in the future": {rsaSigned(map[string]any{"iat": time.Now().Add(hour).Unix()}), ""},
		"wrong audience":       {rsaSigned(map[string]any{"aud": "https://tools.example.com"}), ""},
		"no audience":          {rsaSigned(map[string]any{"aud": nil}), ""},
		"wrong issuer":         {rsaSigned(map[string]any{"iss": a.URL + "/"}), ""},
		"no issuer":            {rsaSigned(map[string]any{"iss": nil}), ""},
		"nobody":               {rsaSigned(map[string]any{"sub": nil}), ""},
		"somebody else's key":  {sign(t, jwt.SigningMethodRS256, "rsa", a.late, a.claims(nil)), ""},
		"no signature":         {sign(t, jwt.SigningMethodNone, "rsa", jwt.UnsafeAllowNoneSignatureType, a.claims(nil)), ""},
		"public key as secret": {sign(t, jwt.SigningMethodHS256, "rsa", public, a.claims(nil)), ""},
		"another kind of key":  {sign(t, jwt.SigningMethodES256, "rsa", a.ecdsa, a.claims(nil)), ""},
		"cut":                  {rsaSigned(nil)[:200], ""},
		"no token at all":      {"abc", ""},
	} {
		client, refusal := ask(guard, "Bearer "+test.token)
		if test.client != "" && (refusal != nil || client != test.client) {
			t.Errorf("%s: got %q %+v", name, client, refusal)
		}
		if test.client == "" && (refusal == nil || refusal.Status != http.StatusUnauthorized ||
			!strings.Contains(refusal.Challenge, `error="invalid_token"`) ||
			!strings.Contains(refusal.Challenge, `resource_metadata="https://tools.example.com/.well-known/oauth-protected-resource/mcp"`)) {
			t.Errorf("%s: got %q %+v", name, client, refusal)
		}
	}
}

func TestATokenNeedsTheScope(t *testing.T) {
	a := newAuthority(t)
	guard := a.guard(t, "tools")
	for _, test := range []struct {
		changes map[string]any
		status  int
	}{
		{map[string]any{"scope": "openid tools"}, 0},
		{map[string]any{"scp": "tools"}, 0},
		{map[string]any{"scp": []string{"openid", "tools"}}, 0},
		{map[string]any{"scope": "openid toolsmith"}, http.StatusForbidden},
		{nil, http.StatusForbidden},
	} {
		_, refusal := ask(guard, "Bearer "+sign(t, jwt.SigningMethodRS256, "rsa", a.rsa, a.claims(test.changes)))
		if test.status == 0 && refusal != nil || test.status != 0 && (refusal == nil || refusal.Status != test.status ||
			!strings.Contains(refusal.Challenge, `error="insufficient_scope"`) || !strings.Contains(refusal.Challenge, `scope="tools"`)) {
			t.Errorf("%v: got %+v", test.changes, refusal)
		}
	}
}

func TestANewKeyIsFoundAndMadeUpOnesDoNotKeepUsAsking(t *testing.T) {
	a := newAuthority(t)
	guard := a.guard(t, "")
	a.showAll.Store(true)
	if client, refusal := ask(guard, "Bearer "+sign(t, jwt.SigningMethodRS256, "late", a.late, a.claims(nil))); client != "alice" {
		t.Errorf("got %q %+v", client, refusal)
	}
	before := a.asked.Load()
	for range 20 {
		if _, refusal := ask(guard, "Bearer "+sign(t, jwt.SigningMethodRS256, "made up", a.late, a.claims(nil))); refusal == nil {
			t.Error("a made up key was taken")
		}
	}
	if asked := a.asked.Load() - before; asked > 1 {
		t.Errorf("the authorization server was asked %d times", asked)
	}
}

func TestWithoutKeysNobodyIsLetIn(t *testing.T) {
	a := newAuthority(t)
	token := "Bearer " + sign(t, jwt.SigningMethodRS256, "rsa", a.rsa, a.claims(nil))
	a.Close()
	if client, refusal := ask(a.guard(t, ""), token); refusal == nil {
		t.Errorf("got %q", client)
	}
}

func TestKeysComeOverTLSOrFromThisMachine(t *testing.T) {
	for address, good := range map[string]bool{
		"https://a.example/jwks": true, "http://127.0.0.1:1/jwks": true, "http://localhost/": true, "http://[::1]/": true,
		"http://a.example/jwks": false, "a.example": false, "": false, "ftp://a.example": false, "https://u@a.example": false, "http://localhost.a.example": false,
	} {
		if err := bearer.CheckURL(address); (err == nil) != good {
			t.Errorf("%q: got %v", address, err)
		}
	}
}
