package mcpserver

import (
	"fmt"
	"io"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"

	"skillet/mcpserver/spool"
	"skillet/runtime"
)

// copies takes a copy of what a program writes: a result has room for the beginning and the end of it.
type copies struct{ stdout, stderr *spool.Writer }

func (s *Server) newCopies() *copies {
	return &copies{stdout: s.spool.Writer(), stderr: s.spool.Writer()}
}

// beside adds the copies to whatever else listens. Neither fails, so that neither keeps anything from the other.
func (c *copies) beside(others runtime.IO) runtime.IO {
	both := func(own *spool.Writer, other io.Writer) io.Writer {
		if other == nil {
			return own
		}
		return io.MultiWriter(own, other)
	}
	others.Stdout, others.Stderr = both(c.stdout, others.Stdout), both(c.stderr, others.Stderr)
	return others
}

// drop lets go of what no result has named.
func (c *copies) drop() {
	c.stdout.Drop()
	c.stderr.Drop()
}

// kept is an output that is more than the result has.
type kept struct {
	name    string // for people
	left    int64  // bytes that the result does not have
	output  *spool.Output
	content string // its media type
}

// keep keeps a stream in full for the client, if the result has not all of it.
func (r *resultBuilder) keep(name, mediaType string, left int64, writer *spool.Writer) string {
	k := kept{name: name, left: left, content: mediaType}
	if writer != nil {
		k.output = writer.Keep(r.client)
	}
	r.cut = append(r.cut, k)
	if k.output == nil {
		return ""
	}
	return location{kind: kindOutput, name: k.output.ID}.uri()
}

// sayCut says what is missing, and where it can be read.
func (r *resultBuilder) sayCut() {
	for _, k := range r.cut {
		text := fmt.Sprintf("Cut: %d bytes of %s are left out here, since it is longer than %s.", k.left, k.name, sizeText(r.outcome.Invocation.MaxOutput))
		if k.output == nil {
			r.text(text + " They were dropped.")
			continue
		}
		uri := location{kind: kindOutput, name: k.output.ID}.uri()
		what := "All of it"
		if !k.output.Whole {
			what = "Its first " + sizeText(k.output.Size)
		}
		r.text(fmt.Sprintf("%s %s can be read for a while as the resource %s, in pieces: %s?offset=0&length=65536.", text, what, uri, uri))
		link := mcp.NewResourceLink(uri, strings.ReplaceAll(k.name, " ", "-"), "what the program wrote", k.content)
		link.Size = &k.output.Size
		r.content = append(r.content, link)
	}
	if r.outcome.Result.Incomplete {
		r.text("The end of the output may be missing: the engine did not deliver it in time.")
	}
}
