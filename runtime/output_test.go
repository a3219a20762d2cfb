package runtime

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/pkg/stdcopy"
)

func TestACaptureKeepsTheBeginningAndTheEndAndCountsTheRest(t *testing.T) {
	for _, c := range []struct {
		limit   int64
		writes  []string
		data    string
		dropped int64
		tail    string
	}{
		{4, []string{"ab", "cd"}, "abcd", 0, ""},
		{4, []string{"abc", "def", "g"}, "ab", 3, "fg"},
		{4, []string{"abcdefghijkl"}, "ab", 8, "kl"},
		{5, []string{"abcdefg"}, "abc", 2, "fg"},
		{5, []string{"abcde", "f", "g", "h"}, "abc", 3, "gh"},
		{1, []string{"ab", "c"}, "a", 2, ""},
		{0, []string{"abc"}, "", 3, ""},
		{4, nil, "", 0, ""},
	} {
		capture := newCapture(c.limit, nil)
		for _, w := range c.writes {
			if n, err := capture.Write([]byte(w)); n != len(w) || err != nil {
				t.Errorf("Write(%q) = %d, %v", w, n, err)
			}
		}
		if got := capture.seal(); string(got.Data) != c.data || got.Dropped != c.dropped || string(got.Tail) != c.tail {
			t.Errorf("%v with limit %d: %q and %d dropped and %q", c.writes, c.limit, got.Data, got.Dropped, got.Tail)
		}
	}
}

// However a stream is cut into writes, what is kept of it is the same, and no more memory than the limit.
func TestACaptureKeepsTheSameOfTheSameStream(t *testing.T) {
	stream := make([]byte, 1000)
	for i := range stream {
		stream[i] = byte(i % 251)
	}
	for limit := range int64(40) {
		for size := 1; size < 50; size += 6 {
			capture := newCapture(limit, nil)
			for piece := range slices.Chunk(stream, size) {
				_, _ = capture.Write(piece)
			}
			got := capture.seal()
			head := limit - limit/2
			if !bytes.Equal(got.Data, stream[:head]) || !bytes.Equal(got.Tail, stream[int64(len(stream))-limit/2:]) || got.Dropped != int64(len(stream))-limit {
				t.Fatalf("limit %d in pieces of %d: %v and %d dropped and %v", limit, size, got.Data, got.Dropped, got.Tail)
			}
			if int64(len(capture.kept)) > limit {
				t.Fatalf("limit %d in pieces of %d: %d bytes are held", limit, size, len(capture.kept))
			}
		}
	}
}

func TestALiveCopyIsNotCapped(t *testing.T) {
	var live bytes.Buffer
	capture := newCapture(2, &live)
	_, _ = capture.Write([]byte("abcdef"))
	if live.String() != "abcdef" {
		t.Errorf("%q", live.String())
	}
}

type failingWriter struct{ calls int }

func (w *failingWriter) Write([]byte) (int, error) { w.calls++; return 0, errors.New("closed") }

func TestALiveCopyThatFailsIsLeftAlone(t *testing.T) {
	live := &failingWriter{}
	capture := newCapture(10, live)
	for range 3 {
		if _, err := capture.Write([]byte("ab")); err != nil {
			t.Fatal(err)
		}
	}
	if got := capture.seal(); string(got.Data) != "ababab" || live.calls != 1 {
		t.Errorf("%q after %d writes", got.Data, live.calls)
	}
}

func TestASealedCaptureTakesNoMore(t *testing.T) {
	var live bytes.Buffer
	capture := newCapture(10, &live)
	capture.seal()
	if _, err := capture.Write([]byte("late")); err == nil || live.Len() > 0 {
		t.Errorf("%v, %q", err, live.String())
	}
}

// newPipeStreams gives streams and the engine's end of them.
func newPipeStreams(stdout, stderr *capture) (*streams, net.Conn) {
	ours, theirs := net.Pipe()
	return newStreams(types.HijackedResponse{Conn: ours, Reader: bufio.NewReader(ours)}, stdout, stderr), theirs
}

func TestTheDrainGoesOnAsLongAsThereIsOutput(t *testing.T) {
	stdout := newCapture(100, nil)
	streams, engine := newPipeStreams(stdout, newCapture(0, nil))
	defer streams.close()
	go func() {
		defer engine.Close()
		for range 10 {
			time.Sleep(60 * time.Millisecond)
			_, _ = stdcopy.NewStdWriter(engine, stdcopy.Stdout).Write([]byte("x"))
		}
	}()
	if err := streams.drain(t.Context(), 400*time.Millisecond); err != nil {
		t.Error(err)
	}
	if got := stdout.seal(); string(got.Data) != strings.Repeat("x", 10) {
		t.Errorf("%q", got.Data)
	}
}

func TestTheDrainGivesUpOnSilence(t *testing.T) {
	streams, engine := newPipeStreams(newCapture(0, nil), newCapture(0, nil))
	defer engine.Close()
	defer streams.close()
	within(t, time.Second, func() {
		if err := streams.drain(t.Context(), 20*time.Millisecond); err == nil {
			t.Error("no error")
		}
	})
}

// blockingWriter is a pager: it takes its time, and the engine is not to blame.
type blockingWriter struct{ release chan struct{} }

func (w blockingWriter) Write(p []byte) (int, error) { <-w.release; return len(p), nil }

func TestTheDrainWaitsForACallersWriterUntilTheContextEnds(t *testing.T) {
	for _, released := range []bool{true, false} {
		live := blockingWriter{make(chan struct{})}
		stdout := newCapture(100, live)
		streams, engine := newPipeStreams(stdout, newCapture(0, nil))
		go func() {
			_, _ = stdcopy.NewStdWriter(engine, stdcopy.Stdout).Write([]byte("x"))
			_ = engine.Close()
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		if released {
			time.AfterFunc(200*time.Millisecond, func() { close(live.release) })
		}
		if err := streams.drain(ctx, 50*time.Millisecond); (err == nil) != released {
			t.Errorf("released %v: %v", released, err)
		}
		if got := stdout.seal(); string(got.Data) != "x" {
			t.Errorf("%q", got.Data)
		}
		cancel()
		streams.close()
		if !released {
			close(live.release)
		}
	}
}

func TestSignalsAreNamedByTheConventionOfShells(t *testing.T) {
	for code, want := range map[int]string{
		-1: "", 0: "", 1: "", 128: "", 129: "SIGHUP", 137: "SIGKILL", 139: "SIGSEGV", 143: "SIGTERM", 159: "SIGSYS",
		160: "signal 32", 162: "signal 34", 192: "signal 64", 193: "", 255: "",
	} {
		if got := signalName(code); got != want {
			t.Errorf("%d: %q, want %q", code, got, want)
		}
	}
}
