package stdio_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"skillet/mcpserver/stdio"
)

func TestWhatRequestsHaveBegunMayFinishWithinTheSameGracePeriod(t *testing.T) {
	for _, test := range []struct {
		takes, want time.Duration
		cut         bool
	}{{5 * time.Second, 6 * time.Second, false}, {20 * time.Second, 10 * time.Second, true}} {
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			var after time.Duration
			var cut bool
			c := connect(t, t.Context(), &echo{}, stdio.Options{Grace: 10 * time.Second, Linger: func(ctx context.Context) {
				after = time.Since(begun)
				select {
				case <-time.After(test.takes):
				case <-ctx.Done():
					cut = true
				}
			}})
			c.send(request(1, "second"))
			if rest := c.rest(); len(rest) != 1 {
				t.Errorf("got %+v", rest)
			}
			if err := <-c.done; err != nil || after != time.Second || cut != test.cut || time.Since(begun) != test.want {
				t.Errorf("%v; began after %s, ended after %s, was cut: %t", err, after, time.Since(begun), cut)
			}
		})
	}
}
