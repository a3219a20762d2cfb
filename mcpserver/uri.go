package mcpserver

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
)

// The URIs of resources are skillet://KIND/NAME, and where only a piece is wanted, ?offset=BYTES&length=BYTES. The scheme
// is skillet's own: file:// would promise a path of the client's machine, and skill:// is another protocol's.
const scheme = "skillet"

// The kinds of resources.
const (
	kindFile   = "files"  // made by a call; the name is its path in the working directory
	kindOutput = "output" // of a program, in full; the name is an id
	kindDocs   = "docs"   // of a skill; the name is the tool's
)

// location is a URI that was understood.
type location struct {
	kind, name string
	piece      *piece // nil for all of it
}

// piece is a part of a resource, in bytes. The length may be more than there is.
type piece struct{ offset, length int64 }

// uri writes a location. Every name has one, whatever bytes it is made of.
func (l location) uri() string {
	u := url.URL{Scheme: scheme, Host: l.kind, Path: "/" + l.name}
	if l.piece != nil {
		u.RawQuery = fmt.Sprintf("offset=%d&length=%d", l.piece.offset, l.piece.length)
	}
	return u.String()
}

// parseURI reads a URI. The name in what it returns is no way up or out by its text.
func parseURI(text string) (location, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return location{}, errors.New("is no URI") // whose own error would repeat it
	case u.Scheme != scheme || u.User != nil || u.Opaque != "" || u.Fragment != "" || strings.Contains(text, "#"):
		return location{}, fmt.Errorf("is not of the form %s://%s/PATH or %s://%s/ID", scheme, kindFile, scheme, kindOutput)
	}
	l := location{kind: u.Host, name: strings.TrimPrefix(u.Path, "/")}
	if !plainPath(l.name) {
		return location{}, errors.New("has a path that is no plain path: relative, without . and .. and empty parts")
	}
	if l.piece, err = parsePiece(u.RawQuery); err != nil {
		return location{}, err
	}
	return l, nil
}

// plainPath reports whether a name is made of names only, which may have any other bytes: io/fs would want UTF-8.
func plainPath(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return !strings.Contains(name, "\x00") && filepath.IsLocal(name)
}

// parsePiece reads offset and length, each at most once; nil when neither is there.
func parsePiece(query string) (*piece, error) {
	if query == "" {
		return nil, nil
	}
	p := piece{length: maxPiece}
	seen := map[string]bool{}
	for part := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(part, "=")
		number, err := strconv.ParseUint(value, 10, 63)
		switch {
		case key != "offset" && key != "length" || seen[key]:
			return nil, errors.New("has a query other than ?offset=BYTES&length=BYTES")
		case err != nil:
			return nil, fmt.Errorf("has a %s that is no number of bytes", key)
		case key == "offset":
			p.offset = int64(number)
		case number == 0 || number > maxPiece:
			return nil, fmt.Errorf("has a length that is not from 1 to %d: read a large resource piece by piece", maxPiece)
		default:
			p.length = int64(number)
		}
		seen[key] = true
	}
	return &p, nil
}
