package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const ms = time.Millisecond

func TestQuantilesAreValuesThatWereMeasured(t *testing.T) {
	var twenty sample
	for i := 20; i > 0; i-- {
		twenty = append(twenty, time.Duration(i)*ms)
	}
	for _, c := range []struct {
		of       sample
		p50, p95 time.Duration
	}{
		{nil, 0, 0},
		{sample{7 * ms}, 7 * ms, 7 * ms},
		{sample{3 * ms, ms, 2 * ms}, 2 * ms, 3 * ms},
		{twenty, 10 * ms, 19 * ms},
	} {
		if p50, p95 := c.of.P50(), c.of.P95(); p50 != c.p50 || p95 != c.p95 {
			t.Errorf("%v has p50 %v and p95 %v, not %v and %v", c.of, p50, p95, c.p50, c.p95)
		}
	}
}

func TestArrivalsAreTheSameForEveryVariantAndComeAtTheRate(t *testing.T) {
	first := poisson(4, 2000)
	if !slices.Equal(first, poisson(4, 2000)) {
		t.Error("the second time the arrivals were others")
	}
	if !slices.IsSorted(first) {
		t.Error("they do not come one after the other")
	}
	if rate := 2000 / first[1999].Seconds(); math.Abs(rate-4) > 0.4 {
		t.Errorf("%.2f arrive in a second, not 4", rate)
	}
}

// events makes those of a call that begins at 0, in ms: "3>1" is bytes for the engine on connection 1 at 3 ms, "5<1" bytes
// from it, and "5<1u" such on a connection that is a container's streams.
func traffic(begin time.Time, script ...string) []event {
	var all []event
	for _, one := range script {
		at, rest, toEngine := strings.Cut(one, ">")
		if !toEngine {
			at, rest, _ = strings.Cut(one, "<")
		}
		offset, err := time.ParseDuration(at + "ms")
		if err != nil {
			panic(err)
		}
		conn, upgraded := strings.CutSuffix(rest, "u")
		all = append(all, event{at: begin.Add(offset), conn: int(conn[0] - '0'), toEngine: toEngine, upgraded: upgraded})
	}
	return all
}

func TestOwnTimeIsWhatTheEngineIsNotWaitedFor(t *testing.T) {
	begin := time.Now()
	for name, c := range map[string]struct {
		traffic []event
		own     time.Duration
	}{
		"cold":                                {traffic(begin, "-50<1", "1>1", "20<1", "22>2", "30<2u", "31>1", "90<2u", "95<1"), (1 + 2 + 1 + 5) * ms},
		"a removal is sent before the answer": {traffic(begin, "1>1", "95<1", "97>1"), (1 + 5) * ms},
		"a request in two pieces":             {traffic(begin, "1>1", "2>1", "95<1"), (1 + 5) * ms},
		"warm, the next container is made meanwhile": {
			traffic(begin, "-50<1u", "1>1u", "2>2", "8<1u", "9<2", "10>2", "96<1u", "98<2"), (1 + 4) * ms,
		},
	} {
		r := &relay{events: c.traffic}
		own, err := r.ownTime(begin, begin.Add(100*ms))
		if err != nil || own != c.own {
			t.Errorf("%s: %v (%v), not %v", name, own, err, c.own)
		}
	}
	r := &relay{events: traffic(begin, "-50<1", "1>1")}
	if own, err := r.ownTime(begin, begin.Add(100*ms)); err == nil {
		t.Errorf("a call without an answer of the engine's has the own time %v", own)
	}
}

func TestTheRelayPassesOnBytesAndTheEndOfOneDirection(t *testing.T) {
	dir := t.TempDir()
	engine, err := net.Listen("unix", filepath.Join(dir, "engine.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	go func() { // answers when its input has ended, like a program in a container
		conn, err := engine.Accept()
		if err != nil {
			return
		}
		input, _ := io.ReadAll(conn)
		_, _ = conn.Write(append([]byte("HTTP/1.1 101 UPGRADED "), bytes.ToUpper(input)...))
		_ = conn.Close()
	}()
	r, err := newRelay(dir, "unix://"+engine.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	conn, err := net.Dial("unix", strings.TrimPrefix(r.address(), "unix://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	begin := time.Now()
	_, err = conn.Write([]byte("frame"))
	err = errors.Join(err, conn.(*net.UnixConn).CloseWrite(), conn.SetDeadline(time.Now().Add(10*time.Second)))
	answer, readErr := io.ReadAll(conn)
	if err := errors.Join(err, readErr); err != nil || string(answer) != "HTTP/1.1 101 UPGRADED FRAME" {
		t.Fatalf("%q came back, %v", answer, err)
	}
	events, _ := r.between(begin, time.Now())
	if len(events) != 2 || !events[0].toEngine || events[0].upgraded || events[1].toEngine || !events[1].upgraded {
		t.Errorf("it has noted %+v", events)
	}
}

func TestPhasesAreReadFromTheLog(t *testing.T) {
	got := readPhases(`{"level":"DEBUG","msg":"call phases","skill":"echo","create":12000000,"start":95000000,"run":"1.5ms"}
{"level":"DEBUG","msg":"container removed","create":1}
no JSON
{"level":"DEBUG","msg":"call phases","create":14000000,"status":null}
`)
	want := phaseSamples{"create": {12 * ms, 14 * ms}, "start": {95 * ms}, "run": {1500 * time.Microsecond}}
	if len(got) != len(want) {
		t.Errorf("read %v", got)
	}
	for name := range want {
		if !slices.Equal(got[name], want[name]) {
			t.Errorf("%s is %v, not %v", name, got[name], want[name])
		}
	}
}

// measured are results in which every variant is ten times as fast as the one before it.
func measured() *results {
	var took []sample
	var rates []float64
	for i := range variants {
		one := time.Duration(float64(300*ms) / math.Pow(10, float64(i)))
		took = append(took, sample{one, one, 2 * one})
		rates = append(rates, 4*float64(i+1))
	}
	return &results{
		Machine: "a machine", Command: "make bench", Image: "an image", Warm: "8", Plan: short,
		OneByOne: took, Closed: []closedRow{{1, rates, took}, {16, []float64{1, 1, 1, 1}, took}}, Open: []openRow{{4, took}},
		Own:        ownTimes{Cold: sample{ms}, Warm: sample{4 * ms}, Ping: sample{ms / 10}},
		ColdPhases: phaseSamples{"create": {11 * ms}}, WarmPhases: phaseSamples{"run": {ms}},
		IdleWarm: idleRow{Count: 8, Cgroup: 1 << 20, Shim: 3 << 20, Machine: 8 << 20, Pids: 4},
		Starts:   []startRow{{Skills: 10, Took: sample{9 * ms}}, {Skills: 200, Took: sample{60 * ms}}},
	}
}

func TestTargetsSayHowFarAway(t *testing.T) {
	var got []string
	for _, one := range measured().Targets() {
		got = append(got, one.Wanted()+" "+one.Is()+" "+one.Verdict())
	}
	want := []string{
		"≤ 0.020 0.001 met, by a factor of 20.00",
		"≤ 0.050 0.002 met, by a factor of 25.00",
		"≤ 0.45 0.010 met, by a factor of 45.00",
		"≥ 1.90 3.00 met, by a factor of 1.58", // not that of 16 callers
		"≥ 1.90 4.00 met, by a factor of 2.11",
		"≤ 2 ms 1 ms met, by a factor of 2.00",
		"≤ 2 ms 4 ms **missed**, by a factor of 2.00",
		"≤ 8 MiB 5 MiB met, by a factor of 1.60",
		"≤ 50 ms 60 ms **missed**, by a factor of 1.20",
	}
	if !slices.Equal(got, want) {
		t.Errorf("they say\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	nothing := measured()
	nothing.IdleWarm = idleRow{}
	if one := nothing.Targets()[7]; one.Is() != "not measured" {
		t.Errorf("without warm containers, one takes %s", one.Is())
	}
}

// TestTheDocumentIsWrittenBetweenItsMarks takes the real one, which has to have a place for everything.
func TestTheDocumentIsWrittenBetweenItsMarks(t *testing.T) {
	real, err := os.ReadFile("../../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "performance.md")
	if err := os.WriteFile(file, real, 0o644); err != nil {
		t.Fatal(err)
	}
	r := measured()
	sections, err := r.sections()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openDocument(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.save(sections, r); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sections {
		if !strings.Contains(string(written), sectionBegin(s.name)+"\n"+s.text+sectionEnd) {
			t.Errorf("%s is not in it", s.name)
		}
		if s.text == "\n" || strings.Contains(s.text, "<no value>") {
			t.Errorf("%s is %q", s.name, s.text)
		}
	}
	if prose(t, string(real)) != prose(t, string(written)) {
		t.Error("what people have written was changed")
	}
	wellFormed(t, doc.chartFile())
}

// prose is a document without what is generated.
func prose(t *testing.T, text string) string {
	t.Helper()
	for _, name := range sectionNames {
		var err error
		if text, err = replaceSection(text, section{name: name}); err != nil {
			t.Fatal(err)
		}
	}
	return text
}

// wellFormed checks that a chart is XML, that its numbers are numbers, and that it has every variant.
func wellFormed(t *testing.T, file string) {
	t.Helper()
	chart, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for decoder := xml.NewDecoder(bytes.NewReader(chart)); ; {
		if _, err := decoder.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, wrong := range []string{"NaN", "Inf", "%!"} {
		if strings.Contains(string(chart), wrong) {
			t.Errorf("the chart has a %s", wrong)
		}
	}
	for _, v := range variants {
		if !strings.Contains(string(chart), ">"+v.String()+"<") {
			t.Errorf("the chart does not name %s", v)
		}
	}
}

func TestADocumentWithoutAPlaceForASectionIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"none":    "text\n",
		"twice":   "<!-- bench: made -->\n<!-- /bench -->\n<!-- bench: made -->\n<!-- /bench -->\n",
		"no end":  "<!-- bench: made -->\n",
		"one end": "<!-- bench: made -->\n<!-- bench: own -->\n<!-- /bench -->\n",
	} {
		if got, err := replaceSection(text, section{"made", "new\n"}); err == nil {
			t.Errorf("%s: %q", name, got)
		}
	}
}
