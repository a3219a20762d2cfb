package mcpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"skillet/runtime"
	"skillet/skills"
)

// progress tells a client how its call fares, when the client has asked for that with a token (2025-11-25, Progress). It says
// what has changed, at most twice a second, and that the call lives, every ten seconds: some clients give up on a call from
// which they hear nothing.
//
// The number has to increase with each notification. It is the percentage for a skill whose output says one, of 100, and else
// the seconds since the call came, of a total that nobody knows. What does not increase by itself does so by a trifle.
type progress struct {
	place *place // in the queue; nil outside of one
	begun time.Time
	taps  *taps

	over  chan struct{} // closed to end it
	ended chan struct{}

	mu     sync.Mutex
	stage  stage
	since  time.Time     // of the stage
	step   string        // of the image that is built
	line   string        // the last one about the image
	meter  *skills.Meter // nil for a skill without a pattern
	output string        // the last line of it

	telling sync.Mutex // whoever holds it tells
	tell    func(value float64, total bool, message string)
	said    string // what was told last, without the time
	value   float64
	heard   time.Time // when the client was told something last
}

// stage is what a call is doing.
type stage int

const (
	waitingForTurn stage = iota
	gettingImage
	running
)

const (
	progressInterval  = 500 * time.Millisecond
	progressHeartbeat = 10 * time.Second

	// trifle is what a number increases by when there is nothing to count. A day of heartbeats with it, or an hour of twice a
	// second, is less than the one percent that is never told before the end.
	trifle  = 0.0001
	mostOf  = 99
	percent = 100
)

// newProgress begins to tell of a call, to the session of ctx. It returns nil when the client has not asked for it; all
// methods do nothing then.
func (s *Server) newProgress(ctx context.Context, skill *skills.Skill) *progress {
	if progressToken(ctx) == nil {
		return nil
	}
	return s.follow(ctx, skill)
}

// follow is newProgress for a call whose progress is asked for in other ways, too.
func (s *Server) follow(ctx context.Context, skill *skills.Skill) *progress {
	now := time.Now()
	p := &progress{
		begun: now, since: now, heard: now,
		over: make(chan struct{}), ended: make(chan struct{}),
	}
	p.place, _ = ctx.Value(placeKey{}).(*place)
	size := shortTail
	if skill.Progress != nil {
		p.meter, size = skill.Progress.Meter(), longTail
	}
	p.taps = newTaps(size)
	if token := progressToken(ctx); token != nil {
		p.tell = func(value float64, total bool, message string) {
			params := map[string]any{"progressToken": token, "progress": value, "message": message}
			if total {
				params["total"] = percent
			}
			// Where the client does not read, what comes next is as good.
			_ = s.mcp.SendNotificationToClient(ctx, "notifications/progress", params)
		}
	}
	go p.watch()
	return p
}

// silence returns when nothing will be told any more. What is going on is noted as before.
func (p *progress) silence() {
	p.telling.Lock()
	defer p.telling.Unlock()
	p.tell = nil
}

// stop returns when nothing will be told any more. What was told is sent before the response: see [session.finish].
func (p *progress) stop() {
	if p != nil {
		close(p.over)
		<-p.ended
	}
}

// running notes that the call runs.
func (p *progress) running() {
	if p != nil {
		p.enter(running)
	}
}

func (p *progress) enter(next stage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stage != next {
		p.stage, p.since = next, time.Now()
	}
}

// listen is what the runtime tells of the call.
func (p *progress) listen() runtime.IO {
	if p == nil {
		return runtime.IO{}
	}
	return runtime.IO{Stdout: &p.taps.stdout, Stderr: &p.taps.stderr, Progress: (*imageLines)(p), ImageReady: p.running}
}

// imageLines takes lines on the building or pulling of an image.
type imageLines progress

func (l *imageLines) Write(text []byte) (int, error) {
	p := (*progress)(l)
	p.enter(gettingImage)
	p.mu.Lock()
	defer p.mu.Unlock()
	for line := range strings.Lines(string(text)) {
		line = readable(line)
		if step, command, ok := strings.Cut(line, " : "); ok && strings.HasPrefix(step, "Step ") {
			p.step, line = step, command
		}
		if line != "" && !strings.HasPrefix(line, "---> ") { // which tells of containers and the cache
			p.line = line
		}
	}
	return len(text), nil
}

// watch tells what there is to tell.
func (p *progress) watch() {
	defer close(p.ended)
	ticker := time.NewTicker(progressInterval)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			p.look(now)
		case <-p.over:
			return
		}
	}
}

// look tells when something has changed, or when nothing was told for a while.
func (p *progress) look(now time.Time) {
	p.listenUp()
	p.telling.Lock()
	defer p.telling.Unlock()
	doing, message := p.state(now)
	if p.tell == nil || doing == p.said && now.Sub(p.heard) < progressHeartbeat {
		return
	}
	p.said, p.heard = doing, now
	value, total := p.next(now)
	p.tell(value, total, shorten(message))
}

// listenUp takes in what the program has written since the last time.
func (p *progress) listenUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if text := p.taps.look(p.read); text != "" {
		p.output = text
	}
}

// read looks for a percentage in a line of output.
func (p *progress) read(line string) {
	if p.meter != nil {
		p.meter.Read(line)
	}
}

// state is what the call is doing: what a change of it is worth to be told, and with the time that it has taken.
func (p *progress) state(now time.Time) (doing, message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	took := elapsed(now.Sub(p.since))
	switch p.stage {
	case waitingForTurn:
		doing = "waiting for a turn"
		if number := p.place.number(); number > 0 {
			doing += fmt.Sprintf(", number %d in the queue", number)
		}
		return doing, doing + ", for " + took
	case gettingImage:
		doing = "getting the image"
		if p.step != "" {
			doing += ", " + strings.ToLower(p.step)
		}
		return doing + p.line, join(doing+", for "+took, p.line)
	}
	doing, message = "running", "running for "+took
	if share, ok := p.share(); ok {
		doing = fmt.Sprintf("%d %%", int(share))
		message = doing + ", " + message
	}
	return doing + p.output, join(message, p.output)
}

func join(message, line string) string {
	if line == "" {
		return message
	}
	return message + ": " + line
}

// share is the percentage, if the output has said one. p.mu is held.
func (p *progress) share() (float64, bool) {
	if p.meter == nil {
		return 0, false
	}
	return p.meter.Percent()
}

// next is the number to tell, and whether it is one of a hundred.
func (p *progress) next(now time.Time) (value float64, total bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	least := round(p.value + trifle)
	switch share, known := p.share(); {
	case known:
		value, total = max(least, round(min(share, mostOf))), true
	case p.meter != nil: // a percentage may still come, and has to be more
		value = least
	default:
		value = max(least, round(now.Sub(p.begun).Seconds()))
	}
	p.value = value
	return value, total
}

// round leaves as many digits as a trifle has.
func round(value float64) float64 { return math.Round(value/trifle) / (1 / trifle) }

// tokenKey finds the progress token of a request in its context.
type tokenKey struct{}

// withProgressToken remembers the token that a request has, as it was written: the library reads numbers as floating point,
// in which large ones change.
func withProgressToken(ctx context.Context, message []byte) context.Context {
	if !bytes.Contains(message, []byte(`progressToken`)) { // most have none, and may be large
		return ctx
	}
	var request struct {
		Params struct {
			Meta struct {
				Token json.RawMessage `json:"progressToken"`
			} `json:"_meta"`
		} `json:"params"`
	}
	if json.Unmarshal(message, &request) != nil {
		return ctx
	}
	token := request.Params.Meta.Token
	if len(token) == 0 || token[0] != '"' && token[0] != '-' && (token[0] < '0' || token[0] > '9') {
		return ctx // none, or no string and no number
	}
	return context.WithValue(ctx, tokenKey{}, token)
}

// progressToken is the token of ctx's request, nil for none.
func progressToken(ctx context.Context) json.RawMessage {
	token, _ := ctx.Value(tokenKey{}).(json.RawMessage)
	return token
}
