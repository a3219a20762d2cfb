package mcpserver

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mark3labs/mcp-go/mcp"

	"skillet/mcpserver/workdir"
)

// What is sent whole with a result; anything larger is named, and can be read as a resource.
const (
	maxMedia  = 4 << 20  // an image or sound
	maxText   = 64 << 10 // a text
	maxOther  = 16 << 10 // anything else: models are shown little of it
	maxInline = 8 << 20  // all files of a result together
	maxFiles  = 50       // that a result names
)

// file is a file that a call made.
type file struct {
	Path     string `json:"path"` // relative to the working directory, with slashes
	Bytes    int64  `json:"bytes"`
	MIMEType string `json:"mime_type"`
	URI      string `json:"uri"`
}

// files adds the files that the call has made or changed, and says what became of those that it was to make.
func (r *resultBuilder) files() {
	changes := r.outcome.Changes
	if changes.Unread != nil {
		r.text("The files that were made cannot be read: the working directory cannot be opened.")
		return
	}
	for _, name := range changes.Missing {
		r.text(printable(name) + ": the program ended well and did not make this file.")
	}
	for _, name := range changes.Untouched {
		r.text(printable(name) + ": was there before, and the program ended well and did not change it.")
	}
	names := slices.Concat(changes.Made, changes.Found)
	if len(names) > 0 {
		r.named(names[:min(len(names), maxFiles)])
	}
	if more := len(names) - maxFiles; more > 0 {
		r.text(fmt.Sprintf("%d more files were made or changed. A result names %d at most.", more, maxFiles))
	}
	switch {
	case changes.Shared:
		r.text("Other calls ran in the working directory at the same time. Files that have changed are not named: they may be the others'.")
	case changes.Partial:
		r.text("The working directory is large. Not all of it was looked at for files that have changed.")
	}
}

func (r *resultBuilder) named(names []string) {
	root, err := os.OpenRoot(r.outcome.Invocation.Workdir)
	if err != nil {
		r.text("The files that were made cannot be read: the working directory cannot be opened.")
		return
	}
	defer root.Close()
	for _, name := range names {
		if err := r.file(root, name); err != nil {
			r.text(fmt.Sprintf("%s: %v.", printable(name), err))
		}
	}
}

// file adds one file.
func (r *resultBuilder) file(root *os.Root, name string) error {
	opened, info, err := workdir.Open(root, name)
	switch {
	case errors.Is(err, workdir.ErrNotRegular):
		return err
	case err != nil:
		return errors.New("cannot be read in the working directory")
	}
	defer opened.Close()
	if !r.outcome.Changes.Is(name, info) {
		return errors.New("has changed since the call ended, and is not returned")
	}
	head := make([]byte, min(info.Size(), 512))
	if _, err := io.ReadFull(opened, head); err != nil {
		return errors.New("cannot be read")
	}
	slashed := filepath.ToSlash(name)
	made := file{Path: printable(slashed), Bytes: info.Size(), MIMEType: mediaTypeOf(name, head), URI: location{kind: kindFile, name: slashed}.uri()}
	content, err := r.fileContent(made, opened, head)
	if err != nil {
		return errors.New("cannot be read")
	}
	r.ledger.enter(r.client, slashed, workdir.StampOf(info))
	r.structured.Files = append(r.structured.Files, made)
	r.text(fmt.Sprintf("Result file %s (%s, %s).", made.Path, made.MIMEType, sizeText(made.Bytes)))
	r.content = append(r.content, content)
	return nil
}

// fileContent is a file's content where a model can use it, else a link to the file.
func (r *resultBuilder) fileContent(made file, opened io.Reader, head []byte) (mcp.Content, error) {
	link := mcp.NewResourceLink(made.URI, path.Base(made.Path), "made by the call", made.MIMEType)
	link.Size = &made.Bytes
	media := showable(made.MIMEType) || strings.HasPrefix(made.MIMEType, "audio/")
	fits := media && made.Bytes <= maxMedia || isText(withoutHalfRune(head)) && made.Bytes <= maxText
	if !fits && made.Bytes > maxOther || r.inline+made.Bytes > maxInline {
		return link, nil
	}
	rest := make([]byte, made.Bytes-int64(len(head)))
	if _, err := io.ReadFull(opened, rest); err != nil {
		return nil, err
	}
	data := append(head, rest...)
	switch {
	case isText(data):
		r.inline += made.Bytes
		return mcp.NewEmbeddedResource(mcp.TextResourceContents{URI: made.URI, MIMEType: made.MIMEType, Text: string(data)}), nil
	case media:
		r.inline += made.Bytes
		content, _ := bytesContent(made.URI, data, false)
		return content, nil
	case made.Bytes <= maxOther:
		r.inline += made.Bytes
		blob := mcp.BlobResourceContents{URI: made.URI, MIMEType: made.MIMEType, Blob: base64.StdEncoding.EncodeToString(data)}
		return mcp.NewEmbeddedResource(blob), nil
	}
	return link, nil
}

// printable is a name as a text can have it: a program may have put anything into it but a slash and NUL.
func printable(name string) string {
	if utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return name
	}
	return strings.Trim(strconv.QuoteToGraphic(name), `"`)
}
