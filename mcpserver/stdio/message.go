package stdio

import (
	"bytes"
	"encoding/json"
)

// Codes of JSON-RPC 2.0, section 5.1.
const (
	parseError     = -32700
	invalidRequest = -32600
	internalError  = -32603
)

// message is what the transport needs to know of a line.
type message struct {
	raw    json.RawMessage
	id     string // as JSON; "" for a notification
	method string // "" for a response
}

// rpcError is an error that a line gets for an answer.
type rpcError struct {
	id   string // as JSON
	code int
	text string
}

// response is the error as a message.
func (e *rpcError) response() any {
	type details struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}
	return struct {
		JSONRPC string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Error   details         `json:"error"`
	}{"2.0", json.RawMessage(e.id), details{e.code, e.text}}
}

// parse reads a line.
func parse(line []byte) (message, *rpcError) {
	var envelope struct {
		JSONRPC string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Method  *string         `json:"method"`
		Result  json.RawMessage `json:"result"`
		Error   json.RawMessage `json:"error"`
	}
	if !json.Valid(line) {
		return message{}, &rpcError{"null", parseError, "the line is no JSON"}
	}
	if trimmed := bytes.TrimSpace(line); trimmed[0] == '[' {
		return message{}, &rpcError{"null", invalidRequest, "batches are not supported: send one message a line"}
	}
	if err := json.Unmarshal(line, &envelope); err != nil {
		return message{}, &rpcError{"null", invalidRequest, "the line is no JSON-RPC message"}
	}
	id, ok := requestID(envelope.ID)
	refuse := func(text string) (message, *rpcError) {
		if id == "" {
			return message{}, &rpcError{"null", invalidRequest, text}
		}
		return message{}, &rpcError{id, invalidRequest, text}
	}
	switch {
	case !ok:
		return refuse("an id is a string or a number")
	case envelope.JSONRPC != "2.0":
		return refuse(`the message has no "jsonrpc": "2.0"`)
	case envelope.Method != nil && *envelope.Method != "":
		return message{raw: line, id: id, method: *envelope.Method}, nil
	case envelope.Method == nil && id != "" && (envelope.Result != nil || envelope.Error != nil):
		return message{raw: line, id: id}, nil
	}
	return refuse("the message has no method")
}

// requestID returns an id in one spelling, "" when there is none, and whether it may be one: MCP allows no null.
func requestID(raw json.RawMessage) (string, bool) {
	if raw == nil {
		return "", true
	}
	var value any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return "", false
	}
	switch value := value.(type) {
	case string:
		encoded, err := json.Marshal(value)
		return string(encoded), err == nil
	case json.Number:
		return value.String(), true
	}
	return "", false
}

// cancelled returns the id of the request that a notification cancels.
func (m message) cancelled() (string, bool) {
	if m.id != "" || m.method != "notifications/cancelled" {
		return "", false
	}
	var notification struct {
		Params struct {
			RequestID json.RawMessage `json:"requestId"`
		} `json:"params"`
	}
	_ = json.Unmarshal(m.raw, &notification) // without an id, it cancels nothing
	id, _ := requestID(notification.Params.RequestID)
	return id, true
}
