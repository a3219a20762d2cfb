package spool

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func limits() Limits { return Limits{Output: 1 << 20, Total: 3 << 20, Outputs: 4} }

// keep writes an output in pieces and keeps it.
func keep(s *Store, client string, size, piece int) *Output {
	w := s.Writer()
	for rest := size; rest > 0; rest -= piece {
		_, _ = w.Write(bytes.Repeat([]byte{byte(rest)}, min(piece, rest)))
	}
	return w.Keep(client)
}

func TestAnOutputIsKeptByteForByte(t *testing.T) {
	for _, size := range []int{1, memory - 1, memory, memory + 1, 3 * memory} {
		s := New(limits())
		var want bytes.Buffer
		w := s.Writer()
		for i := 0; want.Len() < size; i++ {
			piece := bytes.Repeat([]byte{byte(i)}, min(1000, size-want.Len()))
			want.Write(piece)
			if n, err := w.Write(piece); n != len(piece) || err != nil {
				t.Fatal(n, err)
			}
		}
		o := w.Keep("me")
		got := make([]byte, o.Size)
		if _, err := o.ReadAt(got, 0); err != nil || !bytes.Equal(got, want.Bytes()) || !o.Whole {
			t.Errorf("%d bytes: got %d, whole %t, %v", size, o.Size, o.Whole, err)
		}
		s.Close()
		if s.taken != 0 || s.Find("me", o.ID) != nil {
			t.Errorf("%d bytes are left", s.taken)
		}
	}
}

func TestAnOutputIsForItsClientOnly(t *testing.T) {
	s := New(limits())
	defer s.Close()
	o := keep(s, "me", 10, 10)
	if s.Find("me", o.ID) != o || s.Find("you", o.ID) != nil || s.Find("", o.ID) != nil || s.Find("me", "") != nil {
		t.Error("an output is found by whom it is not for, or not by whom it is")
	}
}

func TestNothingIsToBeSeenInTheFileSystem(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	s := New(limits())
	defer s.Close()
	short := s.Writer()
	_, _ = short.Write(make([]byte, memory))
	if short.file != nil {
		t.Error("a short output has become a file")
	}
	short.Drop()
	w := s.Writer()
	_, _ = w.Write(make([]byte, 2*memory))
	if w.file == nil {
		t.Fatal("a long output has become no file")
	}
	info, err := w.file.Stat()
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("%v %v", entries, err)
	}
	w.Drop()
}

func TestWhatAllOutputsTakeIsBounded(t *testing.T) {
	s := New(limits())
	defer s.Close()
	var ids []string
	for range 10 {
		o := keep(s, "me", 2<<20, 100_000)
		if o.Size != 1<<20 || o.Whole {
			t.Fatalf("%d bytes are kept of one, whole %t", o.Size, o.Whole)
		}
		ids = append(ids, o.ID)
		if s.taken > s.limits.Total {
			t.Fatalf("%d bytes are taken", s.taken)
		}
	}
	for i, id := range ids {
		if there := s.Find("me", id) != nil; there != (i >= 7) {
			t.Errorf("output %d is there: %t", i, there)
		}
	}
	for range 10 {
		keep(s, "me", 1, 1)
	}
	if len(s.kept) != s.limits.Outputs || len(s.oldest) != s.limits.Outputs || s.taken != int64(s.limits.Outputs) {
		t.Errorf("%d outputs and %d bytes are kept", len(s.kept), s.taken)
	}
}

// Calls that run take their share, too: they get less, and disturb no program.
func TestOutputsThatAreWrittenAreCountedAndGivenBack(t *testing.T) {
	s := New(limits())
	defer s.Close()
	writers := make([]*Writer, 5)
	for i := range writers {
		writers[i] = s.Writer()
		if n, err := writers[i].Write(make([]byte, 1<<20)); n != 1<<20 || err != nil {
			t.Fatal(n, err)
		}
	}
	if s.taken != 3<<20 || writers[4].whole {
		t.Errorf("%d bytes are taken, the last is whole: %t", s.taken, writers[4].whole)
	}
	for _, w := range writers {
		w.Drop()
		_, _ = w.Write([]byte("late"))
		w.Drop()
	}
	if s.taken != 0 {
		t.Errorf("%d bytes are taken", s.taken)
	}
}

func TestADiskThatIsFullDisturbsNobody(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	s := New(limits())
	defer s.Close()
	w := s.Writer()
	if n, err := w.Write(make([]byte, 2*memory)); n != 2*memory || err != nil {
		t.Error(n, err)
	}
	if o := w.Keep("me"); o != nil || s.taken != 0 {
		t.Errorf("got %+v", o)
	}
}
