package skills

import (
	"slices"
	"strings"
	"testing"
)

func parseProgress(text string) (*Progress, error) {
	set, err := Parse("skills.toml", []byte("[skills.x]\n"+text+"\n[skills.x.docker]\nimage = \"debian\"\n"), Environment{})
	if err != nil {
		return nil, err
	}
	return set.Skills[0].Progress, nil
}

func TestProgressIsFoundInTheOutput(t *testing.T) {
	for _, test := range []struct {
		progress string
		lines    []string
		want     []float64 // after each line, -1 for unknown
	}{
		{`progress = '(?<percent>[\d.]+) ?%'`,
			[]string{"start", "12.5% done", "nothing", "50 %", "1000%", "7%"}, []float64{-1, 12.5, 12.5, 50, 100, 7}},
		{`progress = '(?P<current>\d+)/(?P<total>\d+)'`,
			[]string{"1/0", "1/4", "3/4", "5/4"}, []float64{-1, 25, 75, 100}},
		{`progress = { pattern = 'time=(?<current>\S+)', total = 'Duration: (?<total>[\d:.]+)' }`, []string{
			"frame= 1 time=00:00:01.00 speed=1x", "  Duration: 00:01:40.00, start: 0.000000", "frame= 1 time=00:00:01.00", "time=N/A", "time=-00:00:01.00", "time=00:00:50.00"},
			[]float64{-1, -1, 1, 1, 1, 50}},
		{`progress.pattern = 'at (?<current>\d+) of (?<total>\d+)'`, []string{"at 1 of 10"}, []float64{10}},
		{`progress = 'bytes (?<current>\S+) of (?<total>\S+)'`, []string{"bytes NaN of 3", "bytes 1 of Inf", "bytes 1e2 of 4e2"}, []float64{-1, -1, 25}},
	} {
		p, err := parseProgress(test.progress)
		if err != nil {
			t.Errorf("%s: %v", test.progress, err)
			continue
		}
		meter := p.Meter()
		var got []float64
		for _, line := range test.lines {
			meter.Read(line)
			percent, known := meter.Percent()
			if !known {
				percent = -1
			}
			got = append(got, percent)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got %v, want %v", test.progress, got, test.want)
		}
	}
}

func TestAProgressThatCannotWorkIsAMistakeOnItsLine(t *testing.T) {
	for text, want := range map[string]string{
		`progress = '(?<percent>\d+'`:                                                      "skills.toml:2: skills.x.progress: is no regular expression: missing closing )",
		`progress = '\d+%'`:                                                                "skills.toml:2: skills.x.progress: finds neither a percentage nor an amount (name what it finds: (?<percent>…), or",
		`progress = '(?<percnt>\d+)%'`:                                                     `skills.toml:2: skills.x.progress: names a group "percnt", which means nothing (did you mean "percent"?)`,
		`progress = '(?<current>\d+)'`:                                                     "skills.toml:2: skills.x.progress: finds an amount without a total",
		`progress = '(?<percent>\d+) (?<current>\d+)'`:                                     "finds a percentage and an amount (use one of the two)",
		`progress = 7`:                                                                     "skills.toml:2: skills.x.progress: is an integer, expected a regular expression or a table",
		"progress = {\ntotal = '(?<total>a)' }":                                            "skills.x.progress: has no pattern",
		"[skills.x.progress]\npattern = '(?<current>a)'\ntotal = 'b'":                      "skills.toml:4: skills.x.progress.total: finds no total",
		"[skills.x.progress]\npattern = '(?<current>a)'\ntotal = '['":                      "skills.toml:4: skills.x.progress.total: is no regular expression",
		"[skills.x.progress]\npattern = '(?<current>a)(?<total>b)'\ntotal = '(?<total>c)'": "finds the total twice",
		"[skills.x.progress]\npattern = '(?<percent>a)'\ntotl = 'b'":                       `skills.toml:4: skills.x.progress.totl: unknown key (did you mean "total"?)`,
	} {
		_, err := parseProgress(text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}
