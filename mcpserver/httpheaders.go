package mcpserver

import (
	"encoding/json"
	"errors"
	"net/url"

	"github.com/mark3labs/mcp-go/mcp"

	"skillet/mcpserver/streamable"
)

// checkHeaders judges what HTTP's headers say of a request, so that proxies can rely on them (2026-07-28, Transports,
// "Standard Headers"), and tells which era it belongs to.
func (s *Server) checkHeaders(call streamable.Call) (modern bool, err error) {
	var request struct {
		Params json.RawMessage `json:"params"`
	}
	var params struct {
		Name string    `json:"name"`
		Meta *mcp.Meta `json:"_meta"`
	}
	// What is no object has no version in it, and is refused where it is used.
	_ = json.Unmarshal(call.Raw, &request)
	_ = json.Unmarshal(request.Params, &params)
	inHeader, inBody := call.Header.Get(mcp.HeaderProtocolVersion), params.Meta.ProtocolVersion()
	if !mcp.IsModernProtocol(inHeader) && !mcp.IsModernProtocol(inBody) {
		if inHeader != "" && !mcp.IsValidProtocolVersion(inHeader) && call.Method != string(mcp.MethodInitialize) {
			return false, mcp.UnsupportedProtocolVersionError{Version: inHeader, Supported: mcp.ValidProtocolVersions}
		}
		return false, nil
	}
	switch {
	case call.Header.Get(mcp.HeaderLastEventID) != "":
		return true, mcp.HeaderMismatchError{Header: mcp.HeaderLastEventID, Reason: "streams cannot be resumed: send the request again with a new id"}
	case inHeader == "":
		return true, mcp.HeaderMismatchError{Header: mcp.HeaderProtocolVersion, Reason: "missing required header"}
	case inBody == "":
		return true, errors.New("missing or invalid _meta field " + mcp.MetaKeyProtocolVersion)
	case inHeader != inBody:
		return true, mcp.HeaderMismatchError{Header: mcp.HeaderProtocolVersion, Reason: "is " + inHeader + ", and the message has " + inBody}
	}
	if err := mcp.ValidateStandardHeaders(call.Header.Get, inBody, mcp.MCPMethod(call.Method), request.Params); err != nil {
		return true, err
	}
	if tool := s.mcp.GetTool(params.Name); tool != nil && call.Method == string(mcp.MethodToolsCall) {
		return true, mcp.ValidateParamHeadersLookup(func(name string) (string, bool) {
			return call.Header.Get(name), len(call.Header.Values(name)) > 0
		}, &tool.Tool, request.Params)
	}
	return true, nil
}

// protocolError makes the response that an error of the protocol has for itself.
func protocolError(err error) mcp.JSONRPCMessage {
	var (
		version    mcp.UnsupportedProtocolVersionError
		mismatch   mcp.HeaderMismatchError
		capability mcp.MissingRequiredClientCapabilityError
	)
	details := mcp.JSONRPCErrorDetails{Code: mcp.INVALID_PARAMS, Message: err.Error()}
	switch {
	case errors.As(err, &version):
		return version.JSONRPCError()
	case errors.As(err, &mismatch):
		details.Code = mcp.HEADER_MISMATCH
	case errors.As(err, &capability):
		details.Code = mcp.MISSING_REQUIRED_CLIENT_CAPABILITY
		details.Data = map[string]any{"requiredCapabilities": map[string]any{capability.Capability: struct{}{}}}
	}
	return mcp.JSONRPCError{JSONRPC: mcp.JSONRPC_VERSION, Error: details}
}

// siteOf returns the beginning of a URL, up to the path.
func siteOf(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return parsed.Scheme + "://" + parsed.Host
}
