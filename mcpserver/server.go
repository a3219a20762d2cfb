package mcpserver

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"skillet/mcpserver/spool"
	"skillet/mcpserver/workdir"
	"skillet/policy"
	"skillet/runtime"
	"skillet/skills"
)

// Options say what a server offers.
type Options struct {
	Skills        []*skills.Skill  // vetted: what is offered, until [Server.Replace]
	Prompts       []*skills.Prompt // likewise
	Listing       skills.Listing   // likewise; "" for all
	Caller        Caller
	Workdir       string // named to clients, whose models give paths relative to it
	Version       string
	MaxConcurrent int             // calls that run at a time; 0 for a number that suits this machine
	MaxQueue      int             // calls that wait; 0 for 1000
	MaxSessions   int             // of one client
	MaxJobs       int             // jobs of one client under way; 0 for 100
	Grace         time.Duration   // for calls in flight when the client leaves or the server is told to stop
	Hurry         <-chan struct{} // closed to end that time at once; may be nil
	Logger        *slog.Logger    // nil discards

	// OpenSession begins a session of a skill that has them. [runtime.Runtime.Open] does. nil for a server without sessions.
	OpenSession func(policy.Plan) (Session, error)

	Extend func(*server.MCPServer) // adds what is more than skills, for tests of the protocol; nil adds nothing
}

// Server is an MCP server whose tools are skills.
type Server struct {
	options Options
	log     *slog.Logger
	mcp     *server.MCPServer
	queue   *queue // of calls
	jobs    *jobs
	reads   *queue // of resources
	ledger  *ledger
	spool   *spool.Store
	traffic workdir.Traffic
	skills  atomic.Pointer[[]*skills.Skill] // those of the tools
	prompts atomic.Pointer[[]*skills.Prompt]
	docs    atomic.Pointer[map[string]string] // texts by URI

	sessions *sessionTable

	listing  listing
	jobTools atomic.Bool // those for jobs are listed
}

// New makes a server.
func New(options Options) (*Server, error) {
	s := &Server{
		options: options, log: options.Logger, queue: newQueue(options.MaxConcurrent, options.MaxQueue),
		reads: newQueue(maxReads, options.MaxQueue), ledger: newLedger(), spool: spool.New(spool.DefaultLimits()),
	}
	s.sessions = newSessionTable(options.OpenSession, options.MaxSessions)
	s.jobs = newJobs(options.MaxJobs, s.withoutJobs)
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.mcp = server.NewMCPServer("skillet", options.Version,
		server.WithTitle("skillet"),
		server.WithDescription("Command-line tools in fresh containers"),
		server.WithInstructions(instructions(options)),
		server.WithToolCapabilities(true),
		server.WithToolHandlerMiddleware(refuse),
		server.WithResourceCapabilities(false, true),
		server.WithPromptCapabilities(true),
		server.WithCompletions(),
		server.WithPromptCompletionProvider((*promptCompleter)(s)),
		server.WithResourceCompletionProvider((*resourceCompleter)(s)),
	)
	s.addResources()
	offer := Offer{Skills: options.Skills, Prompts: options.Prompts, Listing: options.Listing, Policy: options.Caller.Policy}
	if err := s.Replace(offer); err != nil {
		return nil, err
	}
	if options.Extend != nil {
		options.Extend(s.mcp)
	}
	return s, nil
}

// Offer is what a server offers at a time.
type Offer struct {
	Skills  []*skills.Skill // vetted
	Prompts []*skills.Prompt
	Listing skills.Listing
	Policy  *policy.Policy // judges the calls
}

// Replace replaces all that is offered at once, and tells the clients that want to know. Calls that have come before, those
// that wait for their turn included, run as they were meant, under the policy of that time. When it fails, nothing has changed.
func (s *Server) Replace(offer Offer) error {
	caller := Caller{Policy: offer.Policy, Runner: s.options.Caller.Runner, traffic: &s.traffic}
	tools := make([]server.ServerTool, 0, len(offer.Skills))
	for _, skill := range offer.Skills {
		tool, err := newTool(skill)
		if err != nil {
			return err
		}
		tools = append(tools, server.ServerTool{Tool: tool, Handler: s.handler(skill, caller)})
	}
	if offer.Listing == skills.ListSearch {
		tools = s.newFinder(offer.Skills, caller).tools()
	}
	if hasSessions(offer.Skills) {
		tools = append(tools, s.sessionEnd())
	}
	s.replaceTools(offer.Skills, tools)
	s.setDocs(offer.Skills)
	s.setPrompts(offer.Prompts)
	s.skills.Store(&offer.Skills)
	s.sessions.review(offer.Skills, offer.Policy)
	return nil
}

func instructions(options Options) string {
	kept := "Nothing else is kept between calls."
	if hasSessions(options.Skills) {
		kept = "Nothing else is kept between calls, unless a call of a tool with an argument `session` asks for it."
	}
	return fmt.Sprintf("Each tool runs a command-line program in a fresh container that is removed afterwards. "+
		"Paths in arguments are relative to the working directory, %s on the host; files outside it do not exist for the tools. "+
		"%s A result has the exit code, standard output and standard error. "+
		"Files that a call made, and output that is too long for a result, are resources whose URIs the result has.", options.Workdir, kept)
}

// handler answers the calls of one skill.
func (s *Server) handler(skill *skills.Skill, caller Caller) server.ToolHandlerFunc {
	return func(ctx context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return s.call(ctx, skill, caller, request.Params.RawArguments), nil
	}
}

// call makes a call of one skill, under whatever name it was asked for.
func (s *Server) call(ctx context.Context, skill *skills.Skill, caller Caller, arguments json.RawMessage) (result *mcp.CallToolResult) {
	defer func() {
		// The library would send the panic's text to the client.
		if panicked := recover(); panicked != nil {
			s.log.Error("a call panicked", "tool", skill.Name, "panic", panicked, "stack", string(debug.Stack()))
			result = failure("skillet itself failed in this call; its log says more")
		}
	}()
	if skill.Jobs() {
		return s.callAsJob(ctx, skill, caller, arguments)
	}
	progress := s.newProgress(ctx, skill)
	defer progress.stop()
	copies := s.newCopies()
	defer copies.drop()
	outcome, err := s.perform(ctx, skill, caller, arguments, progress, copies.beside(progress.listen()))
	return s.answer(ctx, outcome, err, copies)
}

// perform makes a call when it is its turn.
func (s *Server) perform(
	ctx context.Context, skill *skills.Skill, caller Caller, arguments json.RawMessage, progress *progress, live runtime.IO,
) (Outcome, error) {
	begun := time.Now()
	if err := myTurn(ctx); err != nil {
		return Outcome{}, err
	}
	progress.running()
	outcome, err := s.callOrContinue(ctx, skill, caller, arguments, live)
	s.logCall(ctx, skill, outcome, err, begun)
	return outcome, err
}

func (s *Server) logCall(ctx context.Context, skill *skills.Skill, outcome Outcome, err error, begun time.Time) {
	took := time.Since(begun).Round(time.Millisecond)
	log := s.log
	if client := clientOf(ctx); client != "" {
		log = log.With("client", client)
	}
	if err != nil {
		log.Info("call failed", "tool", skill.Name, "error", errorKind(err), "took", took)
	} else {
		log.Info("call", "tool", skill.Name, "exit_code", outcome.Result.ExitCode, "took", took)
	}
}

// Close lets go of what calls have written. Nothing can be read after it.
func (s *Server) Close() { s.spool.Close() }

// errorKind names an error in the log without its text, which may quote what a program wrote.
func errorKind(err error) string { return strings.TrimPrefix(fmt.Sprintf("%T", err), "*") }

// Handle answers one JSON-RPC message; nil when none is owed.
func (s *Server) Handle(ctx context.Context, message []byte) mcp.JSONRPCMessage {
	code := 0
	response := withCode(s.mcp.HandleMessage(withVerdict(withProgressToken(ctx, message), &code), message), code)
	if failed, ok := response.(mcp.JSONRPCError); ok && failed.Error.Data == nil {
		return withSubject(failed, message)
	}
	return response
}

// withSubject says in an error about a resource which one it is about (2025-11-25, Resources, "Error Handling").
func withSubject(failed mcp.JSONRPCError, message []byte) mcp.JSONRPCError {
	var request struct {
		Method string
		Params struct{ URI string }
	}
	if json.Unmarshal(message, &request) == nil && request.Method == string(mcp.MethodResourcesRead) && request.Params.URI != "" {
		failed.Error.Data = map[string]any{"uri": request.Params.URI}
	}
	return failed
}
