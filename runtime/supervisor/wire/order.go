package wire

import (
	"encoding/binary"
	"errors"
	"time"
)

// OrderFrame is what the supervisor is to run.
type OrderFrame struct {
	Args  []string      // the program and its arguments
	Env   []string      // KEY=value: set in addition to, or in the place of, what the container has
	Input bool          // input follows; without it, standard input is /dev/null
	Limit time.Duration // the program is killed after it, whoever else should have done so; 0 for no limit

	// Mounts are to be looked at before the program starts, where the container runs on the kernel of this boot
	// (/proc/sys/kernel/random/boot_id): on another one, files have other numbers.
	Boot   string
	Mounts []Mounted
}

// Mounted is which file has to be at a path of the container, by its device and inode (stat(2)).
type Mounted struct {
	Target        string
	Device, Inode uint64
}

// How a program ended.
type How byte

// The ways in which a program can end.
const (
	Exited     How = 'e' // by itself; Code is its exit code
	Signalled  How = 's' // by a signal; Code is its number
	OutOfTime  How = 't' // killed because the order's limit was over
	NotStarted How = 'n' // it did not begin; Code is errno, Text what was tried
	WrongMount How = 'm' // it did not begin, because another file is mounted than was ordered; Text is the path
)

// ExitFrame is how the program ended.
type ExitFrame struct {
	How       How
	Code      int
	OOMKilled bool   // a process of the container was killed for want of memory
	Stopped   bool   // the container was told to stop before that, by others than skillet
	Cut       bool   // somebody outside the container holds the output open; there may be more
	Text      string // with NotStarted: what is wrong, in the words of the operating system
}

// errMalformed says that an order or an exit is not what its sender should have written.
var errMalformed = errors.New("malformed frame")

// Encode writes an order.
func (o OrderFrame) Encode() []byte {
	var b []byte
	b = appendStrings(b, o.Args)
	b = appendStrings(b, o.Env)
	b = appendBool(b, o.Input)
	b = binary.BigEndian.AppendUint64(b, uint64(o.Limit))
	b = appendString(b, o.Boot)
	b = binary.BigEndian.AppendUint32(b, uint32(len(o.Mounts)))
	for _, m := range o.Mounts {
		b = appendString(b, m.Target)
		b = binary.BigEndian.AppendUint64(b, m.Device)
		b = binary.BigEndian.AppendUint64(b, m.Inode)
	}
	return b
}

// Fits tells whether an order is not too large to be sent.
func (o OrderFrame) Fits() bool { return len(o.Encode()) <= MaxOrder }

// DecodeOrder reads an order.
func DecodeOrder(b []byte) (OrderFrame, error) {
	r := reader{rest: b}
	o := OrderFrame{Args: r.strings(), Env: r.strings(), Input: r.bool(), Limit: time.Duration(r.uint64()), Boot: r.string()}
	for range r.length() {
		if r.failed {
			break
		}
		o.Mounts = append(o.Mounts, Mounted{Target: r.string(), Device: r.uint64(), Inode: r.uint64()})
	}
	if !r.whole() || len(o.Args) == 0 {
		return OrderFrame{}, errMalformed
	}
	return o, nil
}

// Encode writes an exit.
func (e ExitFrame) Encode() []byte {
	b := binary.BigEndian.AppendUint64([]byte{byte(e.How)}, uint64(e.Code))
	b = appendBool(b, e.OOMKilled)
	b = appendBool(b, e.Stopped)
	b = appendBool(b, e.Cut)
	return append(b, e.Text...)
}

// DecodeExit reads an exit.
func DecodeExit(b []byte) (ExitFrame, error) {
	r := reader{rest: b}
	e := ExitFrame{How: How(r.byte()), Code: int(r.uint64()), OOMKilled: r.bool(), Stopped: r.bool(), Cut: r.bool()}
	switch {
	case r.failed, e.Code < 0, e.Code > 1<<16:
		return ExitFrame{}, errMalformed
	case e.How != Exited && e.How != Signalled && e.How != OutOfTime && e.How != NotStarted && e.How != WrongMount:
		return ExitFrame{}, errMalformed
	}
	e.Text = string(r.rest)
	return e, nil
}

// EncodeCredit writes a Credit frame's content.
func EncodeCredit(bytes int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(bytes)) }

// DecodeCredit reads a Credit frame's content.
func DecodeCredit(b []byte) (int, error) {
	if len(b) != 4 {
		return 0, errMalformed
	}
	return int(binary.BigEndian.Uint32(b)), nil
}

func appendBool(b []byte, value bool) []byte {
	if value {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendStrings(b []byte, all []string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(all)))
	for _, one := range all {
		b = appendString(b, one)
	}
	return b
}

func appendString(b []byte, text string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
	return append(b, text...)
}

// reader takes values from the front of a frame. After the first one that is not there, all are zero.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) whole() bool { return !r.failed && len(r.rest) == 0 }

func (r *reader) take(n int) []byte {
	if r.failed || n > len(r.rest) {
		r.failed = true
		return nil
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) bool() bool { return r.byte() != 0 }

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) length() int {
	if b := r.take(4); b != nil {
		return int(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (r *reader) string() string { return string(r.take(r.length())) }

func (r *reader) strings() []string {
	count := r.length()
	if count > len(r.rest)/4 {
		r.failed = true
		return nil
	}
	all := make([]string, 0, count)
	for range count {
		all = append(all, r.string())
	}
	return all
}
