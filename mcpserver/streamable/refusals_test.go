package streamable_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"skillet/mcpserver/bearer"
	"skillet/mcpserver/streamable"
)

func TestWhatIsRefused(t *testing.T) {
	handler := echo()
	s := serve(t, handler, streamable.Options{Hosts: []string{"tools.example.com"}, Origins: []string{"https://page.example.com"}, MaxMessage: 1000})
	port := s.url[strings.LastIndex(s.url, ":"):]
	for name, test := range map[string]struct {
		body    string
		headers []string
		status  int
		text    string
	}{
		"good":                      {ping, nil, 200, `"result":"127.0.0.1"`},
		"by localhost":              {ping, []string{"Host: localhost" + port}, 200, "result"},
		"by another loopback name":  {ping, []string{"Host: [::1]" + port}, 200, "result"},
		"by its name":               {ping, []string{"Host: TOOLS.example.com"}, 200, "result"},
		"from its own page":         {ping, []string{"Origin: " + s.url}, 200, "result"},
		"from a page that is named": {ping, []string{"Origin: https://page.example.com", "Sec-Fetch-Site: cross-site"}, 200, "result"},
		"a notification":            {`{"jsonrpc":"2.0","method":"notifications/initialized"}`, nil, 202, ""},
		"a charset":                 {ping, []string{"Content-Type: application/json; charset=utf-8"}, 200, "result"},
		"at the limit":              {ping + strings.Repeat(" ", 1000-len(ping)), nil, 200, "result"},

		"by a name that leads here":   {ping, []string{"Host: evil.example.com"}, 403, "--http-host"},
		"by another machine's":        {ping, []string{"Host: 192.0.2.1" + port}, 403, "--http-host"},
		"by a name that begins well":  {ping, []string{"Host: localhost.evil.example.com"}, 403, "--http-host"},
		"from a foreign page":         {ping, []string{"Origin: http://evil.example.com"}, 403, "--http-origin"},
		"from a page of this machine": {ping, []string{"Origin: http://localhost:1"}, 403, "--http-origin"},
		"from a page without a name":  {ping, []string{"Origin: null"}, 403, "--http-origin"},
		"from a foreign page, unsaid": {ping, []string{"Sec-Fetch-Site: cross-site"}, 403, "--http-origin"},
		"what forms send":             {ping, []string{"Content-Type: text/plain"}, 415, "application/json"},
		"too large":                   {ping + strings.Repeat(" ", 1001-len(ping)), nil, 413, "larger than 1000 bytes"},
		"no JSON":                     {"{", nil, 400, "-32700"},
		"nothing":                     {"", nil, 400, "-32700"},
		"a batch":                     {"[" + ping + "]", nil, 400, "one message at a time"},
		"an id that is none":          {`{"jsonrpc":"2.0","id":null,"method":"ping"}`, nil, 400, "-32600"},
		"no version":                  {`{"id":7,"method":"ping"}`, nil, 400, `"id":7`},
	} {
		status, header, text := s.text(t, test.body, test.headers...)
		if status != test.status || !strings.Contains(text, test.text) {
			t.Errorf("%s: got %d %s", name, status, text)
		}
		if named := header.Get("Access-Control-Allow-Origin"); (named != "") != strings.Contains(name, "is named") {
			t.Errorf("%s: pages of %q may read the answer", name, named)
		}
	}
	handler.mu.Lock()
	defer handler.mu.Unlock()
	if handler.accepted != 8 {
		t.Errorf("%d requests reached the handler, expected the 8 good ones", handler.accepted)
	}
}

func TestThereAreNoStreamsAndNoSessions(t *testing.T) {
	s := serve(t, echo(), streamable.Options{})
	for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodPut} {
		response, err := s.request(t.Context(), method, "/mcp", nil, "Accept: text/event-stream")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != http.MethodPost {
			t.Errorf("%s: got %d %v", method, response.StatusCode, response.Header)
		}
	}
}

func TestABrowserMayAskAheadForAPageThatIsNamed(t *testing.T) {
	s := serve(t, echo(), streamable.Options{Origins: []string{"https://page.example.com"}})
	for origin, status := range map[string]int{"https://page.example.com": 204, "https://evil.example.com": 403} {
		response, err := s.request(t.Context(), http.MethodOptions, "/mcp", nil, "Origin: "+origin, "Access-Control-Request-Method: POST")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != status {
			t.Errorf("%s: got %d %v", origin, response.StatusCode, response.Header)
		}
	}
}

func TestWithoutATokenNothingIsLetIn(t *testing.T) {
	guard := bearer.Tokens([]bearer.Token{{Client: "alice", Secret: "0123456789abcdef"}}, slog.New(slog.DiscardHandler))
	s := serve(t, echo(), streamable.Options{Guard: guard, Rate: 5})
	if status, _, text := s.text(t, ping, "Authorization: Bearer 0123456789abcdef"); status != 200 || !strings.Contains(text, `"alice"`) {
		t.Errorf("got %d %s", status, text)
	}
	status, header, text := s.text(t, ping)
	if status != 401 || header.Get("WWW-Authenticate") != "Bearer" || strings.Contains(text, "alice") {
		t.Errorf("got %d %v %s", status, header, text)
	}
	// Guessing is slow, and takes nothing from those who know.
	var last int
	for range 30 {
		last, header, _ = s.text(t, ping, "Authorization: Bearer fedcba9876543210")
	}
	if last != 429 || header.Get("Retry-After") == "" {
		t.Errorf("after 30 guesses: got %d %v", last, header)
	}
	if status, _, text := s.text(t, ping, "Authorization: Bearer 0123456789abcdef"); status != 200 {
		t.Errorf("got %d %s", status, text)
	}
}

func TestEachClientHasItsOwnLimits(t *testing.T) {
	guard := bearer.Tokens([]bearer.Token{{Client: "alice", Secret: "aaaaaaaaaaaaaaaa"}, {Client: "bob", Secret: "bbbbbbbbbbbbbbbb"}}, slog.New(slog.DiscardHandler))
	const alice, bob = "Authorization: Bearer aaaaaaaaaaaaaaaa", "Authorization: Bearer bbbbbbbbbbbbbbbb"
	release := make(chan struct{})
	begun := make(chan struct{}, 10)
	handler := &tool{answer: func(_ context.Context, call streamable.Call, _ streamable.Notify) streamable.Response {
		if call.Method == "slow" {
			begun <- struct{}{}
			<-release
		}
		return result(call, "ok")
	}}
	s := serve(t, handler, streamable.Options{Guard: guard, MaxRequests: 2, Rate: 3})
	slow := strings.Replace(ping, "ping", "slow", 1)
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			if status, _, text := s.text(t, slow, alice); status != 200 {
				t.Errorf("got %d %s", status, text)
			}
		})
		<-begun
	}
	if status, _, text := s.text(t, `{"jsonrpc":"2.0","method":"notifications/cancelled"}`, alice); status != 202 {
		t.Errorf("a notification: got %d %s", status, text)
	}
	if status, header, text := s.text(t, ping, alice); status != 429 || !strings.Contains(text, "under way already") || header.Get("Retry-After") == "" {
		t.Errorf("a third request: got %d %s", status, text)
	}
	if status, _, text := s.text(t, ping, bob); status != 200 {
		t.Errorf("another client: got %d %s", status, text)
	}
	close(release)
	wait.Wait()
	var last int
	for range 10 {
		last, _, _ = s.text(t, ping, bob)
	}
	if last != 429 {
		t.Errorf("ten requests at once: the last got %d", last)
	}
}
