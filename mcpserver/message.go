package mcpserver

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
)

// maxMessage is where clients cut the message of a progress notification, in the units in which JavaScript counts.
const maxMessage = 200

// sequences are what programs send to a terminal beside text: colours and movements (CSI), titles and links (OSC), other
// strings, and single commands (ECMA-48, 5.3 to 5.6). One that was cut off at its end is one, too.
var sequences = regexp.MustCompile(`\x1b(?:\[[0-?]*[ -/]*(?:[@-~]|$)|\][^\x07\x1b]*(?:\x07|\x1b\\|$)|[PX^_][^\x1b]*(?:\x1b\\|$)|[ -/]*(?:[0-~]|$))`)

// readable is what can be shown of a line: valid UTF-8 without terminal sequences, control characters and those that turn
// the direction of the text around them.
func readable(line string) string {
	line = strings.ToValidUTF8(line, "\uFFFD")
	line = sequences.ReplaceAllString(line, "")
	line = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r): // tabs and separators of lines among them
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\uFEFF':
			return -1
		}
		return r
	}, line)
	return strings.TrimSpace(line)
}

// shorten cuts a message to its length.
func shorten(text string) string {
	units := 0
	for i, r := range text {
		units += utf16.RuneLen(r)
		if units > maxMessage {
			return shortenTo(text[:i], maxMessage-1) + "…"
		}
	}
	return text
}

// shortenTo cuts a text to a number of units.
func shortenTo(text string, most int) string {
	units := 0
	for i, r := range text {
		if units += utf16.RuneLen(r); units > most {
			return text[:i]
		}
	}
	return text
}

// elapsed writes a duration as people say it: "7 s", "3 min 20 s", "2 h 5 min".
func elapsed(d time.Duration) string {
	seconds := int(d.Seconds())
	switch {
	case seconds < 60:
		return fmt.Sprintf("%d s", seconds)
	case seconds < 3600:
		return fmt.Sprintf("%d min %d s", seconds/60, seconds%60)
	}
	return fmt.Sprintf("%d h %d min", seconds/3600, seconds/60%60)
}
