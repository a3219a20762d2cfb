package streamable

import (
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"
)

// clients keeps account of what each client has under way, so that one cannot use up what is there for all.
type clients struct {
	maxRequests int
	maxWeight   int64               // of one client
	room        *semaphore.Weighted // of all
	rate        rate.Limit
	burst       int

	mu     sync.Mutex
	byName map[string]*client
	full   int // how many are known before those with nothing to know of are forgotten
}

// client is what is known of one, for as long as there is something to know.
type client struct {
	messages int   // on their way in, or in work
	weight   int64 // of them
	requests int   // among them
	limiter  *rate.Limiter
}

// What is under way weighs as much as its messages, and something for what comes with each. In all there is room for some
// 4,000 small ones, and for a quarter of that of one client.
const (
	maxWeight     = 256 << 20
	requestWeight = 64 << 10
)

// spare is how many messages a client may send beyond its requests: what cancels one of them is a message, too.
const spare = 8

func newClients(options Options) *clients {
	return &clients{
		maxRequests: options.MaxRequests, maxWeight: maxWeight/4 + int64(options.MaxMessage),
		room: semaphore.NewWeighted(maxWeight + int64(options.MaxMessage)),
		rate: rate.Limit(options.Rate), burst: max(1, int(2*options.Rate)),
		byName: map[string]*client{}, full: minFull,
	}
}

// minFull is the least number of clients that it is worth to forget some of.
const minFull = 1000

// visit is a message of a client.
type visit struct {
	clients *clients
	client  *client
	weight  int64
	request bool
}

// later is an answer to what may be tried again.
type later struct {
	status int
	wait   time.Duration
	why    string
}

var (
	tooMany = &later{http.StatusTooManyRequests, time.Second, "too much of this client is under way already. Try again when a request is answered."}
	tooMuch = &later{http.StatusServiceUnavailable, 5 * time.Second, "skillet is busy: too much is under way already. Try again in a moment."}
)

// enter counts a message of at most a number of bytes, -1 where that is not known, or says why it is one too many.
func (c *clients) enter(name string, size, limit int64) (*visit, *later) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if size < 0 || size > limit {
		size = limit
	}
	weight := requestWeight + size
	one := c.get("in " + name)
	if wait := c.spend(one); wait > 0 {
		return nil, &later{http.StatusTooManyRequests, wait, "this client sends requests too fast. Try again in a moment."}
	}
	if one.messages >= c.maxRequests+spare || one.weight+weight > c.maxWeight {
		return nil, tooMany
	}
	if !c.room.TryAcquire(weight) {
		return nil, tooMuch
	}
	one.messages++
	one.weight += weight
	return &visit{clients: c, client: one, weight: weight}, nil
}

// arrived gives back what was taken for a message that turns out to be smaller.
func (v *visit) arrived(size int) {
	v.clients.mu.Lock()
	defer v.clients.mu.Unlock()
	v.give(v.weight - requestWeight - int64(size))
}

func (v *visit) give(weight int64) {
	v.weight -= weight
	v.client.weight -= weight
	v.clients.room.Release(weight)
}

// asks counts the message as a request; false where it is one too many.
func (v *visit) asks() bool {
	v.clients.mu.Lock()
	defer v.clients.mu.Unlock()
	if v.client.requests >= v.clients.maxRequests {
		return false
	}
	v.client.requests++
	v.request = true
	return true
}

func (v *visit) leave() {
	v.clients.mu.Lock()
	defer v.clients.mu.Unlock()
	v.client.messages--
	v.give(v.weight)
	if v.request {
		v.client.requests--
	}
}

// failed counts a request without a valid token, by its address, and returns how long it takes until another is heard.
func (c *clients) failed(address string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.spend(c.get("out " + address))
}

// spend takes one request from what the client may send, or says when there is one to take.
func (c *clients) spend(one *client) time.Duration {
	if one.limiter.Allow() {
		return 0
	}
	return max(time.Second, time.Duration(float64(time.Second)/float64(c.rate)))
}

func (c *clients) get(name string) *client {
	one, ok := c.byName[name]
	if ok {
		return one
	}
	if len(c.byName) >= c.full {
		for other, known := range c.byName {
			if known.messages == 0 && known.limiter.Tokens() >= float64(c.burst) {
				delete(c.byName, other)
			}
		}
		c.full = max(minFull, 2*len(c.byName))
	}
	one = &client{limiter: rate.NewLimiter(c.rate, c.burst)}
	c.byName[name] = one
	return one
}

// address names the client of a request by where it comes from. Of IPv6 that is the network: one host has all of it.
func address(r *http.Request) string {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	host := from.Addr().Unmap().WithZone("")
	if host.Is6() && !host.IsLoopback() {
		if network, err := host.Prefix(64); err == nil {
			return network.String()
		}
	}
	return host.String()
}
