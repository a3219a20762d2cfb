package mcpserver_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

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
