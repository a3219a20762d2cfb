package runtime

import "testing"

func TestAReportIsReadableWithoutATerminal(t *testing.T) {
	for line, want := range map[string]string{
		"\x1b[91mwarning\x1b[0m":     "warning",
		"reading 5%\rreading 100%\r": "reading 100%",
		"a\tb \x07":                  "a\tb ",
		"\x1b[0m":                    "",
		"Step 1/2 : FROM debian":     "Step 1/2 : FROM debian",
	} {
		if got := readable(line); got != want {
			t.Errorf("%q: %q", line, got)
		}
	}
}
