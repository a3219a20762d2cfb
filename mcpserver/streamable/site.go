package streamable

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// site knows by which names this server is spoken to, and from which web pages. A page that a browser shows can send
// requests to any address, and its owner can make its own name lead to this one (DNS rebinding): the Host header then has
// that name. A server on the loopback device is as much in reach of pages as any other.
type site struct {
	options Options
	hosts   []string // names, beside the addresses
	origins []string
	foreign *http.CrossOriginProtection
}

func newSite(options Options) (*site, error) {
	s := &site{options: options, origins: options.Origins, foreign: http.NewCrossOriginProtection()}
	for _, host := range options.Hosts {
		s.hosts = append(s.hosts, strings.ToLower(strings.Trim(host, "[]")))
	}
	for _, origin := range options.Origins {
		if err := s.foreign.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("the origin %q: %w", origin, err)
		}
	}
	return s, nil
}

// protect lets through what is for this site and from it, or from a page that the operator has named.
func (s *site) protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.named(r) {
			newAnswer(w, r, s.options).refuse(http.StatusForbidden, "this server does not go by the name in the Host header; name it with --http-host")
			return
		}
		origin := r.Header.Get("Origin")
		if err := s.foreign.Check(r); err != nil || !s.knows(r, origin) {
			newAnswer(w, r, s.options).refuse(http.StatusForbidden, "web pages of this origin may not talk to this server; name it with --http-origin")
			return
		}
		if slices.Contains(s.origins, origin) {
			allow(w.Header(), origin)
			if r.Method == http.MethodOptions {
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// named tells whether the Host header has a name of this server: one that the operator has given, or the address that
// the request has come to. On the loopback device these are all of the device's.
func (s *site) named(r *http.Request) bool {
	host := hostOf(r.Host)
	if slices.Contains(s.hosts, host) {
		return true
	}
	local, _ := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if local == nil {
		return false
	}
	to := local.AddrPort().Addr().Unmap()
	if to.IsLoopback() && host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && (address.Unmap() == to || address.IsLoopback() && to.IsLoopback())
}

// knows judges the Origin header of any method; the standard library lets GET and OPTIONS pass.
func (s *site) knows(r *http.Request, origin string) bool {
	if origin == "" || slices.Contains(s.origins, origin) {
		return true
	}
	_, host, found := strings.Cut(origin, "://")
	return found && strings.EqualFold(host, r.Host)
}

func hostOf(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

// allow tells a browser that a page may read the answer (Fetch, CORS).
func allow(header http.Header, origin string) {
	header.Add("Vary", "Origin")
	header.Set("Access-Control-Allow-Origin", origin)
	header.Set("Access-Control-Allow-Methods", http.MethodPost)
	header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Mcp-Protocol-Version, Mcp-Session-Id, Mcp-Method, Mcp-Name")
	header.Set("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After, Mcp-Session-Id")
}
