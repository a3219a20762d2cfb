package mcpserver

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"syscall"

	"github.com/mark3labs/mcp-go/mcp"
)

// What is sent whole with a result; anything larger is named.
const (
	maxMedia = 4 << 20  // an image or sound
	maxText  = 64 << 10 // a text
)

// file is a file that a call made.
type file struct {
	Path     string `json:"path"` // relative to the working directory, with slashes
	Bytes    int64  `json:"bytes"`
	MIMEType string `json:"mime_type"`
}

// files adds the files named by `outputs`.
func (r *resultBuilder) files() {
	inv := r.outcome.Invocation
	if len(inv.Outputs) == 0 {
		return
	}
	root, err := os.OpenRoot(inv.Workdir)
	if err != nil {
		r.text("The files that were made cannot be read: the working directory cannot be opened.")
		return
	}
	defer root.Close()
	for _, path := range inv.Outputs {
		if err := r.file(root, inv.Workdir, path); err != nil {
			r.text(fmt.Sprintf("%s: %v.", path, err))
		}
	}
}

// file adds one file. A program in a container can leave anything under its name, such as a symlink to a file of the
// host or a pipe: the file is opened below the working directory only, and read only if it is a file.
func (r *resultBuilder) file(root *os.Root, workdir, path string) error {
	opened, err := root.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if os.IsNotExist(err) {
		return fmt.Errorf("the program ended well and did not make this file")
	}
	if err != nil {
		return fmt.Errorf("cannot be read in the working directory")
	}
	defer opened.Close()
	info, err := opened.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return fmt.Errorf("is no regular file")
	}
	head, err := io.ReadAll(io.LimitReader(opened, maxMedia+1))
	if err != nil {
		return fmt.Errorf("cannot be read")
	}
	made := file{Path: filepath.ToSlash(path), Bytes: info.Size(), MIMEType: mediaTypeOf(path, head)}
	r.structured.Files = append(r.structured.Files, made)
	r.text(fmt.Sprintf("Result file %s (%s, %s).", made.Path, made.MIMEType, sizeText(made.Bytes)))
	r.content = append(r.content, fileContent(made, fileURI(workdir, path), head))
	return nil
}

// fileContent is a file's content where a model can use it, else a link to the file.
func fileContent(made file, uri string, head []byte) mcp.Content {
	whole := int64(len(head)) == made.Bytes
	switch {
	case whole && isText(head) && len(head) <= maxText:
		return mcp.NewEmbeddedResource(mcp.TextResourceContents{URI: uri, MIMEType: made.MIMEType, Text: string(head)})
	case whole && len(head) <= maxMedia:
		if content, mediaType := bytesContent(uri, head, false); mediaType == made.MIMEType {
			if _, isBlob := content.(mcp.EmbeddedResource); !isBlob {
				return content
			}
		}
	}
	link := mcp.NewResourceLink(uri, filepath.Base(made.Path), "made by the call", made.MIMEType)
	link.Size = &made.Bytes
	return link
}

func fileURI(workdir, path string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(filepath.Join(workdir, path))}).String()
}
