package wire

import (
	"bytes"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestFramesComeBackAsTheyWereSent(t *testing.T) {
	type frame struct {
		kind    Kind
		content string
	}
	sent := []frame{
		{Ready, ""}, {Order, strings.Repeat("x", 100_000)}, {Accepted, ""}, {Go, ""}, {Input, strings.Repeat("y", Chunk)},
		{Output, "out"}, {ErrorOutput, ""}, {Credit, "\x00\x00\x01\x00"}, {Signal, "\x0f"}, {InputEnd, ""}, {Exit, "e"},
	}
	var stream []byte
	for _, f := range sent {
		stream = Append(stream, f.kind, []byte(f.content))
	}
	check := func(how string, got []frame) {
		t.Helper()
		if !reflect.DeepEqual(got, sent) {
			t.Errorf("%s: %d frames came back of %d, or others", how, len(got), len(sent))
		}
	}
	var read []frame
	var buffer []byte
	from := iotest.OneByteReader(bytes.NewReader(stream))
	for {
		kind, content, err := Read(from, &buffer)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		read = append(read, frame{kind, string(content)})
	}
	check("Read", read)
	stream, sent = nil, slices.DeleteFunc(sent, func(f frame) bool { return !supervisors(f.kind) })
	for _, f := range sent {
		stream = Append(stream, f.kind, []byte(f.content))
	}
	for _, size := range []int{1, 3, 7, 1000, len(stream)} {
		var decoded []frame
		d := Decoder{Frame: func(kind Kind, content []byte) error {
			decoded = append(decoded, frame{kind, string(content)})
			return nil
		}}
		for rest := stream; len(rest) > 0; rest = rest[min(size, len(rest)):] {
			if _, err := d.Write(rest[:min(size, len(rest))]); err != nil {
				t.Fatal(err)
			}
		}
		check("Decoder", decoded)
	}
}

func TestWhatIsNoFrameIsRefusedBeforeItIsRead(t *testing.T) {
	for name, header := range map[string][]byte{
		"an unknown kind":       {'?', 0, 0, 0, 0},
		"an empty kind":         {0, 0, 0, 0, 0},
		"too much output":       {'1', 0, 1, 0, 0},
		"a length without end":  {'X', 0xff, 0xff, 0xff, 0xff},
		"a Ready with content":  {'R', 0, 0, 0, 1},
		"a Credit of ten bytes": {'C', 0, 0, 0, 10},
	} {
		var buffer []byte
		if _, _, err := Read(bytes.NewReader(header), &buffer); err == nil || len(buffer) > 0 {
			t.Errorf("%s was read: %v, %d bytes", name, err, len(buffer))
		}
		d := Decoder{Frame: func(Kind, []byte) error { return nil }}
		if _, err := d.Write(header); err == nil {
			t.Errorf("%s was decoded", name)
		}
	}
}

// A container that could send what only skillet does could have skillet hold as much as an order.
func TestSkilletTakesNoFrameOfItsOwn(t *testing.T) {
	for _, kind := range []Kind{Order, Go, Input, InputEnd, Signal} {
		d := Decoder{Frame: func(Kind, []byte) error { return nil }}
		header := Header(kind, 0)
		if _, err := d.Write(header[:]); err == nil {
			t.Errorf("%q was decoded", rune(kind))
		}
	}
}

func TestAnOrderFitsThatIsNotLargerThanItMayBe(t *testing.T) {
	for _, more := range []int{0, 1} {
		o := OrderFrame{Args: []string{"a", ""}, Env: []string{"A=1"}}
		o.Args[1] = strings.Repeat("x", MaxOrder-len(o.Encode())+more)
		if got, want := o.Fits(), len(o.Encode()) <= MaxOrder; got != want {
			t.Errorf("%d bytes: %t", len(o.Encode()), got)
		}
	}
}

func TestOrdersAndExitsComeBackAsTheyWere(t *testing.T) {
	for _, want := range []OrderFrame{
		{Args: []string{"a"}, Env: []string{}},
		{Args: []string{"a", "", "b c\n"}, Env: []string{"A=1", "B="}, Input: true, Limit: 3 * time.Second},
		{Args: []string{"a"}, Env: []string{}, Boot: "b", Mounts: []Mounted{{"/x", 1, math.MaxUint64}, {"", 0, 0}}},
	} {
		if got, err := DecodeOrder(want.Encode()); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, want %+v: %v", got, want, err)
		}
	}
	for _, want := range []ExitFrame{
		{How: Exited, Code: 255},
		{How: Signalled, Code: 9, OOMKilled: true, Cut: true},
		{How: OutOfTime, Code: 9, Stopped: true},
		{How: NotStarted, Code: 2, Text: "nosuch: not found"},
	} {
		if got, err := DecodeExit(want.Encode()); err != nil || got != want {
			t.Errorf("%+v, want %+v: %v", got, want, err)
		}
	}
}

func FuzzNoOrderAndNoExitMakesTheOtherSideFail(f *testing.F) {
	f.Add(OrderFrame{Args: []string{"a", "b"}, Env: []string{"A=1"}, Limit: math.MaxInt64}.Encode())
	f.Add(ExitFrame{How: Exited, Code: 1, Text: "text"}.Encode())
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, content []byte) {
		if o, err := DecodeOrder(content); err == nil {
			again, err := DecodeOrder(o.Encode())
			if err != nil || !reflect.DeepEqual(o, again) {
				t.Errorf("%+v became %+v: %v", o, again, err)
			}
		}
		if e, err := DecodeExit(content); err == nil {
			if again, err := DecodeExit(e.Encode()); err != nil || again != e {
				t.Errorf("%+v became %+v: %v", e, again, err)
			}
		}
		d := Decoder{Frame: func(Kind, []byte) error { return nil }}
		_, _ = d.Write(content)
		if len(d.pending) > len(content) {
			t.Error("the decoder holds more than it was given")
		}
	})
}
