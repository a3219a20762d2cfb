package mcpserver

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"skillet/policy"
	"skillet/runtime"
	"skillet/skills"
)

// A skill's session is a container that is kept between calls. It is known by a handle, an argument of the skill, so that it works
// in clients and over transports that have no sessions of their own (2026-07-28 has none). A handle is good for the client that
// opened the session and for nobody else.

// Session is one session of a skill. [runtime.Session] is one.
type Session interface {
	Run(ctx context.Context, plan policy.Plan, io runtime.IO) (runtime.Result, error)
	Fits(plan policy.Plan) bool          // a call of the plan can be one of the session's
	Ended() <-chan struct{}              // closed when it is over and nothing of it runs
	Why() string                         // it is over; "" while it is not
	End(ctx context.Context, why string) // after the call that is under way; returns when it is over, or ctx ends
}

// DefaultMaxSessions is how many sessions a client may have where nothing else is said.
const DefaultMaxSessions = 8

// remembered is how many sessions that are over are known, to say why.
const remembered = 200

// sessionTable has the sessions of all clients.
type sessionTable struct {
	begin func(policy.Plan) (Session, error)
	most  int // of one client

	mu   sync.Mutex
	all  map[string]*keptSession // by handle, those that are over included
	over []*keptSession          // the oldest first
}

// keptSession is a session and whose it is.
type keptSession struct {
	Session
	handle, client string
	skill          string
	idle           time.Duration
	opened         time.Time
	new            bool // by this call
}

func newSessionTable(begin func(policy.Plan) (Session, error), most int) *sessionTable {
	return &sessionTable{begin: begin, most: most, all: map[string]*keptSession{}}
}

// sessionError says why a call has no session. Nothing has run.
type sessionError struct{ text string }

func (e *sessionError) Error() string { return e.text }

const openAnother = `Open a new one with session = "new".`

// of returns the session that a call is one of.
func (t *sessionTable) of(client string, inv skills.Invocation, plan policy.Plan) (*keptSession, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if inv.Session == skills.NewSession {
		return t.open(client, inv, plan)
	}
	return t.find(client, inv.Skill, inv.Session)
}

// find returns a client's own session. That of another client is as unknown as one that has never been. t.mu is held.
func (t *sessionTable) find(client, skill, handle string) (*keptSession, error) {
	known := t.all[handle]
	switch {
	case known == nil || known.client != client:
		return nil, &sessionError{skill + ": there is no such session, or not any more, or it belongs to another client. " + openAnother}
	case known.skill != skill:
		return nil, &sessionError{skill + ": the session belongs to the tool " + known.skill + ". " + openAnother}
	case known.Why() != "":
		return nil, &sessionError{skill + ": the session has ended: " + known.Why() + ". " + openAnother}
	}
	return known, nil
}

// open begins a session. t.mu is held.
func (t *sessionTable) open(client string, inv skills.Invocation, plan policy.Plan) (*keptSession, error) {
	if t.begin == nil {
		return nil, &sessionError{inv.Skill + ": this server keeps no sessions."}
	}
	if own := t.own(client); len(own) >= t.most {
		text := fmt.Sprintf("%s: no session can be opened: this client has %d, and may have %d.", inv.Skill, len(own), t.most)
		if len(own) > 0 {
			text += " End one of them with " + skills.SessionEnd + ": " + strings.Join(own, ", ") + "."
		}
		return nil, &sessionError{text}
	}
	session, err := t.begin(plan)
	if err != nil {
		return nil, err
	}
	k := &keptSession{Session: session, handle: rand.Text(), client: client, skill: inv.Skill, idle: inv.SessionIdle, opened: time.Now()}
	t.all[k.handle] = k
	go t.watch(k)
	first := *k
	first.new = true
	return &first, nil
}

// own lists a client's sessions, the oldest first. t.mu is held.
func (t *sessionTable) own(client string) (names []string) {
	var own []*keptSession
	for _, k := range t.all {
		if k.client == client && k.Why() == "" {
			own = append(own, k)
		}
	}
	slices.SortFunc(own, func(a, b *keptSession) int { return a.opened.Compare(b.opened) })
	for _, k := range own {
		names = append(names, k.handle+" ("+k.skill+")")
	}
	return names
}

// watch remembers for a while why a session is over.
func (t *sessionTable) watch(k *keptSession) {
	<-k.Ended()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = append(t.over, k)
	if len(t.over) > remembered {
		delete(t.all, t.over[0].handle)
		t.over = slices.Delete(t.over, 0, 1)
	}
}

// end ends a client's session, whichever tool's it is, and tells whether it is over; if not, a call is under way.
func (t *sessionTable) end(ctx context.Context, client, handle string) (over bool, _ error) {
	t.mu.Lock()
	known := t.all[handle]
	t.mu.Unlock()
	if known == nil || known.client != client {
		return false, &sessionError{"There is no such session, or not any more, or it belongs to another client."}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	known.End(ctx, "it was ended with "+skills.SessionEnd)
	select {
	case <-known.Ended():
		return true, nil
	default:
		return false, nil
	}
}

// patience is how long the end of a session is waited for, whose call may take its time.
const patience = 5 * time.Second

// review ends the sessions whose skills are gone, or would have another container now. The calls under way end before that.
func (t *sessionTable) review(all []*skills.Skill, by *policy.Policy) {
	plans := map[string]policy.Plan{}
	for _, skill := range all {
		if plan, err := by.Approve(skill.Prototype()); err == nil && skill.Session {
			plans[skill.Name] = plan
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range t.all {
		if k.Why() == "" && !k.Fits(plans[k.skill]) {
			k.leave("its skill was changed or removed")
		}
	}
}

// leave ends a session and does not wait for that.
func (k *keptSession) leave(why string) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	k.End(ended, why)
}

// Run makes one call of a session. Where a new session's first call fails, there is no session.
func (k *keptSession) Run(ctx context.Context, plan policy.Plan, io runtime.IO) (runtime.Result, error) {
	result, err := k.Session.Run(ctx, plan, io)
	if err != nil && k.new {
		k.leave("its first call has failed")
	}
	return result, err
}

// callOrContinue makes a call, in a container of its own or in a session's.
func (s *Server) callOrContinue(ctx context.Context, skill *skills.Skill, caller Caller, arguments json.RawMessage, live runtime.IO) (Outcome, error) {
	invocation, plan, err := caller.approve(skill, arguments)
	if err != nil {
		return Outcome{}, err
	}
	outcome := Outcome{Skill: skill, Invocation: invocation}
	if invocation.Session == "" {
		return caller.run(ctx, outcome, plan, live, caller.Runner)
	}
	if outcome.session, err = s.sessions.of(clientOf(ctx), invocation, plan); err != nil {
		return Outcome{}, err
	}
	return caller.run(ctx, outcome, plan, live, outcome.session)
}

// answer is the result of a call, with what there is to say about its session.
func (s *Server) answer(ctx context.Context, outcome Outcome, err error, copies *copies) *mcp.CallToolResult {
	result := s.toResult(ctx, outcome, err, copies)
	outcome.session.mark(result)
	return result
}
