package mcpserver

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestURIsAreReadAsTheyAreWritten(t *testing.T) {
	for _, l := range []location{
		{kindFile, "a.txt", nil}, {kindFile, "a/b c/ü.txt", nil}, {kindFile, "100%", nil}, {kindFile, "a?b#c&d", nil}, {kindFile, "\xff\n", nil},
		{kindFile, "a..b/...", nil}, {kindFile, ":", nil}, {kindOutput, "ABC", nil},
		{kindFile, "a", &piece{0, 1}}, {kindFile, "a", &piece{1 << 62, maxPiece}},
	} {
		got, err := parseURI(l.uri())
		if err != nil || got.kind != l.kind || got.name != l.name || (got.piece == nil) != (l.piece == nil) || l.piece != nil && *got.piece != *l.piece {
			t.Errorf("%s: got %+v, %v", l.uri(), got, err)
		}
	}
}

func TestWhatIsNoPlainURIIsRefused(t *testing.T) {
	for _, text := range []string{
		"", "files/a", "file:///etc/passwd", "skillet:a", "skillet://files", "skillet://files/", "skillet://files//etc/passwd", "skillet://files/../a",
		"skillet://files/a/../../b", "skillet://files/%2e%2e/a", "skillet://files/a/%2E%2E/%2E%2E/b", "skillet://files/%2Fetc/passwd", "skillet://files/.",
		"skillet://files/a%00b", "skillet://files/a/", "skillet://files/a#b", "skillet://files/a#", "skillet://me@files/a", "skillet://files/%zz",
		"skillet://files/a?offset=-1", "skillet://files/a?offset=1e3", "skillet://files/a?offset=99999999999999999999", "skillet://files/a?length=0",
		"skillet://files/a?length=4194305", "skillet://files/a?offset=1&offset=2", "skillet://files/a?offset", "skillet://files/a?x=1", "skillet://files/a?offset=1;length=2",
	} {
		if l, err := parseURI(text); err == nil {
			t.Errorf("%q is taken for %+v", text, l)
		} else if strings.Contains(err.Error(), "passwd") {
			t.Errorf("%q is repeated: %v", text, err)
		}
	}
}

// Whatever a URI says, what comes out of it stays below a directory and asks for no more than a piece; and it is one resource,
// which has one URI of skillet's own.
func FuzzAURILeadsNowhereElse(f *testing.F) {
	for _, text := range []string{
		"skillet://files/a/b.txt?offset=1&length=2", "skillet://output/ABC", "skillet://files/%2e%2e/%2Fetc", "skillet://files/..%2f", "skillet:files/a", "skillet://files/\\..\\a",
		"skillet://[::1]/a", "skillet://files:1/a", "SKILLET://FILES/a", "skillet://files/%ff%00", "skillet://files/a?length=%31",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := parseURI(text)
		if err != nil {
			return
		}
		if !filepath.IsLocal(l.name) || filepath.Clean(l.name) != l.name || l.name == "." || strings.Contains(l.name, "\x00") {
			t.Errorf("%q leads to %q", text, l.name)
		}
		if p := l.piece; p != nil && (p.offset < 0 || p.length < 1 || p.length > maxPiece) {
			t.Errorf("%q asks for %+v", text, *p)
		}
		if l.kind != kindFile && l.kind != kindOutput {
			return // of which there is nothing
		}
		again, err := parseURI(l.uri())
		if err != nil || again.kind != l.kind || again.name != l.name || (again.piece == nil) != (l.piece == nil) {
			t.Errorf("%q became %q, which is %+v, %v", text, l.uri(), again, err)
		}
	})
}
