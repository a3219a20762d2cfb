package mcpserver

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime"
	"net/http"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/docker/go-units"
	"github.com/mark3labs/mcp-go/mcp"

	"skillet/runtime"
)

// textOf returns a stream as text, and whether it is text. Where it was cut, a line says so, and what is left of a
// character that was cut in two is left out.
func textOf(stream runtime.Stream) (string, bool) {
	if stream.Dropped == 0 {
		return string(stream.Data), isText(stream.Data)
	}
	head, tail := withoutHalfRune(stream.Data), withoutRestOfRune(stream.Tail)
	if !isText(head) || !isText(tail) {
		return "", false
	}
	text := string(head) + fmt.Sprintf("\n[… %d bytes are left out here …]\n", stream.Dropped)
	return text + string(tail), true
}

// isText tells text from what only looks like it: control characters take six bytes each in JSON, and no text has any but
// those for lines and tabs, and now and then the beginning of a colour.
func isText(data []byte) bool {
	if !utf8.Valid(data) || bytes.ContainsFunc(data, func(r rune) bool {
		return r < ' ' && !strings.ContainsRune("\t\n\r\f\b\x1b", r)
	}) {
		return false
	}
	escapes := bytes.Count(data, []byte{0x1b})
	return escapes <= 16 || escapes <= len(data)/8
}

func withoutHalfRune(data []byte) []byte {
	for n := 1; n < utf8.UTFMax && n <= len(data); n++ {
		if tail := data[len(data)-n:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return data[:len(data)-n]
			}
			break
		}
	}
	return data
}

// withoutRestOfRune leaves out what a cut has left of a character at the beginning.
func withoutRestOfRune(data []byte) []byte {
	for n := 0; n < utf8.UTFMax-1 && n < len(data); n++ {
		if utf8.RuneStart(data[n]) {
			return data[n:]
		}
	}
	return data
}

// detect tells the type of bytes.
func detect(data []byte) string {
	mediaType, _, _ := mime.ParseMediaType(http.DetectContentType(data))
	return mediaType
}

// bytesContent returns bytes that are no text as content: an image or sound as such when it is whole, anything else as
// an embedded resource.
func bytesContent(uri string, data []byte, cut bool) (content mcp.Content, mediaType string) {
	mediaType = detect(data)
	encoded := base64.StdEncoding.EncodeToString(data)
	switch {
	case cut:
	case showable(mediaType):
		return mcp.NewImageContent(encoded, mediaType), mediaType
	case strings.HasPrefix(mediaType, "audio/"):
		return mcp.NewAudioContent(encoded, mediaType), mediaType
	}
	return mcp.NewEmbeddedResource(mcp.BlobResourceContents{URI: uri, MIMEType: mediaType, Blob: encoded}), mediaType
}

// showable tells which images models take.
func showable(mediaType string) bool {
	switch mediaType {
	case "image/png", "image/jpeg", "image/gif", "image/webp":
		return true
	}
	return false
}

// typesByName are media types by file name, for what the first bytes show to be text or a zip archive and nothing more.
// The standard library would ask the host's own table, and the same call would have another result elsewhere.
var typesByName = map[string]string{
	".css": "text/css", ".csv": "text/csv", ".dot": "text/vnd.graphviz", ".htm": "text/html", ".html": "text/html",
	".js": "text/javascript", ".json": "application/json", ".md": "text/markdown", ".svg": "image/svg+xml",
	".toml": "application/toml", ".tsv": "text/tab-separated-values", ".xml": "application/xml", ".yaml": "application/yaml",
	".yml": "application/yaml",

	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".epub": "application/epub+zip", ".odt": "application/vnd.oasis.opendocument.text",
}

// mediaTypeOf tells the type of a file from its first bytes and, where these leave it open, its name.
func mediaTypeOf(name string, head []byte) string {
	detected := detect(head)
	known, ok := typesByName[strings.ToLower(filepath.Ext(name))]
	if ok && (strings.HasPrefix(detected, "text/") || detected == "application/zip") {
		return known
	}
	return detected
}

func sizeText(bytes int64) string { return units.BytesSize(float64(bytes)) }
