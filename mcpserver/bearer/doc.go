// Package bearer tells from the Authorization header of a request who sends it (RFC 6750).
//
// There are two kinds of tokens. [Tokens] are secrets that an operator has written down and given to clients. [OAuth] makes
// the server a resource server of OAuth 2.1, as MCP's authorization asks for: an authorization server that the operator
// trusts signs access tokens (JSON Web Tokens), and what is wrong with a token is said in a WWW-Authenticate header that
// leads to the metadata of RFC 9728.
//
// A token is never taken from the URL or the body, and no message repeats one.
package bearer
