package mcpserver

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"skillet/mcpserver/workdir"
)

// maxPiece is what one read returns at most: encoded, it is in memory several times over.
const maxPiece = 4 << 20

// fileTemplate is the form of the URIs of files.
const fileTemplate = scheme + "://" + kindFile + "/{+path}{?offset,length}"

// addResources offers what calls have returned. It is not listed one by one: a result has the URIs, and who has them may read.
func (s *Server) addResources() {
	s.mcp.SetResourceTemplates(
		server.ServerResourceTemplate{
			Template: mcp.NewResourceTemplate(fileTemplate, "file",
				mcp.WithTemplateTitle("File that a call made"),
				mcp.WithTemplateDescription("A file that a call of this client has returned, by its path in the working directory. "+
					"Files above 4 MiB are read piece by piece: offset and length are in bytes.")),
			Handler: s.read,
		},
		server.ServerResourceTemplate{
			Template: mcp.NewResourceTemplate(scheme+"://"+kindOutput+"/{id}{?offset,length}", "output",
				mcp.WithTemplateTitle("Output in full"),
				mcp.WithTemplateDescription("What a program wrote in a call whose result has only the beginning and the end of it. "+
					"Read it piece by piece: offset and length are in bytes.")),
			Handler: s.read,
		},
	)
}

// wrongRequest says why a request cannot be answered.
type wrongRequest struct {
	reason  string
	missing bool // there is no such resource, or none for this client, which is not told apart
}

func (e *wrongRequest) Error() string { return e.reason }

// read answers resources/read.
func (s *Server) read(ctx context.Context, request mcp.ReadResourceRequest) (contents []mcp.ResourceContents, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			s.log.Error("a read panicked", "panic", panicked, "stack", string(debug.Stack()))
			contents, err = nil, errors.New("skillet itself failed in this read; its log says more")
		}
		judge(ctx, err)
	}()
	if err := myTurn(ctx); err != nil {
		return nil, err
	}
	at, err := parseURI(request.Params.URI)
	if err != nil {
		return nil, &wrongRequest{reason: "the URI " + err.Error()}
	}
	source, err := s.open(ctx, at)
	if err != nil {
		return nil, err
	}
	defer source.close()
	return source.read(request.Params.URI, at)
}

// source is an open resource.
type source struct {
	io.ReaderAt
	name  string
	size  int64
	close func()
}

// open opens what a client may read: what its own calls have returned, as they have returned it. All else is not there.
func (s *Server) open(ctx context.Context, at location) (*source, error) {
	missing := &wrongRequest{reason: "there is no such resource, or none any more: only what calls have returned can be read", missing: true}
	switch at.kind {
	case kindOutput:
		output := s.spool.Find(clientOf(ctx), at.name)
		if output == nil {
			return nil, missing
		}
		return &source{ReaderAt: output, size: output.Size, close: func() {}}, nil
	case kindFile:
		stamp, ok := s.ledger.find(clientOf(ctx), at.name)
		if !ok {
			return nil, missing
		}
		return s.openFile(at.name, stamp)
	}
	return nil, missing
}

func (s *Server) openFile(path string, stamp workdir.Stamp) (*source, error) {
	changed := &wrongRequest{reason: "the file has changed since a call returned it, or is gone", missing: true}
	root, err := os.OpenRoot(s.options.Workdir)
	if err != nil {
		return nil, &wrongRequest{reason: "the working directory cannot be opened", missing: true}
	}
	defer root.Close()
	file, info, err := workdir.Open(root, path)
	if err != nil {
		return nil, changed
	}
	if !workdir.StampOf(info).Same(stamp) {
		file.Close()
		return nil, changed
	}
	return &source{ReaderAt: file, name: path, size: info.Size(), close: func() { file.Close() }}, nil
}

// read returns all of it or a piece.
func (s *source) read(uri string, at location) ([]mcp.ResourceContents, error) {
	part := piece{length: maxPiece}
	switch {
	case at.piece != nil:
		part = *at.piece
	case s.size > maxPiece:
		return nil, &wrongRequest{reason: fmt.Sprintf("it has %d bytes, and one read returns at most %d: read it piece by piece, beginning with ?offset=0&length=%d",
			s.size, int64(maxPiece), int64(maxPiece))}
	}
	if part.offset > s.size {
		return nil, &wrongRequest{reason: fmt.Sprintf("the offset %d is behind the end: it has %d bytes", part.offset, s.size)}
	}
	data := make([]byte, min(part.length, s.size-part.offset))
	n, err := s.ReadAt(data, part.offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, &wrongRequest{reason: "it cannot be read any more", missing: true}
	}
	data = data[:n]
	end := part.offset + int64(n)
	if end < s.size { // the rest of a character comes with the next piece
		if whole := withoutHalfRune(data); len(whole) > 0 && isText(whole) {
			data, end = whole, part.offset+int64(len(whole))
		}
	}
	return []mcp.ResourceContents{contentsOf(uri, s.mediaType(data), data, s.meta(at, part.offset, end))}, nil
}

// mediaType is of the whole resource: a piece in its middle says nothing of it.
func (s *source) mediaType(piece []byte) string {
	head := make([]byte, 512)
	n, _ := s.ReadAt(head, 0)
	if s.name != "" {
		return mediaTypeOf(s.name, head[:n])
	}
	detected := detect(head[:n])
	if detected == "text/plain" && !isText(piece) {
		return "application/octet-stream"
	}
	return detected
}

// meta says where a piece lies, and how to go on.
func (s *source) meta(at location, offset, end int64) map[string]any {
	meta := map[string]any{"skillet/size": s.size}
	if at.piece != nil {
		meta["skillet/offset"], meta["skillet/end"] = offset, end
		if end < s.size {
			meta["skillet/next"] = location{at.kind, at.name, &piece{end, at.piece.length}}.uri()
		}
	}
	return meta
}

// contentsOf is text as text, and everything else byte for byte.
func contentsOf(uri, mediaType string, data []byte, meta map[string]any) mcp.ResourceContents {
	if isText(data) {
		return mcp.TextResourceContents{URI: uri, MIMEType: mediaType, Text: string(data), Meta: meta}
	}
	return mcp.BlobResourceContents{URI: uri, MIMEType: mediaType, Blob: base64.StdEncoding.EncodeToString(data), Meta: meta}
}

// The library answers every failed read, and every failed prompt, as a mistake of the server. So whoever fails leaves the code
// that the failure has in its context, and the answer gets it.
type verdictKey struct{}

func withVerdict(ctx context.Context, code *int) context.Context {
	return context.WithValue(ctx, verdictKey{}, code)
}

// judge leaves the code of a failure: that of a resource that is not there, in the words of the client's era, or that of
// wrong parameters.
func judge(ctx context.Context, err error) {
	code, judged := ctx.Value(verdictKey{}).(*int)
	var reason *wrongRequest
	if !judged || !errors.As(err, &reason) {
		return
	}
	*code = mcp.INVALID_PARAMS
	if reason.missing && !mcp.IsModernProtocol(server.RequestProtocolVersion(ctx)) {
		*code = mcp.RESOURCE_NOT_FOUND
	}
}

// withCode gives a failure the code that was left for it.
func withCode(response mcp.JSONRPCMessage, code int) mcp.JSONRPCMessage {
	if failed, ok := response.(mcp.JSONRPCError); ok && code != 0 {
		failed.Error.Code = code
		return failed
	}
	return response
}
