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
	MaxJobs       int             // jobs of one client under way; 0 for 100
	Grace         time.Duration   // for calls in flight when the client leaves or the server is told to stop
	Hurry         <-chan struct{} // closed to end that time at once; may be nil
	Logger        *slog.Logger    // nil discards

	Extend func(*server.MCPServer) // adds what is more than skills, for tests of the protocol; nil adds nothing
}

// Server is an MCP server whose tools are skills.
type Server struct {
	options Options
	log     *slog.Logger
	mcp     *server.MCPServer
	queue   *queue
	jobs    *jobs

	listing  listing
	jobTools atomic.Bool // those for jobs are listed
}

// New makes a server.
func New(options Options) (*Server, error) {
	s := &Server{options: options, log: options.Logger, queue: newQueue(options.MaxConcurrent, options.MaxQueue)}
	s.jobs = newJobs(options.MaxJobs, s.withoutJobs)
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.mcp = server.NewMCPServer("skillet", options.Version,
		server.WithTitle("skillet"),
		server.WithDescription("Command-line tools in fresh containers"),
		server.WithInstructions(instructions(options.Workdir)),
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
	s.replaceTools(vetted, tools)
	return nil
}

func instructions(workdir string) string {
	return fmt.Sprintf("Each tool runs a command-line program in a fresh container that is removed afterwards. "+
		"Paths in arguments are relative to the working directory, %s on the host; files outside it do not exist for the tools. "+
		"Nothing else is kept between calls. A result has the exit code, standard output and standard error.", workdir)
}

// handler answers the calls of one skill.
func (s *Server) handler(skill *skills.Skill, caller Caller) server.ToolHandlerFunc {
	return func(ctx context.Context, request mcp.CallToolRequest) (result *mcp.CallToolResult, err error) {
		defer func() {
			// The library would send the panic's text to the client.
			if panicked := recover(); panicked != nil {
				s.log.Error("a call panicked", "tool", skill.Name, "panic", panicked, "stack", string(debug.Stack()))
				result, err = failure("skillet itself failed in this call; its log says more"), nil
			}
		}()
		if skill.Jobs() {
			return s.callAsJob(ctx, skill, caller, request.Params.RawArguments), nil
		}
		progress := s.newProgress(ctx, skill)
		defer progress.stop()
		return toResult(s.perform(ctx, skill, caller, request.Params.RawArguments, progress, progress.listen())), nil
	}
}

// perform makes one call when it is its turn.
func (s *Server) perform(
	ctx context.Context, skill *skills.Skill, caller Caller, arguments json.RawMessage, progress *progress, live runtime.IO,
) (Outcome, error) {
	begun := time.Now()
	if err := myTurn(ctx); err != nil {
		return Outcome{}, err
	}
	progress.running()
	outcome, err := caller.Call(ctx, skill, arguments, live)
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
