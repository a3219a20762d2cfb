// Package wire is what skillet and the supervisor in a container say to each other, over the container's standard input and
// output.
//
// Both directions are a row of frames: a byte that says what it is, four bytes of length, most significant first, and so many
// bytes. What the program reads and writes travels in frames, too: the program has pipes of its own and cannot speak here.
//
//	skillet                          supervisor
//	                            <──  Ready       it waits for an order
//	Order                       ──>
//	                            <──  Accepted    it has read the whole order, and nothing runs yet
//	Go                          ──>              from here on the program may have run
//	Input…, InputEnd, Signal…   ──>
//	                            <──  Output…, ErrorOutput…, Credit…
//	                            <──  Exit        nothing runs any more, and nothing follows
//
// Go is a frame of its own, so that skillet knows for sure about an order that got no answer: without Go, nothing has run. An
// order for a container that was started for it can be followed by Go at once.
//
// Input is sent against credit: at most [Window] bytes of it may be on the way. So the supervisor can always read on, and hears
// of the connection's end also while the program reads nothing.
package wire

import (
	"encoding/binary"
	"io"
	"strconv"
)

// Kind says what a frame is.
type Kind byte

// The frames of skillet.
const (
	Order    Kind = 'O' // an [OrderFrame]
	Go       Kind = 'G' // empty
	Input    Kind = 'I' // bytes for the program's standard input
	InputEnd Kind = 'E' // empty: no more input comes
	Signal   Kind = 'S' // one byte, a signal's number: SIGKILL is for all that runs, any other for the program
)

// The frames of the supervisor.
const (
	Ready       Kind = 'R' // empty
	Accepted    Kind = 'A' // empty
	Output      Kind = '1' // bytes that the program wrote to standard output
	ErrorOutput Kind = '2' // bytes that it wrote to standard error
	Credit      Kind = 'C' // four bytes: so many bytes of input have been taken
	Exit        Kind = 'X' // an [ExitFrame]
)

const (
	// Window is how many bytes of input may be on the way.
	Window = 256 << 10
	// Chunk is the most that a frame of input or output holds.
	Chunk = 32 << 10
	// MaxOrder is the largest order, in bytes: more than Linux takes as arguments and environment (execve(2)).
	MaxOrder = 16 << 20

	maxExit    = 4 << 10
	headerSize = 5
)

// Header makes the five bytes before a frame's content.
func Header(kind Kind, length int) [headerSize]byte {
	var header [headerSize]byte
	header[0] = byte(kind)
	binary.BigEndian.PutUint32(header[1:], uint32(length))
	return header
}

// Append appends a frame to a buffer.
func Append(buffer []byte, kind Kind, content []byte) []byte {
	header := Header(kind, len(content))
	return append(append(buffer, header[:]...), content...)
}

// limit is the largest content that a frame may have.
func limit(kind Kind) int {
	switch kind {
	case Order:
		return MaxOrder
	case Exit:
		return maxExit
	case Input, Output, ErrorOutput:
		return Chunk
	case Signal:
		return 1
	case Credit:
		return 4
	default:
		return 0
	}
}

// Read reads the next frame into a buffer, which it grows as needed. The content is good until the next call.
func Read(from io.Reader, buffer *[]byte) (Kind, []byte, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(from, header[:]); err != nil {
		return 0, nil, err
	}
	kind, length, err := parseHeader(header[:])
	if err != nil {
		return 0, nil, err
	}
	if cap(*buffer) < length {
		*buffer = make([]byte, length)
	}
	content := (*buffer)[:length]
	if _, err := io.ReadFull(from, content); err != nil {
		return 0, nil, err
	}
	return kind, content, nil
}

// FrameError says that what came is no frame.
type FrameError struct {
	Kind   Kind
	Length int
}

func (e *FrameError) Error() string {
	return "no frame begins with " + strconv.QuoteRune(rune(e.Kind)) + " and a length of " + strconv.Itoa(e.Length)
}

func parseHeader(header []byte) (Kind, int, error) {
	kind, length := Kind(header[0]), binary.BigEndian.Uint32(header[1:headerSize])
	if length > uint32(limit(kind)) || !known(kind) {
		return 0, 0, &FrameError{kind, int(length)}
	}
	return kind, int(length), nil
}

func known(kind Kind) bool {
	switch kind {
	case Order, Go, Input, InputEnd, Signal:
		return true
	}
	return supervisors(kind)
}

// supervisors tells whether a frame is one that the supervisor sends.
func supervisors(kind Kind) bool {
	switch kind {
	case Ready, Accepted, Output, ErrorOutput, Credit, Exit:
		return true
	}
	return false
}

// Decoder takes a supervisor's frames in as they come, in pieces of any size, and hands them on one by one. It holds no more than
// one frame, which is of [Chunk] at most: a frame of skillet's is none here.
type Decoder struct {
	// Frame is called for each frame. Its content is good until it returns. An error ends the decoding.
	Frame func(kind Kind, content []byte) error

	pending []byte
}

// Write takes the next bytes of the stream.
func (d *Decoder) Write(p []byte) (int, error) {
	taken := len(p)
	if len(d.pending) > 0 {
		d.pending = append(d.pending, p...)
		p = d.pending
	}
	for len(p) >= headerSize {
		kind, length, err := parseHeader(p)
		if err == nil && !supervisors(kind) {
			err = &FrameError{kind, length}
		}
		if err != nil {
			return 0, err
		}
		if len(p) < headerSize+length {
			break
		}
		if err := d.Frame(kind, p[headerSize:headerSize+length]); err != nil {
			return 0, err
		}
		p = p[headerSize+length:]
	}
	d.pending = append(d.pending[:0], p...)
	return taken, nil
}
