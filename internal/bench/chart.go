package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"math"
	"text/template"
	"time"
)

// The chart has two panels. The upper one has the time of a call on a logarithmic scale, a line from p50 (dot) to p95 for
// each variant and load; the lower one the calls per second, a bar for each variant and number of callers.

//go:embed chart.tmpl
var chartTemplate string

// Measures of the chart, in its own units.
const (
	chartLeft  = 150.0 // of the panels
	chartRight = 780.0
	rowHeight  = 16.0
	groupGap   = 14.0
	panelTop   = 70.0 // below the title and the legend
	panelGap   = 64.0
)

// row is a variant's line in a panel.
type row struct {
	Variant variant
	Y       float64
	From    float64 // x of p50, or where a bar begins
	To      float64 // x of p95, or where a bar ends
	Text    string
}

// group is the rows of one load.
type group struct {
	Label string
	Y     float64 // of the label
	Rows  []row
}

// tick is a line of a scale.
type tick struct {
	X    float64
	Text string
}

// panel is one half of the chart.
type panel struct {
	Title       string
	Top, Bottom float64
	Groups      []group
	Ticks       []tick
}

// picture is what the template draws.
type picture struct {
	Height            float64
	Left, Right       float64
	Variants          []variant
	Latency, Calls    panel
	Description       string
	RowHeight, BarTop float64
}

// chart draws the results as SVG.
func (r *results) chart() ([]byte, error) {
	t, err := template.New("chart").Funcs(template.FuncMap{
		"times":  func(a int, b float64) float64 { return float64(a) * b },
		"add":    func(a, b float64) float64 { return a + b },
		"sub":    func(a, b float64) float64 { return a - b },
		"number": func(v variant) int { return int(v) },
	}).Parse(chartTemplate)
	if err != nil {
		return nil, err
	}
	p := picture{Left: chartLeft, Right: chartRight, Variants: variants, RowHeight: rowHeight}
	p.Latency = r.latencyPanel(panelTop)
	p.Calls = r.callsPanel(p.Latency.Bottom + panelGap)
	p.Height = p.Calls.Bottom + 44
	p.Description = fmt.Sprintf("Time of a call and calls per second of %d ways to run a program in a container", len(variants))
	var out bytes.Buffer
	err = t.Execute(&out, p)
	return out.Bytes(), err
}

func (r *results) latencyPanel(top float64) panel {
	p := panel{Title: "Time of a call: p50 (dot) to p95, in milliseconds, on a logarithmic scale", Top: top}
	loads := []struct {
		label string
		took  []sample
	}{{"one at a time", r.OneByOne}}
	for _, open := range r.Open {
		loads = append(loads, struct {
			label string
			took  []sample
		}{fmt.Sprintf("%v arrive a second", open.Rate), open.Took})
	}
	lowest, highest := time.Duration(math.MaxInt64), time.Duration(0)
	for _, load := range loads {
		for _, s := range load.took {
			lowest, highest = min(lowest, s.P50()), max(highest, s.P95())
		}
	}
	first, last := math.Floor(math.Log10(inMS(lowest))), math.Ceil(math.Log10(inMS(highest)))
	at := func(ms float64) float64 {
		return chartLeft + (math.Log10(ms)-first)/(last-first)*(chartRight-chartLeft)
	}
	for power := first; power <= last; power++ {
		p.Ticks = append(p.Ticks, tick{at(math.Pow(10, power)), fmt.Sprint(math.Pow(10, power))})
	}
	for _, load := range loads {
		p.add(load.label, func(v variant) row {
			s := load.took[v]
			return row{From: at(inMS(s.P50())), To: at(inMS(s.P95())), Text: milliseconds(s.P50())}
		})
	}
	p.close()
	return p
}

func (r *results) callsPanel(top float64) panel {
	p := panel{Title: "Calls per second, by the number of callers that call without a pause", Top: top}
	highest := 0.0
	for _, load := range r.Closed {
		for _, rate := range load.Rate {
			highest = max(highest, rate)
		}
	}
	step := niceStep(highest / 5)
	end := math.Ceil(highest/step) * step
	at := func(rate float64) float64 { return chartLeft + rate/end*(chartRight-chartLeft) }
	for value := 0.0; value <= end; value += step {
		p.Ticks = append(p.Ticks, tick{at(value), fmt.Sprint(value)})
	}
	for _, load := range r.Closed {
		label := fmt.Sprintf("%d callers", load.Callers)
		if load.Callers == 1 {
			label = "1 caller"
		}
		p.add(label, func(v variant) row {
			return row{From: chartLeft, To: at(load.Rate[v]), Text: fmt.Sprintf("%.1f", load.Rate[v])}
		})
	}
	p.close()
	return p
}

// niceStep is the next of 1, 2, 5, 10, 20 …
func niceStep(least float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, factor := range []float64{1, 2, 5} {
		if power*factor >= least {
			return power * factor
		}
	}
	return 10 * power
}

// add puts a group below those that are there.
func (p *panel) add(label string, of func(variant) row) {
	top := p.Top + 8 + float64(len(p.Groups))*(float64(len(variants))*rowHeight+groupGap)
	g := group{Label: label, Y: top + float64(len(variants))*rowHeight/2}
	for i, v := range variants {
		one := of(v)
		one.Variant, one.Y = v, top+(float64(i)+0.5)*rowHeight
		g.Rows = append(g.Rows, one)
	}
	p.Groups = append(p.Groups, g)
}

func (p *panel) close() {
	p.Bottom = p.Top + 8 + float64(len(p.Groups))*(float64(len(variants))*rowHeight+groupGap)
}
