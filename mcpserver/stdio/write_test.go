package stdio_test

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"skillet/mcpserver/stdio"
)

func TestAResponseThatWaitsForItsClientToReadCanBeCancelled(t *testing.T) {
	handler := &echo{size: 2 << 20} // more than the client's buffer takes
	c := connect(t, t.Context(), handler, stdio.Options{Grace: time.Minute})
	c.send(request("first", "x"))
	if _, err := c.out.Peek(1); err != nil { // from now on its response is under way
		t.Fatal(err)
	}
	c.send(request("unwanted", "x"), request("wanted", "x"))
	waitFor(t, "the responses", func() bool { return handler.ended.Load() == 3 })
	c.send(cancel("unwanted"), request("unwanted", "once more"))
	waitFor(t, "the cancel", func() bool { return handler.ended.Load() == 4 })
	results := map[string]string{}
	for _, r := range c.rest() {
		if results[string(r.ID)] != "" {
			t.Errorf("%s was answered twice", r.ID)
		}
		results[string(r.ID)] = r.Result
	}
	if len(results) != 3 || !strings.HasPrefix(results[`"unwanted"`], "once more") {
		t.Errorf("got %d responses, %.20q", len(results), results[`"unwanted"`])
	}
}

func TestACancelledRequestSendsNoMoreNotifications(t *testing.T) {
	handler := &echo{}
	c := connect(t, t.Context(), handler, stdio.Options{Grace: time.Minute})
	c.send(request(1, "tell"))
	if r := c.read(); r.Method != "told" {
		t.Errorf("got %+v", r)
	}
	c.send(cancel(1))
	waitFor(t, "the request's end", func() bool { return handler.ended.Load() == 1 })
	c.send(request(2, "x"))
	if r := c.read(); string(r.ID) != "2" {
		t.Errorf("got %+v", r)
	}
}

func TestAResponseThatCannotBeEncodedIsAnError(t *testing.T) {
	c := connect(t, t.Context(), &echo{}, stdio.Options{})
	for _, method := range []string{"unencodable", "unencodable panic"} {
		c.send(request(method, method))
		if r := c.read(); string(r.ID) != fmt.Sprintf("%q", method) || r.Error == nil || r.Error.Code != -32603 || strings.Contains(r.Error.Message, "hunter2") {
			t.Errorf("%s: got %+v", method, r)
		}
	}
	c.send(request(1, "on"))
	if r := c.read(); r.Result != "on" {
		t.Errorf("got %+v", r)
	}
}

func TestAClientThatDoesNotReadHoldsUpTheServerAndNothingGrows(t *testing.T) {
	c := connect(t, t.Context(), &echo{size: 1000}, stdio.Options{})
	var sent atomic.Int64
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for i := range 20_000 {
			if _, err := io.WriteString(c.in, request(i, "x")+"\n"); err != nil {
				return
			}
			sent.Add(1)
		}
	}()
	settled := int64(-1)
	for settled != sent.Load() {
		settled = sent.Load()
		time.Sleep(200 * time.Millisecond)
	}
	if settled > 10_000 {
		t.Errorf("%d requests were taken in while nobody read", settled)
	}
	seen := map[string]bool{}
	for range 20_000 {
		seen[string(c.read().ID)] = true
	}
	if len(seen) != 20_000 {
		t.Errorf("%d requests were answered", len(seen))
	}
	<-stopped
}

func TestWhileAResponseWaitsItsRequestIsNotHeld(t *testing.T) {
	handler := &echo{}
	c := connect(t, t.Context(), handler, stdio.Options{})
	before := heap()
	const requests = 20
	large := strings.Repeat("x", 1<<20)
	for i := range requests {
		c.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"x","params":%q}`, i, large))
	}
	waitFor(t, "the answers", func() bool { return handler.ended.Load() == requests })
	if grown := heap() - before; grown > 5<<20 {
		t.Errorf("%d MiB of requests hold %d MiB while their responses wait", requests, grown>>20)
	}
	for range requests {
		c.read()
	}
}

func heap() int64 {
	var now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&now)
	return int64(now.HeapAlloc)
}

func TestLinesNeverInterleave(t *testing.T) {
	c := connect(t, t.Context(), &echo{size: 50_000}, stdio.Options{Grace: time.Minute})
	var writers sync.WaitGroup
	writers.Go(func() {
		for i := range 300 {
			c.send(request(i, "x"))
		}
	})
	seen := map[string]bool{}
	for range 300 {
		seen[string(c.read().ID)] = true // fails when a line is no JSON
	}
	writers.Wait()
	if len(seen) != 300 {
		t.Errorf("%d requests were answered", len(seen))
	}
}
