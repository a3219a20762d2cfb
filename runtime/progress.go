package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// message is one of the JSON values that an engine sends while it builds or pulls.
type message struct {
	Stream      string `json:"stream"` // build: text, not always whole lines
	Status      string `json:"status"` // pull: what is going on
	ID          string `json:"id"`     // pull: with which layer
	Error       string `json:"error"`
	ErrorDetail *struct {
		Message string `json:"message"`
	} `json:"errorDetail"`
}

// follow reads the messages of a build or a pull to their end, and passes lines on. A pull's download counters, which
// come many times a second, are left out: a line is passed on when a layer's state changes. The error is the engine's
// own, which comes in band, or the connection's.
func follow(body io.Reader, line func(string)) error {
	decoder := json.NewDecoder(body)
	states := map[string]string{} // by layer
	var partial string
	for {
		var m message
		if err := decoder.Decode(&m); errors.Is(err, io.EOF) {
			if partial != "" {
				line(readable(partial))
			}
			return nil
		} else if err != nil {
			return fmt.Errorf("the engine's progress report broke off: %w", err)
		}
		if m.ErrorDetail != nil && m.ErrorDetail.Message != "" {
			return errors.New(strings.TrimSpace(m.ErrorDetail.Message))
		}
		if m.Error != "" {
			return errors.New(strings.TrimSpace(m.Error))
		}
		if m.Status != "" && states[m.ID] != m.Status {
			states[m.ID] = m.Status
			if m.ID != "" {
				m.Status = m.ID + ": " + m.Status
			}
			line(m.Status)
		}
		lines := strings.Split(partial+m.Stream, "\n")
		partial = lines[len(lines)-1]
		for _, whole := range lines[:len(lines)-1] {
			if text := readable(whole); text != "" {
				line(text)
			}
		}
	}
}

// colours are terminal sequences: those with which the engine paints what a build writes to standard error, and others.
var colours = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")

// readable is what a terminal would show of a line in the end: without colours, and only what was written last over it.
func readable(line string) string {
	line = strings.TrimRight(colours.ReplaceAllString(line, ""), "\r ")
	if last := strings.LastIndexByte(line, '\r'); last >= 0 {
		line = line[last+1:]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' {
			return -1
		}
		return r
	}, line)
}

// tail keeps the last lines of a report.
type tail struct {
	lines []string
}

const (
	tailLines  = 20
	tailLength = 500 // bytes of a line
)

func (t *tail) add(line string) {
	if len(line) > tailLength {
		line = strings.ToValidUTF8(line[:tailLength], "") + "…"
	}
	t.lines = append(t.lines, line)
	if len(t.lines) > tailLines {
		t.lines = t.lines[1:]
	}
}
