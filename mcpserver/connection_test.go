package mcpserver_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	goruntime "runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"skillet/policy"
	"skillet/runtime"
)

// talk sends lines over the stdio transport, closes it, and returns what came back by id; notifications by method.
func talk(t *testing.T, run runner, lines ...string) map[string]json.RawMessage {
	t.Helper()
	outRead, outWrite := io.Pipe()
	done := make(chan error, 1)
	server := newServer(t, t.TempDir(), echo, run)
	go func() {
		done <- server.ServeStdio(t.Context(), strings.NewReader(strings.Join(lines, "\n")), outWrite)
		outWrite.Close()
	}()
	answers := map[string]json.RawMessage{}
	for scanner := bufio.NewScanner(outRead); scanner.Scan(); {
		var message struct {
			ID             json.RawMessage
			Method         string
			Result, Params json.RawMessage
		}
		if err := json.Unmarshal(scanner.Bytes(), &message); err != nil {
			t.Fatalf("%s: %v", scanner.Bytes(), err)
		}
		key, value := string(message.ID), message.Result
		if message.Method != "" {
			key, value = message.Method, message.Params
		}
		answers[key] = value
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	return answers
}

const modern = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"test","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}`

func TestBothErasAreServedOnOneConnection(t *testing.T) {
	answers := talk(t, ends(stdout("hello")),
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`,
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
		`{"jsonrpc":"2.0","id":"old","method":"tools/call","params":{"name":"x","arguments":{"text":"a"}}}`,
		`{"jsonrpc":"2.0","id":"discover","method":"server/discover","params":{`+modern+`}}`,
		`{"jsonrpc":"2.0","id":"new","method":"tools/call","params":{`+modern+`,"name":"x","arguments":{"text":"a"}}}`,
		`{"jsonrpc":"2.0","id":"listen","method":"subscriptions/listen","params":{`+modern+`,"notifications":{"toolsListChanged":true}}}`,
	)
	for id, want := range map[string]string{
		"1":          `"protocolVersion":"2025-11-25"`,
		`"old"`:      `"stdout":"hello"`,
		`"discover"`: `"2026-07-28"`,
		`"new"`:      `"resultType":"complete"`,
		`"listen"`:   `"io.modelcontextprotocol/subscriptionId":"listen"`,
		"notifications/subscriptions/acknowledged": `"io.modelcontextprotocol/subscriptionId":"listen"`,
	} {
		if !strings.Contains(string(answers[id]), want) {
			t.Errorf("%s: got %s, expected %s", id, answers[id], want)
		}
	}
	if strings.Contains(string(answers[`"old"`]), "resultType") {
		t.Errorf("the older era got %s", answers[`"old"`])
	}
}

func TestAnIDComesBackAsItWasWritten(t *testing.T) {
	const id = "12345678901234567891"
	answers := talk(t, nil, `{"jsonrpc":"2.0","id":`+id+`,"method":"ping"}`)
	if answers[id] == nil {
		t.Errorf("got %s", answers)
	}
}

func TestMoreCallsThanTheQueueTakesAreToldToTryAgain(t *testing.T) {
	slow := runner(func(policy.Container) (runtime.Result, error) {
		time.Sleep(10 * time.Millisecond)
		return stdout("hello"), nil
	})
	const calls = 1500 // of which the default queue holds 1,000
	lines := make([]string, calls)
	for i := range lines {
		lines[i] = fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"x","arguments":{"text":"a"}}}`, i)
	}
	answers := talk(t, slow, lines...)
	busy := 0
	for _, answer := range answers {
		if strings.Contains(string(answer), "Try again in a moment") {
			busy++
		}
	}
	if len(answers) != calls || busy == 0 || busy == calls {
		t.Errorf("%d of %d were answered, %d with busy", len(answers), calls, busy)
	}
}

func TestResultsThatWaitForTheirClientAreHeldOnce(t *testing.T) {
	const calls, size = 8, 1 << 20
	var ended atomic.Int64
	large := runner(func(policy.Container) (runtime.Result, error) {
		ended.Add(1)
		return stdout(strings.Repeat("x", size)), nil
	})
	server := newServer(t, t.TempDir(), echo, large)
	inRead, inWrite := io.Pipe()
	outRead, outWrite := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- server.ServeStdio(t.Context(), inRead, outWrite) }()
	before := heap()
	for i := range calls {
		fmt.Fprintf(inWrite, `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"x","arguments":{"text":"a"}}}`+"\n", i)
	}
	for deadline := time.Now().Add(20 * time.Second); ended.Load() < calls && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(500 * time.Millisecond) // for what is done with the results
	// Each is held once, and one of them is being written: as JSON, with the output as text and once more as data.
	if grown := heap() - before; grown > calls*size+8<<20 {
		t.Errorf("%d results of %d KiB hold %d KiB", calls, size>>10, grown>>10)
	}
	inWrite.Close()
	answers := json.NewDecoder(outRead)
	for range calls {
		var answer struct{ Result result }
		if err := answers.Decode(&answer); err != nil || len(answer.Result.texts()) != size {
			t.Fatalf("got %v, %d bytes", err, len(answer.Result.texts()))
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// heap is what is in use.
func heap() int64 {
	var now goruntime.MemStats
	goruntime.GC()
	goruntime.ReadMemStats(&now)
	return int64(now.HeapAlloc)
}

// Over the transport a result is encoded by its fields; the library has a way of its own.
func TestAResultOnTheWireIsWhatTheLibraryMakesOfIt(t *testing.T) {
	run := ends(runtime.Result{ExitCode: 5, Stdout: runtime.Stream{Data: png}, Stderr: runtime.Stream{Data: []byte("<err>")}})
	line := `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{` + modern + `,"name":"x","arguments":{"text":"a"}}}`
	wire := talk(t, run, line)["7"]
	library, err := json.Marshal(newServer(t, t.TempDir(), echo, run).Handle(t.Context(), []byte(line)))
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := errors.Join(json.Unmarshal(wire, &got), json.Unmarshal(library, &want)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.(map[string]any)["result"], got); diff != "" {
		t.Error(diff)
	}
}
