package runtime

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

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

func TestAPullTellsItsBytesAndLayersOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		report, engine := io.Pipe()
		go func() {
			defer engine.Close()
			send := func(line string) { fmt.Fprintln(engine, line) }
			send(`{"status":"Pulling from library/debian","id":"12"}`)
			send(`{"status":"Already exists","progressDetail":{},"id":"aa"}`)
			send(`{"status":"Pulling fs layer","progressDetail":{},"id":"bb"}`)
			send(`{"status":"Pulling fs layer","progressDetail":{},"id":"cc"}`)
			for i := range 40 { // four seconds
				send(fmt.Sprintf(`{"status":"Downloading","progressDetail":{"current":%d,"total":40000000},"id":"bb"}`, (i+1)*1000000))
				time.Sleep(100 * time.Millisecond)
			}
			send(`{"status":"Download complete","progressDetail":{},"id":"bb"}`)
			send(`{"status":"Extracting","progressDetail":{"current":5,"total":9},"id":"bb"}`)
			time.Sleep(time.Second)
			send(`{"status":"Downloading","progressDetail":{"current":500,"total":1000},"id":"cc"}`)
			send(`{"status":"Pull complete","progressDetail":{},"id":"cc"}`)
		}()
		var sums []string
		if err := follow(report, func(line string) {
			if strings.HasSuffix(line, " layers") {
				sums = append(sums, line)
			}
		}); err != nil {
			t.Fatal(err)
		}
		want := []string{
			"11MB of 40MB, 1 of 3 layers", "21MB of 40MB, 1 of 3 layers", "31MB of 40MB, 1 of 3 layers", "40MB of 40MB, 2 of 3 layers",
			"40MB of 40MB, 2 of 3 layers",
		}
		if !slices.Equal(sums, want) {
			t.Errorf("got %q", sums)
		}
	})
}
