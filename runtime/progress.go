package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/docker/go-units"
)

// message is one of the JSON values that an engine sends while it builds or pulls.
type message struct {
	Stream string `json:"stream"` // build: text, not always whole lines
	Status string `json:"status"` // pull: what is going on
	ID     string `json:"id"`     // pull: with which layer
	Detail struct {
		Current int64 `json:"current"`
		Total   int64 `json:"total"`
	} `json:"progressDetail"`
	Error       string `json:"error"`
	ErrorDetail *struct {
		Message string `json:"message"`
	} `json:"errorDetail"`
}

// follow reads the messages of a build or a pull to their end, and passes lines on: one when a layer's state changes, and of
// the download counters, which come many times a second, one a second for all layers together. The error is the engine's own,
// which comes in band, or the connection's.
func follow(body io.Reader, line func(string)) error {
	decoder := json.NewDecoder(body)
	states := map[string]string{} // by layer
	sums := newDownloads()
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
			status := m.Status
			if m.ID != "" {
				status = m.ID + ": " + status
			}
			line(status)
		}
		if text := sums.add(m); text != "" {
			line(text)
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

// downloads sums up the layers of a pull.
type downloads struct {
	layers map[string]*layer
	told   time.Time // when the last line was made
}

type layer struct {
	done, size int64 // bytes; what is there already has none
	complete   bool
}

// between is the time between two lines of sums.
const between = time.Second

func newDownloads() *downloads { return &downloads{layers: map[string]*layer{}, told: time.Now()} }

// add takes in a message, and returns a line when it is time for one.
func (d *downloads) add(m message) string {
	one := d.layers[m.ID]
	switch m.Status {
	case "Pulling fs layer", "Already exists":
		if one == nil {
			one = &layer{}
			d.layers[m.ID] = one
		}
		one.complete = one.complete || m.Status == "Already exists"
		return ""
	case "Downloading", "Download complete", "Pull complete":
	default:
		return ""
	}
	if one == nil {
		return ""
	}
	if m.Status == "Downloading" {
		one.done, one.size = m.Detail.Current, max(m.Detail.Total, m.Detail.Current)
	} else {
		one.done, one.complete = one.size, true
	}
	if time.Since(d.told) < between {
		return ""
	}
	d.told = time.Now()
	return d.String()
}

// String is "12.3MB of 45.6MB, 2 of 5 layers". Layers whose download has not begun have no size yet.
func (d *downloads) String() string {
	var done, size int64
	complete := 0
	for _, one := range d.layers {
		done, size = done+one.done, size+one.size
		if one.complete {
			complete++
		}
	}
	return fmt.Sprintf("%s of %s, %d of %d layers", units.HumanSize(float64(done)), units.HumanSize(float64(size)), complete, len(d.layers))
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
