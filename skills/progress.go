package skills

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"skillet/skills/tomldoc"
)

// Progress finds in a program's output how far it has come. It is read from
//
//	progress = '(?<percent>\d+)%'
//	progress = '(?<current>\d+) of (?<total>\d+)'
//	progress = { pattern = 'time=(?<current>[\d:.]+)', total = 'Duration: (?<total>[\d:.]+)' }
type Progress struct {
	pattern *regexp.Regexp
	total   *regexp.Regexp // of a line of its own; nil without one
}

// Meter follows the output of one call.
type Meter struct {
	progress *Progress
	total    float64 // 0 while it is not known
	percent  float64
	known    bool
}

// Meter begins to follow a call.
func (p *Progress) Meter() *Meter { return &Meter{progress: p} }

// Percent is what the last line said that said something, 0 to 100.
func (m *Meter) Percent() (float64, bool) { return m.percent, m.known }

// Read takes in one line.
func (m *Meter) Read(line string) {
	if total, ok := amount(m.progress.total, line, "total"); ok {
		m.total = total
	}
	if percent, ok := amount(m.progress.pattern, line, "percent"); ok {
		m.set(percent)
		return
	}
	if m.progress.pattern.SubexpIndex("total") >= 0 {
		m.total, _ = amount(m.progress.pattern, line, "total") // 0 where it is none: not that of another line
	}
	if current, ok := amount(m.progress.pattern, line, "current"); ok && m.total > 0 {
		m.set(100 * current / m.total)
	}
}

func (m *Meter) set(percent float64) { m.percent, m.known = min(max(percent, 0), 100), true }

// amount is what a group of an expression has found in a line.
func amount(expression *regexp.Regexp, line, group string) (float64, bool) {
	if expression == nil {
		return 0, false
	}
	index := expression.SubexpIndex(group)
	found := expression.FindStringSubmatch(line)
	if index < 0 || found == nil {
		return 0, false
	}
	return parseAmount(found[index])
}

// parseAmount reads a number, or a time such as 01:02:03.5 in seconds.
func parseAmount(text string) (float64, bool) {
	value := 0.0
	parts := strings.Split(strings.TrimSpace(text), ":")
	for _, part := range parts {
		number, err := strconv.ParseFloat(part, 64)
		if err != nil || len(parts) > 1 && number < 0 {
			return 0, false
		}
		value = value*60 + number
	}
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return 0, false
	}
	return value, true
}

const progressHint = `name what it finds: (?<percent>…), or (?<current>…) and (?<total>…)`

var progressGroups = []string{"percent", "current", "total"}

// readProgress reads `progress`, a regular expression or a table of two.
func readProgress(t tomldoc.Table) *Progress {
	value, ok := t.Any("progress")
	if !ok {
		return nil
	}
	p := &Progress{}
	switch value.(type) {
	case string:
		p.pattern = readExpression(t, "progress")
	case map[string]any:
		table, _ := t.Table("progress")
		if !table.Has("pattern") {
			table.Fail("", "has no pattern", "write pattern = '(?<current>…)', a regular expression")
		}
		p.pattern, p.total = readExpression(table, "pattern"), readExpression(table, "total")
		table.Done()
		if p.total != nil && p.total.SubexpIndex("total") < 0 {
			table.Fail("total", "finds no total", "name what it finds: (?<total>…)")
			return nil
		}
		if p.total == nil && table.Has("total") {
			return nil
		}
	default:
		t.Fail("progress", "is "+tomldoc.TypeName(value)+", expected a regular expression or a table", progressHint)
	}
	if p.pattern == nil {
		return nil
	}
	if text, hint := p.mistake(); text != "" {
		t.Fail("progress", text, hint)
		return nil
	}
	return p
}

// readExpression reads a regular expression with names that mean something; nil is a mistake, or that there is none.
func readExpression(t tomldoc.Table, key string) *regexp.Regexp {
	text, ok := t.StringLike(key, "write a regular expression in single quotes, in which a backslash is one")
	if !ok {
		return nil
	}
	expression, err := regexp.Compile(text)
	if err != nil {
		reason := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
		t.Fail(key, "is no regular expression: "+reason, "the syntax is RE2, see https://github.com/google/re2/wiki/Syntax")
		return nil
	}
	for _, name := range expression.SubexpNames() {
		if name != "" && !slices.Contains(progressGroups, name) {
			hint := suggestion(name, progressGroups)
			if hint == "" {
				hint = progressHint
			}
			t.Fail(key, fmt.Sprintf("names a group %q, which means nothing", name), hint)
			return nil
		}
	}
	return expression
}

// mistake says what does not fit together, "" for nothing.
func (p *Progress) mistake() (text, hint string) {
	has := func(group string) bool { return p.pattern.SubexpIndex(group) >= 0 }
	switch {
	case !has("percent") && !has("current"):
		return "finds neither a percentage nor an amount", progressHint
	case has("percent") && (has("current") || has("total") || p.total != nil):
		return "finds a percentage and an amount", "use one of the two"
	case has("current") && has("total") && p.total != nil:
		return "finds the total twice", "remove one of the two"
	case has("current") && !has("total") && p.total == nil:
		return "finds an amount without a total", "find it in the same line with (?<total>…), or in another with total = '(?<total>…)'"
	}
	return "", ""
}
