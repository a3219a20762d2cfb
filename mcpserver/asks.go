package mcpserver

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/google/uuid"
	"github.com/mark3labs/mcp-go/mcp"

	"skillet/mcpserver/streamable"
)

// In the era up to 2025-11-25 a tool can ask its client something on the way to its answer: the question goes out on the
// stream of the call, and its answer comes in as a request of its own. The two are brought together by the question's id,
// which nobody can guess, and the client has to be the same.

// httpSession is one request over HTTP.
type httpSession struct {
	requestSession
	asks   *asks
	client string

	refusedMu sync.Mutex
	refused   error
}

// SetLogLevel is heard and has no effect: between requests, nothing is kept that it could have one on.
func (s *httpSession) SetLogLevel(mcp.LoggingLevel) {}

// GetLogLevel is what a client gets that has said nothing, which is the server's to choose (2025-11-25, Logging).
func (s *httpSession) GetLogLevel() mcp.LoggingLevel { return mcp.LoggingLevelInfo }

// asks are the questions that wait for an answer.
type asks struct {
	mu      sync.Mutex
	waiting map[string]ask
}

type ask struct {
	client string
	answer chan clientAnswer
}

type clientAnswer struct {
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// answered brings an answer to its question; without one it is dropped.
func (a *asks) answered(call streamable.Call) {
	var answer clientAnswer
	if json.Unmarshal(call.Raw, &answer) != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if one, ok := a.waiting[call.ID]; ok && one.client == call.Client {
		delete(a.waiting, call.ID) // an answer counts once
		one.answer <- answer
	}
}

// begin makes a question known.
func (a *asks) begin(client string) (id string, answer <-chan clientAnswer, end func()) {
	id = uuid.NewString()
	key := `"` + id + `"`
	waiting := ask{client: client, answer: make(chan clientAnswer, 1)}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting == nil {
		a.waiting = map[string]ask{}
	}
	a.waiting[key] = waiting
	return id, waiting.answer, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.waiting, key)
	}
}

// ask asks the client, and waits for its answer.
func (s *httpSession) ask(ctx context.Context, method mcp.MCPMethod, params, result any) error {
	id, answer, end := s.asks.begin(s.client)
	defer end()
	question := mcp.JSONRPCRequest{
		JSONRPC: mcp.JSONRPC_VERSION, ID: mcp.NewRequestId(id), Params: params, Request: mcp.Request{Method: string(method)},
	}
	if err := s.notify(ctx, question); err != nil {
		return fmt.Errorf("the client cannot be asked: %w", err)
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case got := <-answer:
		if got.Error != nil {
			return fmt.Errorf("the client refused %s: %s", method, got.Error.Message)
		}
		return json.Unmarshal(got.Result, result)
	}
}

// RequestElicitation asks the user something.
func (s *httpSession) RequestElicitation(ctx context.Context, request mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	var result mcp.ElicitationResult
	return &result, s.ask(ctx, mcp.MethodElicitationCreate, request.Params, &result)
}

// RequestSampling asks the client's model something.
func (s *httpSession) RequestSampling(ctx context.Context, request mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
	var result mcp.CreateMessageResult
	if err := s.ask(ctx, mcp.MethodSamplingCreateMessage, request.CreateMessageParams, &result); err != nil {
		return nil, err
	}
	content, err := mcp.ParseSamplingContent(result.Content)
	result.Content = content
	return &result, err
}

// ListRoots asks which directories the client works in.
func (s *httpSession) ListRoots(ctx context.Context, request mcp.ListRootsRequest) (*mcp.ListRootsResult, error) {
	var result mcp.ListRootsResult
	return &result, s.ask(ctx, mcp.MethodListRoots, nil, &result)
}
