package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"time"
)

// results are what was measured. Slices without a comment are by variant.
type results struct {
	Date    time.Time
	Machine string
	Command string
	Image   string
	Warm    string
	Plan    plan

	OneByOne               []sample
	Closed                 []closedRow // by the number of callers
	Open                   []openRow   // by the rate
	Own                    ownTimes
	ColdPhases, WarmPhases phaseSamples
	IdleWarm, IdleSleeping idleRow
	Starts                 []startRow  // by the number of skills
	Loaded                 [2]resident // the servers after all calls: without warm containers, and with
}

// section is a part of the document that is written anew.
type section struct{ name, text string }

// sectionNames are all, in the order in which they are printed. Each is a template of its name in report.tmpl.
var sectionNames = []string{"made", "targets", "latency", "throughput", "arrivals", "phases", "own", "memory", "startup"}

//go:embed report.tmpl
var reportTemplate string

func (r *results) sections() ([]section, error) {
	t, err := template.New("report").Funcs(reportFuncs).Parse(reportTemplate)
	if err != nil {
		return nil, err
	}
	var all []section
	for _, name := range sectionNames {
		var text bytes.Buffer
		if err := t.ExecuteTemplate(&text, name, r); err != nil {
			return nil, err
		}
		all = append(all, section{name, strings.TrimSpace(text.String()) + "\n"})
	}
	return all, nil
}

var reportFuncs = template.FuncMap{
	"variants": func() []variant { return variants },
	"compared": func() []variant { return variants[1:] },
	"phases":   func() []string { return phaseNames },
	"ms":       milliseconds,
	"mib":      mebibytes,
	"ratio":    func(a, b time.Duration) string { return ratioText(divide(a, b)) },
	"ratiof":   func(a, b float64) string { return ratioText(divide(a, b)) },
}

// milliseconds has three digits, or more before the point.
func milliseconds(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case ms >= 100:
		return fmt.Sprintf("%.0f", ms)
	case ms >= 10:
		return fmt.Sprintf("%.1f", ms)
	}
	return fmt.Sprintf("%.2f", ms)
}

func mebibytes(bytes any) string {
	switch bytes := bytes.(type) {
	case int64:
		return fmt.Sprintf("%.1f", float64(bytes)/(1<<20))
	case float64:
		return fmt.Sprintf("%.1f", bytes/(1<<20))
	}
	return "?"
}

func divide[T time.Duration | float64](a, b T) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// ratioText has at least two digits that mean something.
func ratioText(r float64) string {
	if r < 0.1 {
		return fmt.Sprintf("%.3f", r)
	}
	return fmt.Sprintf("%.2f", r)
}

// target is a figure to reach.
type target struct {
	Name     string
	Want     float64
	Got      float64
	AtLeast  bool // else at most
	Unit     string
	Measured bool
}

func (t target) Met() bool {
	if t.AtLeast {
		return t.Got >= t.Want
	}
	return t.Got <= t.Want
}

// Wanted, Is and Verdict are cells of the table.
func (t target) Wanted() string {
	if t.AtLeast {
		return "≥ " + t.text(t.Want)
	}
	return "≤ " + t.text(t.Want)
}

func (t target) Is() string {
	if !t.Measured {
		return "not measured"
	}
	return t.text(t.Got)
}

func (t target) Verdict() string {
	better, worse := t.Want/t.Got, t.Got/t.Want
	if t.AtLeast {
		better, worse = worse, better
	}
	switch {
	case !t.Measured:
		return "—"
	case t.Met():
		return fmt.Sprintf("met, by a factor of %.2f", better)
	}
	return fmt.Sprintf("**missed**, by a factor of %.2f", worse)
}

func (t target) text(value float64) string {
	if t.Unit == "" {
		return ratioText(value)
	}
	return fmt.Sprintf("%.3g %s", value, t.Unit)
}

// Targets compares what was measured with what is to be reached.
func (r *results) Targets() []target {
	reference := r.OneByOne[dockerRun].P50()
	one := func(d time.Duration) float64 { return divide(d, reference) }
	many := r.Starts[slices.IndexFunc(r.Starts, func(s startRow) bool { return s.Skills == 200 })]
	return []target{
		{Name: "warm call, p50 / p50 of `docker run`", Want: 0.02, Got: one(r.OneByOne[warm].P50()), Measured: true},
		{Name: "warm call, p95 / p50 of `docker run`", Want: 0.05, Got: one(r.OneByOne[warm].P95()), Measured: true},
		{Name: "cold call, p50 / p50 of `docker run`", Want: 0.45, Got: one(r.OneByOne[cold].P50()), Measured: true},
		{Name: "calls per second, cold / `docker run`, least of 1 to 8 callers", Want: 1.9, Got: r.leastGain(cold), AtLeast: true, Measured: true},
		{Name: "calls per second, warm / `docker run`, least of 1 to 8 callers", Want: 1.9, Got: r.leastGain(warm), AtLeast: true, Measured: true},
		{Name: "skillet's own time in a cold call, p50", Want: 2, Got: inMS(r.Own.Cold.P50()), Unit: "ms", Measured: true},
		{Name: "skillet's own time in a warm call, p50", Want: 2, Got: inMS(r.Own.Warm.P50()), Unit: "ms", Measured: true},
		{Name: "idle warm container, beyond the engine's own process", Want: 8, Got: r.IdleWarm.Beyond() / (1 << 20), Unit: "MiB", Measured: r.IdleWarm.Count > 0},
		{Name: "start to `tools/list` with 200 skills, p50", Want: 50, Got: inMS(many.Took.P50()), Unit: "ms", Measured: true},
	}
}

func inMS(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// leastGain is how many times the calls of `docker run` a variant makes, where that is least.
func (r *results) leastGain(v variant) float64 {
	least := 0.0
	for _, row := range r.Closed {
		if gain := divide(row.Rate[v], row.Rate[dockerRun]); row.Callers <= 8 && (least == 0 || gain < least) {
			least = gain
		}
	}
	return least
}

// Phase returns a part of calls by its name; it has no values where it was not logged.
func (r *results) Phase(of phaseSamples, name string) sample { return of[name] }

// Logged tells whether the server has logged the parts of calls at all.
func (r *results) Logged() bool { return len(r.ColdPhases)+len(r.WarmPhases) > 0 }
