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
//
// Its parts are kept as they come and joined in the end: a buffer that grows with the line would take several times as much.
func (l *lines) next() ([]byte, error) {
	var parts [][]byte
	size := 0
	for {
		part, err := l.in.ReadSlice('\n')
		parts, size = append(parts, bytes.Clone(part)), size+len(part)
		switch {
		case size > l.limit+len("\r\n"):
			return nil, l.skip(newTooLarge(l.limit, parts), err)
		case err == nil:
			return bytes.TrimRight(join(parts), "\r\n"), nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			if line := join(parts); len(bytes.TrimSpace(line)) > 0 {
				return line, nil
			}
			return nil, err
		default:
			return nil, err
		}
	}
}

func join(parts [][]byte) []byte {
	if len(parts) == 1 {
		return parts[0]
	}
	return bytes.Join(parts, nil)
}

// newTooLarge keeps the ends of a line of which these parts have come.
func newTooLarge(limit int, parts [][]byte) *tooLargeError {
	e := &tooLargeError{limit: limit}
	for _, part := range parts {
		e.head = append(e.head, part[:min(len(part), endBytes-len(e.head))]...)
		e.end(part)
	}
	return e
}

// end takes in the next part of the line.
func (e *tooLargeError) end(part []byte) {
	e.tail = append(e.tail, part[max(0, len(part)-endBytes):]...)
	e.tail = append(e.tail[:0], e.tail[max(0, len(e.tail)-endBytes):]...)
}

// skip drops the rest of a line that has become too large. err is what the last read has ended with.
func (l *lines) skip(large *tooLargeError, err error) error {
	for errors.Is(err, bufio.ErrBufferFull) {
		var part []byte
		part, err = l.in.ReadSlice('\n')
		large.end(part)
	}
	large.tail = bytes.TrimSpace(large.tail)
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
