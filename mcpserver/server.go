package mcpserver

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"skillet/policy"
	"skillet/runtime"
	"skillet/skills"
)

// Options say what a server offers.
type Options struct {
	Skills        []*skills.Skill // vetted: what is listed, until [Server.SetSkills]
	Caller        Caller
	Workdir       string // named to clients, whose models give paths relative to it
	Version       string
	MaxConcurrent int             // calls that run at a time; 0 for a number that suits this machine
	MaxQueue      int             // calls that wait; 0 for 1000
	MaxSessions   int             // of one client
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
	queue   *queue

	sessions *sessionTable
}

// New makes a server.
func New(options Options) (*Server, error) {
	s := &Server{options: options, log: options.Logger, queue: newQueue(options.MaxConcurrent, options.MaxQueue)}
	s.sessions = newSessionTable(options.OpenSession, options.MaxSessions)
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.mcp = server.NewMCPServer("skillet", options.Version,
		server.WithTitle("skillet"),
		server.WithDescription("Command-line tools in fresh containers"),
		server.WithInstructions(instructions(options)),
		server.WithToolCapabilities(true),
		server.WithToolHandlerMiddleware(refuse),
	)
	if err := s.SetSkills(options.Skills, options.Caller.Policy); err != nil {
		return nil, err
	}
	if options.Extend != nil {
		options.Extend(s.mcp)
	}
	return s, nil
}

// SetSkills replaces all tools at once, and the policy that judges their calls, and tells the clients that want to know. Calls
// that have come before, those that wait for their turn included, run as they were meant, under the policy of that time.
// When it fails, nothing has changed.
func (s *Server) SetSkills(vetted []*skills.Skill, by *policy.Policy) error {
	caller := Caller{Policy: by, Runner: s.options.Caller.Runner}
	tools := make([]server.ServerTool, 0, len(vetted))
	for _, skill := range vetted {
		tool, err := newTool(skill)
		if err != nil {
			return err
		}
		tools = append(tools, server.ServerTool{Tool: tool, Handler: s.handler(skill, caller)})
	}
	if hasSessions(vetted) {
		tools = append(tools, s.sessionEnd())
	}
	s.mcp.SetTools(tools...)
	s.sessions.review(vetted, by)
	return nil
}

func instructions(options Options) string {
	kept := "Nothing else is kept between calls."
	if hasSessions(options.Skills) {
		kept = "Nothing else is kept between calls, unless a call of a tool with an argument `session` asks for it."
	}
	return fmt.Sprintf("Each tool runs a command-line program in a fresh container that is removed afterwards. "+
		"Paths in arguments are relative to the working directory, %s on the host; files outside it do not exist for the tools. "+
		"%s A result has the exit code, standard output and standard error.", options.Workdir, kept)
}

// handler answers the calls of one skill.
func (s *Server) handler(skill *skills.Skill, caller Caller) server.ToolHandlerFunc {
	return func(ctx context.Context, request mcp.CallToolRequest) (result *mcp.CallToolResult, err error) {
		begun := time.Now()
		defer func() {
			// The library would send the panic's text to the client.
			if panicked := recover(); panicked != nil {
				s.log.Error("a call panicked", "tool", skill.Name, "panic", panicked, "stack", string(debug.Stack()))
				result, err = failure("skillet itself failed in this call; its log says more"), nil
			}
		}()
		progress := s.newProgress(ctx, skill)
		defer progress.stop()
		if err := myTurn(ctx); err != nil {
			return failure(explain(err)), nil
		}
		progress.running()
		outcome, session, err := s.perform(ctx, caller, skill, request.Params.RawArguments, progress.listen())
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
		result = toResult(outcome, err)
		session.mark(result)
		return result, nil
	}
}

// perform makes a call, in a container of its own or in a session's, nil for none.
func (s *Server) perform(ctx context.Context, caller Caller, skill *skills.Skill, arguments json.RawMessage, io runtime.IO) (Outcome, *keptSession, error) {
	outcome, plan, err := caller.prepare(skill, arguments)
	if err != nil {
		return Outcome{}, nil, err
	}
	if outcome.Invocation.Session == "" {
		outcome.Result, err = caller.Runner.Run(ctx, plan, io)
		return outcome, nil, err
	}
	session, err := s.sessions.of(clientOf(ctx), outcome.Invocation, plan)
	if err != nil {
		return Outcome{}, nil, err
	}
	outcome.Result, err = session.call(ctx, plan, io)
	return outcome, session, err
}

// errorKind names an error in the log without its text, which may quote what a program wrote.
func errorKind(err error) string { return strings.TrimPrefix(fmt.Sprintf("%T", err), "*") }

// Handle answers one JSON-RPC message; nil when none is owed.
func (s *Server) Handle(ctx context.Context, message []byte) mcp.JSONRPCMessage {
	response := s.mcp.HandleMessage(withProgressToken(ctx, message), message)
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
