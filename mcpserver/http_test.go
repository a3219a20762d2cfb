package mcpserver_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"skillet/mcpserver"
	"skillet/mcpserver/bearer"
	"skillet/mcpserver/streamable"
)

const alice, bob = "aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"

// overHTTP serves tools, to the two clients alice and bob, and returns the URL.
func overHTTP(t *testing.T, extend func(*server.MCPServer)) string {
	t.Helper()
	return serveOverHTTP(t, mcpserver.Options{Version: "test", Extend: extend})
}

func serveOverHTTP(t *testing.T, options mcpserver.Options) string {
	t.Helper()
	s, err := mcpserver.New(options)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	guard := bearer.Tokens([]bearer.Token{{Client: "alice", Secret: alice}, {Client: "bob", Secret: bob}}, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- s.ServeStreamable(ctx, listener, nil, streamable.Options{Guard: guard, Rate: 10000, MaxRequests: 1000})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "http://" + listener.Addr().String() + streamable.Path
}

// post sends a message and returns the status and the messages that come back, as they come.
func post(t *testing.T, url, token, message string, headers ...string) (int, <-chan string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, text/event-stream")
	request.Header.Set("Authorization", "Bearer "+token)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	messages := make(chan string, 100)
	go func() {
		defer close(messages)
		defer response.Body.Close()
		if response.Header.Get("Content-Type") == "application/json" {
			data, _ := io.ReadAll(response.Body)
			messages <- string(data)
			return
		}
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				messages <- data
			}
		}
	}()
	return response.StatusCode, messages
}

func TestEachRequestHearsOfItsOwnProgressAndOfAllOfIt(t *testing.T) {
	const steps = 20
	url := overHTTP(t, func(s *server.MCPServer) {
		s.AddTool(mcp.NewTool("work", mcp.WithString("mark")), func(ctx context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			mark := request.GetString("mark", "")
			for i := range steps {
				if err := s.SendNotificationToClient(ctx, "notifications/progress", map[string]any{
					"progressToken": request.Params.Meta.ProgressToken, "progress": i, "message": mark,
				}); err != nil {
					return nil, err
				}
			}
			return mcp.NewToolResultText(mark), nil
		})
	})
	var wait sync.WaitGroup
	for i := range 50 {
		token := []string{alice, bob}[i%2]
		mark := fmt.Sprintf("mark-%d-", i)
		wait.Go(func() { // all with the same id and the same progress token
			_, messages := post(t, url, token, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"work","arguments":{"mark":"`+mark+`"},"_meta":{"progressToken":"p"}}}`)
			var got []string
			for message := range messages {
				got = append(got, message)
				if !strings.Contains(message, mark) {
					t.Errorf("%s heard %s", mark, message)
				}
			}
			if len(got) != steps+1 || !strings.Contains(got[steps], `"result"`) {
				t.Errorf("%s heard %d messages, the last of which is %s", mark, len(got), got[len(got)-1])
			}
		})
	}
	wait.Wait()
}

func TestAQuestionIsAnsweredByTheClientThatWasAsked(t *testing.T) {
	url := overHTTP(t, func(s *server.MCPServer) {
		server.WithElicitation()(s)
		s.AddTool(mcp.NewTool("ask"), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			result, err := s.RequestElicitation(ctx, mcp.ElicitationRequest{Params: mcp.ElicitationParams{Message: "Really?", RequestedSchema: map[string]any{"type": "object"}}})
			if err != nil {
				return nil, err
			}
			return mcp.NewToolResultText(string(result.Action)), nil
		})
	})
	_, messages := post(t, url, alice, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ask"}}`)
	var question struct{ ID, Method string }
	if err := json.Unmarshal([]byte(<-messages), &question); err != nil || question.Method != "elicitation/create" {
		t.Fatalf("asked %+v, %v", question, err)
	}
	answer := func(token, id, action string) {
		if status, _ := post(t, url, token, fmt.Sprintf(`{"jsonrpc":"2.0","id":%q,"result":{"action":%q}}`, id, action)); status != http.StatusAccepted {
			t.Errorf("got %d", status)
		}
	}
	answer(bob, question.ID, "accept")
	answer(alice, "made up", "accept")
	answer(alice, question.ID, "decline")
	answer(alice, question.ID, "accept") // too late
	if got := <-messages; !strings.Contains(got, `"text":"decline"`) {
		t.Errorf("got %s", got)
	}
}

func TestWhatTheHeadersSayHasToBeSo(t *testing.T) {
	url := overHTTP(t, func(s *server.MCPServer) {
		s.AddTool(mcp.NewTool("x"), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return mcp.NewToolResultText("ok"), nil
		})
	})
	old := `{"jsonrpc":"2.0","id":12345678901234567891,"method":"tools/call","params":{"name":"x"}}`
	now := `{"jsonrpc":"2.0","id":"a\u00e4","method":"tools/call","params":{` + modern + `,"name":"x"}}`
	for name, test := range map[string]struct {
		message string
		headers []string
		status  int
		text    string
	}{
		"the older era":                 {old, []string{"Mcp-Protocol-Version: 2025-11-25"}, 200, `"id":12345678901234567891,`},
		"without a version":             {old, nil, 200, `"ok"`},
		"with somebody's session":       {old, []string{"Mcp-Session-Id: x"}, 200, `"ok"`},
		"the newer era":                 {now, []string{"Mcp-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call", "Mcp-Name: x"}, 200, `"id":"aä"`},
		"a version that is none":        {old, []string{"Mcp-Protocol-Version: 2025-11-26"}, 400, "2025-11-26"},
		"a version to come":             {strings.ReplaceAll(now, "2026-07-28", "2099-01-01"), []string{"Mcp-Protocol-Version: 2099-01-01", "Mcp-Method: tools/call", "Mcp-Name: x"}, 400, "2099-01-01"},
		"the newer era, unsaid":         {now, nil, 400, "-32020"},
		"the newer era, in the header":  {old, []string{"Mcp-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call", "Mcp-Name: x"}, 400, "-32602"},
		"another method":                {now, []string{"Mcp-Protocol-Version: 2026-07-28", "Mcp-Method: tools/list", "Mcp-Name: x"}, 400, "-32020"},
		"another tool":                  {now, []string{"Mcp-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call", "Mcp-Name: y"}, 400, "-32020"},
		"no name":                       {now, []string{"Mcp-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call"}, 400, "-32020"},
		"a stream to go on with":        {now, []string{"Mcp-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call", "Mcp-Name: x", "Last-Event-Id: 7"}, 400, "-32020"},
		"a method that was removed":     {strings.Replace(now, "tools/call", "ping", 1), []string{"Mcp-Protocol-Version: 2026-07-28", "Mcp-Method: ping"}, 404, "-32601"},
		"a tool that there is not, old": {strings.Replace(old, `"x"`, `"y"`, 1), nil, 200, "-32602"},
	} {
		status, messages := post(t, url, alice, test.message, test.headers...)
		if text := <-messages; status != test.status || !strings.Contains(text, test.text) {
			t.Errorf("%s: got %d %s", name, status, text)
		}
	}
}
