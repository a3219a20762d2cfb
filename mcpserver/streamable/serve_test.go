package streamable_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"skillet/mcpserver/streamable"
)

// tool is a handler whose answers the test makes.
type tool struct {
	answer func(ctx context.Context, call streamable.Call, notify streamable.Notify) streamable.Response

	mu       sync.Mutex
	answered []streamable.Call
	accepted int
}

func (h *tool) Accept(ctx context.Context, call streamable.Call, notify streamable.Notify) streamable.Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.accepted++
	return streamable.Request{Answer: func() streamable.Response { return h.answer(ctx, call, notify) }}
}

func (h *tool) Answered(call streamable.Call) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answered = append(h.answered, call)
}

func (h *tool) Endless(method string) bool { return method == "listen" }

// result answers with what it is told.
func result(call streamable.Call, text string) streamable.Response {
	return streamable.Response{Message: json.RawMessage(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%q}`, call.ID, text))}
}

// echo answers with the name of the client.
func echo() *tool {
	return &tool{answer: func(_ context.Context, call streamable.Call, _ streamable.Notify) streamable.Response {
		return result(call, call.Client)
	}}
}

// site is a running server.
type site struct {
	url  string
	stop context.CancelFunc
	done chan error
}

func serve(t *testing.T, handler streamable.Handler, options streamable.Options) *site {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	s := &site{url: "http://" + listener.Addr().String(), stop: stop, done: make(chan error, 1)}
	go func() { s.done <- streamable.Serve(ctx, listener, handler, options) }()
	t.Cleanup(func() {
		stop()
		if err := <-s.done; err != nil {
			t.Errorf("the server ended with %v", err)
		}
		s.done <- nil
	})
	return s
}

const ping = `{"jsonrpc":"2.0","id":1,"method":"ping"}`

// post sends a message, with the headers of a good one and changes to them.
func (s *site) post(ctx context.Context, body io.Reader, headers ...string) (*http.Response, error) {
	return s.request(ctx, http.MethodPost, "/mcp", body, headers...)
}

func (s *site) request(ctx context.Context, method, path string, body io.Reader, headers ...string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, s.url+path, body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, text/event-stream")
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
		if name == "Host" {
			request.Host = value
		}
	}
	return http.DefaultTransport.RoundTrip(request)
}

// text sends a message and returns the answer.
func (s *site) text(t *testing.T, body string, headers ...string) (int, http.Header, string) {
	t.Helper()
	response, err := s.post(t.Context(), strings.NewReader(body), headers...)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(data)
}

func TestWhatIsSaidAheadMakesAStream(t *testing.T) {
	handler := &tool{answer: func(ctx context.Context, call streamable.Call, notify streamable.Notify) streamable.Response {
		for i := range 3 {
			if err := notify(ctx, json.RawMessage(fmt.Sprintf(`{"n":%d}`, i))); err != nil {
				return result(call, err.Error())
			}
		}
		return result(call, "done")
	}}
	s := serve(t, handler, streamable.Options{})
	_, header, text := s.text(t, ping)
	want := "event: message\ndata: {\"n\":0}\n\nevent: message\ndata: {\"n\":1}\n\nevent: message\ndata: {\"n\":2}\n\n" +
		"event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"done\"}\n\n"
	if text != want || header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("got %v %s", header, text)
	}
	if _, header, text = s.text(t, ping, "Accept: application/json"); header.Get("Content-Type") != "application/json" || !strings.Contains(text, "takes no stream") {
		t.Errorf("a client that takes no stream got %v %s", header, text)
	}
}

func TestAClientThatGoesAwayCancelsItsRequestAndNoOther(t *testing.T) {
	begun, ended := make(chan string, 2), make(chan string, 2)
	handler := &tool{answer: func(ctx context.Context, call streamable.Call, _ streamable.Notify) streamable.Response {
		name := call.Header.Get("X-Name")
		begun <- name
		<-ctx.Done()
		ended <- name
		return result(call, "")
	}}
	s := serve(t, handler, streamable.Options{})
	call := func(name string) context.CancelFunc {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			if response, err := s.post(ctx, strings.NewReader(ping), "X-Name: "+name); err == nil { // the same id
				response.Body.Close()
			}
		}()
		<-begun
		return cancel
	}
	first, second := call("first"), call("second")
	defer second()
	// Anybody can send this. It cancels nothing.
	if status, _, text := s.text(t, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`); status != 202 {
		t.Errorf("got %d %s", status, text)
	}
	time.Sleep(50 * time.Millisecond)
	if len(ended) > 0 {
		t.Fatalf("%s was cancelled by a notification", <-ended)
	}
	first()
	if name := <-ended; name != "first" {
		t.Errorf("%s was cancelled", name)
	}
	time.Sleep(50 * time.Millisecond)
	if len(ended) > 0 {
		t.Errorf("%s was cancelled with the first", <-ended)
	}
	second()
	<-ended
}

func TestANotificationCancelsARequestOfItsOwnSessionOnly(t *testing.T) {
	begun, ended := make(chan struct{}, 3), make(chan string, 3)
	handler := &tool{answer: func(ctx context.Context, call streamable.Call, _ streamable.Notify) streamable.Response {
		if call.Method == "initialize" {
			return result(call, "hello")
		}
		begun <- struct{}{}
		<-ctx.Done()
		ended <- call.Header.Get("Mcp-Session-Id")
		return result(call, "ended")
	}}
	s := serve(t, handler, streamable.Options{})
	session := func() string {
		_, header, _ := s.text(t, strings.Replace(ping, "ping", "initialize", 1))
		return header.Get("Mcp-Session-Id")
	}
	first, second := session(), session()
	if len(first) < 20 || first == second {
		t.Fatalf("the sessions are %q and %q", first, second)
	}
	answers := make(chan string, 3)
	for _, name := range []string{first, second, ""} {
		go func() { // all with the same id
			response, err := s.post(t.Context(), strings.NewReader(ping), "Mcp-Session-Id: "+name)
			if err != nil {
				answers <- err.Error()
				return
			}
			defer response.Body.Close()
			text, _ := io.ReadAll(response.Body)
			answers <- fmt.Sprint(response.StatusCode, " ", string(text))
		}()
		<-begun
	}
	if status, _, text := s.text(t, ping, "Mcp-Session-Id: "+first); status != 400 || !strings.Contains(text, "in flight") {
		t.Errorf("another request with the same id: got %d %s", status, text)
	}
	for name, id := range map[string]string{"": "1", "made up": "1", second: "2"} { // none of these names a request
		s.text(t, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":`+id+`}}`, "Mcp-Session-Id: "+name)
	}
	s.text(t, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, "Mcp-Session-Id: "+first)
	if got := <-ended; got != first {
		t.Errorf("the request of %q was cancelled", got)
	}
	if got := <-answers; got != "202 " {
		t.Errorf("the cancelled request got %s", got)
	}
	time.Sleep(50 * time.Millisecond)
	if len(ended) > 0 {
		t.Errorf("the request of %q was cancelled with it", <-ended)
	}
}

func TestAtTheEndRequestsMayFinishAndListenersDoNotHoldItUp(t *testing.T) {
	begun := make(chan struct{}, 2)
	handler := &tool{answer: func(ctx context.Context, call streamable.Call, _ streamable.Notify) streamable.Response {
		begun <- struct{}{}
		if call.Method == "listen" {
			<-ctx.Done()
			return result(call, "listened")
		}
		select {
		case <-ctx.Done():
			return result(call, "cancelled")
		case <-time.After(300 * time.Millisecond):
			return result(call, "done")
		}
	}}
	for grace, want := range map[time.Duration]string{5 * time.Second: "done", 50 * time.Millisecond: "cancelled"} {
		s := serve(t, handler, streamable.Options{Grace: grace})
		answers := make(chan string, 2)
		for _, method := range []string{"call", "listen"} {
			go func() {
				_, _, text := s.text(t, strings.Replace(ping, "ping", method, 1))
				answers <- text
			}()
			<-begun
		}
		start := time.Now()
		s.stop()
		all := <-answers + <-answers
		if !strings.Contains(all, "listened") || !strings.Contains(all, want) {
			t.Errorf("with %v: got %s", grace, all)
		}
		err := <-s.done
		s.done <- nil
		if took := time.Since(start); err != nil || took > 3*time.Second {
			t.Errorf("with %v: it took %v, %v", grace, took, err)
		}
		if _, err := s.post(t.Context(), strings.NewReader(ping)); err == nil {
			t.Error("the server still answers")
		}
	}
}

func TestAPanicIsAnAnsweredRequestThatTellsNothing(t *testing.T) {
	handler := &tool{answer: func(context.Context, streamable.Call, streamable.Notify) streamable.Response { panic("hunter2") }}
	s := serve(t, handler, streamable.Options{})
	if status, _, text := s.text(t, ping); status != 500 || !strings.Contains(text, `"id":1`) || strings.Contains(text, "hunter2") {
		t.Errorf("got %d %s", status, text)
	}
}

func TestHealthTellsWhetherTheEngineAnswers(t *testing.T) {
	var broken error
	var mu sync.Mutex
	asked := 0
	s := serve(t, echo(), streamable.Options{Ready: func(context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		asked++
		return broken
	}})
	get := func(path string) int {
		response, err := s.request(t.Context(), http.MethodGet, path, nil, "Host: whatever")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if text, _ := io.ReadAll(response.Body); strings.Contains(string(text), "hunter2") {
			t.Errorf("%s tells %s", path, text)
		}
		return response.StatusCode
	}
	for range 10 {
		if got := get("/readyz"); got != 200 {
			t.Errorf("got %d", got)
		}
	}
	mu.Lock()
	if asked > 2 {
		t.Errorf("the engine was asked %d times", asked)
	}
	broken = errors.New("hunter2")
	mu.Unlock()
	for deadline := time.Now().Add(5 * time.Second); get("/readyz") != 503; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it is ready without an engine")
		}
	}
	if got := get("/healthz"); got != 200 {
		t.Errorf("got %d", got)
	}
}

func TestAClientThatSendsNothingIsLetGo(t *testing.T) {
	s := serve(t, echo(), streamable.Options{})
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	fmt.Fprintf(connection, "POST /mcp HTTP/1.1\r\nHost: localhost\r\n")
	if err := connection.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := http.ReadResponse(bufio.NewReader(connection), nil); err == nil {
		return // told that its time is over
	} else if netErr := net.Error(nil); errors.As(err, &netErr) && netErr.Timeout() {
		t.Error("the connection was still open after 20 seconds")
	}
}

func TestALongAnswerGivesSignsOfLife(t *testing.T) {
	enough := make(chan struct{}, 1)
	handler := &tool{answer: func(_ context.Context, call streamable.Call, _ streamable.Notify) streamable.Response {
		<-enough
		return result(call, "done")
	}}
	s := serve(t, handler, streamable.Options{KeepAlive: 10 * time.Millisecond})
	response, err := s.post(t.Context(), strings.NewReader(ping))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewReader(response.Body)
	for range 3 {
		if line, err := lines.ReadString('\n'); line != ": still at it\n" {
			t.Fatalf("got %q, %v", line, err)
		}
		_, _ = lines.ReadString('\n')
	}
	enough <- struct{}{}
	if rest, err := io.ReadAll(lines); err != nil || !strings.HasSuffix(string(rest), "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"done\"}\n\n") {
		t.Errorf("got %q, %v", rest, err)
	}
	// A client that takes no stream waits for its answer.
	time.AfterFunc(100*time.Millisecond, func() { enough <- struct{}{} })
	if _, _, text := s.text(t, ping, "Accept: application/json"); text != `{"jsonrpc":"2.0","id":1,"result":"done"}`+"\n" {
		t.Errorf("got %s", text)
	}
}

func TestAClientThatDoesNotReadIsLetGo(t *testing.T) {
	written := make(chan struct{})
	handler := &waits{tool{answer: func(_ context.Context, call streamable.Call, _ streamable.Notify) streamable.Response {
		return result(call, strings.Repeat("x", 16<<20)) // more than the kernel takes for it
	}}, written}
	s := serve(t, handler, streamable.Options{Patience: 100 * time.Millisecond, ReadRate: 32 << 20})
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	fmt.Fprintf(connection, "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(ping), ping)
	select {
	case <-written:
	case <-time.After(30 * time.Second):
		t.Error("the answer still waits for its client")
	}
}

// waits tells when its answer was written, or is not any more.
type waits struct {
	tool
	written chan struct{}
}

func (h *waits) Accept(ctx context.Context, call streamable.Call, notify streamable.Notify) streamable.Request {
	request := h.tool.Accept(ctx, call, notify)
	request.Written = func() { close(h.written) }
	return request
}
