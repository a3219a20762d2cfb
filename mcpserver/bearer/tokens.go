package bearer

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// minToken is the least length of a token that is not guessed: 128 bits in hexadecimal have twice that.
const minToken = 16

// Token is a secret and the name of the client that has it.
type Token struct {
	Client string
	Secret string
}

// ParseTokens reads tokens, one a line, each alone or after the name of its client. Empty lines and those that begin
// with # are passed over. The error says which line is wrong, and does not repeat it.
func ParseTokens(text string) ([]Token, error) {
	var tokens []Token
	seen := map[string]int{}
	for i, line := range strings.Split(text, "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		token := Token{Client: fmt.Sprintf("token-%d", i+1), Secret: fields[len(fields)-1]}
		switch {
		case len(fields) > 2:
			return nil, fmt.Errorf("line %d: has more than a name and a token", i+1)
		case len(fields) == 2:
			token.Client = fields[0]
		}
		switch {
		case !wellFormed(token.Secret):
			return nil, fmt.Errorf("line %d: the token has characters that a bearer token cannot have (letters, digits and -._~+/ are fine)", i+1)
		case len(token.Secret) < minToken:
			return nil, fmt.Errorf("line %d: the token is shorter than %d characters", i+1, minToken)
		case seen[token.Secret] > 0:
			return nil, fmt.Errorf("line %d: the token is that of line %d", i+1, seen[token.Secret])
		}
		seen[token.Secret] = i + 1
		tokens = append(tokens, token)
	}
	if tokens == nil {
		return nil, errors.New("there is no token in it")
	}
	return tokens, nil
}

// Tokens makes a guard that knows these tokens.
func Tokens(tokens []Token, log *slog.Logger) *Guard {
	known := make(secrets, 0, len(tokens))
	for _, token := range tokens {
		known = append(known, secret{token.Client, sha256.Sum256([]byte(token.Secret))})
	}
	return &Guard{verifier: known, log: log}
}

// secrets are what is known of tokens: hashes of one length, so that neither the place of the first wrong character nor
// the length of a token shows in the time that a comparison takes.
type secrets []secret

type secret struct {
	client string
	hash   [sha256.Size]byte
}

func (s secrets) verify(_ context.Context, token string) (string, error) {
	given := sha256.Sum256([]byte(token))
	found := -1
	for i, known := range s { // to the end, for the same reason
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(given[:], known.hash[:]), i, found)
	}
	if found < 0 {
		return "", errors.New("the token is not known")
	}
	return s[found].client, nil
}
