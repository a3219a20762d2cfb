package stdio

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
)

// tooLargeError is a line above the limit, of which only the ends were kept.
type tooLargeError struct {
	limit int
	head  []byte // its beginning
	tail  []byte // its end
}

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("the message is larger than %d bytes", e.limit)
}

// endBytes is how much of each end of a line that is too large is kept, to find the request's id there.
const endBytes = 4 << 10

// lines reads lines of at most limit bytes.
type lines struct {
	in    *bufio.Reader
	limit int
}

func newLines(in io.Reader, limit int) *lines {
	return &lines{in: bufio.NewReaderSize(in, 64<<10), limit: limit}
}

// next returns the next line without its end. The last line counts without one, too. The errors are *tooLargeError,
// after which reading can go on, and those of the stream. The line belongs to the caller.
func (l *lines) next() ([]byte, error) {
	var line []byte
	for {
		part, err := l.in.ReadSlice('\n')
		if len(line)+len(part) > l.limit+len("\r\n") {
			return nil, l.skip(append(line, part...), err)
		}
		line = append(line, part...)
		switch {
		case err == nil:
			return bytes.TrimRight(line, "\r\n"), nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(bytes.TrimSpace(line)) > 0:
			return line, nil
		default:
			return nil, err
		}
	}
}

// skip drops the rest of a line that has become too large.
func (l *lines) skip(begun []byte, err error) error {
	large := &tooLargeError{limit: l.limit, head: bytes.Clone(begun[:min(endBytes, len(begun))])}
	tail := begun
	for errors.Is(err, bufio.ErrBufferFull) {
		tail = bytes.Clone(tail[max(0, len(tail)-endBytes):])
		var part []byte
		part, err = l.in.ReadSlice('\n')
		tail = append(tail, part...)
	}
	large.tail = bytes.TrimSpace(bytes.Clone(tail[max(0, len(tail)-endBytes):]))
	return large
}

// Clients write the id either before the parameters or at the very end. Both are looked for where they belong to the
// message itself and not to something in it: before any other object, or right before the last brace.
var (
	idFirst = regexp.MustCompile(`^\s*\{[^{}\[\]]*?"id"\s*:\s*(\d+|"[^"\\]*")\s*,`)
	idLast  = regexp.MustCompile(`,\s*"id"\s*:\s*(\d+|"[^"\\]*")\s*(?:,\s*"jsonrpc"\s*:\s*"2.0"\s*)?\}$`)
)

// id returns the id of the message as JSON, "null" when it is not found.
func (e *tooLargeError) id() []byte {
	for _, match := range [][][]byte{idFirst.FindSubmatch(e.head), idLast.FindSubmatch(e.tail)} {
		if match != nil {
			return match[1]
		}
	}
	return []byte("null")
}
