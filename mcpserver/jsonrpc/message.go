// Package jsonrpc reads the messages of JSON-RPC 2.0 as MCP uses it: one at a time, with ids that are strings or numbers.
// Both transports read what comes in with [Parse], and answer with an [Error] what is no message.
package jsonrpc

import (
	"bytes"
	"encoding/json"
)

// Codes of JSON-RPC 2.0, section 5.1.
const (
	ParseError     = -32700
	InvalidRequest = -32600
	InternalError  = -32603
)

// Message is what a transport needs to know of a message.
type Message struct {
	Raw    json.RawMessage
	ID     string // as JSON; "" for a notification
	Method string // "" for a response
}

// Error is an error response.
type Error struct {
	ID   string // as JSON, "null" where it is not known
	Code int
	Text string
}

// NewError makes an error response.
func NewError(id string, code int, text string) *Error { return &Error{ID: id, Code: code, Text: text} }

// Response is the error as a message that encoding/json can encode.
func (e *Error) Response() any {
	type details struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}
	return struct {
		JSONRPC string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Error   details         `json:"error"`
	}{"2.0", json.RawMessage(e.ID), details{e.Code, e.Text}}
}

// Parse reads one message. The error is the response that what is none has for an answer.
func Parse(data []byte) (Message, *Error) {
	var envelope struct {
		JSONRPC string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Method  *string         `json:"method"`
		Result  json.RawMessage `json:"result"`
		Error   json.RawMessage `json:"error"`
	}
	if !json.Valid(data) {
		return Message{}, NewError("null", ParseError, "the message is no JSON")
	}
	if trimmed := bytes.TrimSpace(data); trimmed[0] == '[' {
		return Message{}, NewError("null", InvalidRequest, "batches are not supported: send one message at a time")
	}
	if err := json.Unmarshal(data, &envelope); err != nil {
		return Message{}, NewError("null", InvalidRequest, "the message is no JSON-RPC message")
	}
	id, ok := RequestID(envelope.ID)
	refuse := func(text string) (Message, *Error) {
		if id == "" {
			return Message{}, NewError("null", InvalidRequest, text)
		}
		return Message{}, NewError(id, InvalidRequest, text)
	}
	switch {
	case !ok:
		return refuse("an id is a string or a number")
	case envelope.JSONRPC != "2.0":
		return refuse(`the message has no "jsonrpc": "2.0"`)
	case envelope.Method != nil && *envelope.Method != "":
		return Message{Raw: data, ID: id, Method: *envelope.Method}, nil
	case envelope.Method == nil && id != "" && (envelope.Result != nil || envelope.Error != nil):
		return Message{Raw: data, ID: id}, nil
	}
	return refuse("the message has no method")
}

// RequestID returns an id in one spelling, "" when there is none, and whether it may be one: MCP allows no null.
func RequestID(raw json.RawMessage) (string, bool) {
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

// Cancelled returns the id of the request that a notification cancels.
func (m Message) Cancelled() (id string, ok bool) {
	if m.ID != "" || m.Method != "notifications/cancelled" {
		return "", false
	}
	var notification struct {
		Params struct {
			RequestID json.RawMessage `json:"requestId"`
		} `json:"params"`
	}
	_ = json.Unmarshal(m.Raw, &notification) // without an id, it cancels nothing
	id, _ = RequestID(notification.Params.RequestID)
	return id, true
}
