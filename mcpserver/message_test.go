package mcpserver

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

func TestALineIsShownWithoutWhatATerminalWouldObey(t *testing.T) {
	for line, want := range map[string]string{
		"plain text":                               "plain text",
		"\x1b[1;31mred\x1b[0m\x1b[K":               "red",
		"\x1b]0;title\x07text":                     "text",
		"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\": "link",
		"\x1bP1$r\x1b\\a\x1b(Bb\x1bMc":             "abc",
		"cut off \x1b[3":                           "cut off",
		"cut off \x1b]0;tit":                       "cut off",
		"cut off \x1b":                             "cut off",
		"\x1b\x1b[2Jtwice":                         "twice",
		"tab\tbell\aback\bnul\x00c1\u009b":         "tab bellbacknulc1",
		"\u202eturned\u2066 \u2028lines":           "turned  lines",
		"Ünïcode 日本 👩‍🔬":                           "Ünïcode 日本 👩‍🔬",
		"not \xff\xfeUTF-8":                        "not \uFFFDUTF-8",
		" \x1b[0m \r":                              "",
	} {
		if got := readable(line); got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}

func FuzzAMessageIsShortAndReadable(f *testing.F) {
	f.Add(strings.Repeat("a", 201))
	f.Add(strings.Repeat("👩", 101))
	f.Add("\x1b[31m\xff" + strings.Repeat("é\u202e", 300))
	f.Fuzz(func(t *testing.T, text string) {
		got := shorten(readable(text))
		if !utf8.ValidString(got) || strings.ContainsAny(got, "\x1b\n\r\t\x00\u202e") || len(utf16.Encode([]rune(got))) > maxMessage {
			t.Errorf("%q: got %q", text, got)
		}
		if plain := readable(text); len(utf16.Encode([]rune(plain))) <= maxMessage && got != plain {
			t.Errorf("%q was cut to %q", plain, got)
		}
	})
}

func TestATapKeepsTheLastText(t *testing.T) {
	taps := newTaps(16)
	expect := func(text string, lines ...string) {
		t.Helper()
		var got []string
		if last := taps.look(func(line string) { got = append(got, line) }); last != text || !slices.Equal(got, lines) {
			t.Errorf("got %q after %q, want %q after %q", last, got, text, lines)
		}
	}
	write := func(to *tap, text string) {
		t.Helper()
		if n, err := to.Write([]byte(text)); n != len(text) || err != nil {
			t.Fatal(n, err)
		}
	}
	expect("")
	write(&taps.stdout, "one\ntw")
	expect("tw", "one")
	expect("")
	write(&taps.stdout, "o\r\n\n")
	expect("two", "two")
	write(&taps.stderr, "10%\r20%\r3")
	expect("3", "10%", "20%")
	write(&taps.stderr, "0%\r")
	write(&taps.stdout, "out\n")
	expect("out", "out", "30%")
	write(&taps.stdout, "out\n")
	write(&taps.stderr, "err\n")
	expect("err", "out", "err")
	write(&taps.stdout, "begins\n")
	write(&taps.stdout, "more than it keeps\nlast\n") // and so what it begins with is no line
	expect("last", "last")
	write(&taps.stdout, strings.Repeat("x", 100))
	expect("")
	write(&taps.stdout, "y\nz\n")
	expect("z", "y", "z")
	if len(taps.stdout.tail) > 16 || cap(taps.stdout.tail) > 64 {
		t.Errorf("keeps %d bytes in %d", len(taps.stdout.tail), cap(taps.stdout.tail))
	}
}

func TestTimesAreWrittenAsPeopleSayThem(t *testing.T) {
	for d, want := range map[time.Duration]string{
		59900 * time.Millisecond: "59 s", time.Minute: "1 min 0 s", 3700 * time.Second: "1 h 1 min",
	} {
		if got := elapsed(d); got != want {
			t.Errorf("%s: got %s", d, got)
		}
	}
}
