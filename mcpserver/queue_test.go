package mcpserver

import (
	"context"
	"errors"
	"testing"
)

func TestCallsRunInTheOrderOfArrivalAndNoMoreThanAllowed(t *testing.T) {
	q := newQueue(2, 100)
	var places []*place
	for range 10 {
		p, err := q.enter()
		if err != nil {
			t.Fatal(err)
		}
		places = append(places, p)
	}
	for i, p := range places {
		if running := countRunning(places[i:]); running != min(2, len(places)-i) {
			t.Fatalf("%d calls run", running)
		}
		if err := p.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.leave()
		p.leave() // a second time changes nothing
	}
}

func countRunning(places []*place) (running int) {
	for _, p := range places {
		select {
		case <-p.turn:
			running++
		default:
		}
	}
	return running
}

func TestACallThatIsCancelledInTheQueueGivesItsPlaceUp(t *testing.T) {
	q := newQueue(1, 2)
	first, _ := q.enter()
	second, _ := q.enter()
	third, _ := q.enter()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := second.wait(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	second.leave()
	first.leave()
	if err := third.wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestBeyondItsBoundTheQueueIsBusy(t *testing.T) {
	q := newQueue(1, 1)
	first, _ := q.enter()
	if _, err := q.enter(); err != nil {
		t.Fatal(err)
	}
	var busy *busyError
	if _, err := q.enter(); !errors.As(err, &busy) {
		t.Fatalf("got %v", err)
	}
	first.leave()
	if _, err := q.enter(); err != nil {
		t.Fatal(err)
	}
}

func TestAPlaceThatIsSharedIsFreeWhenBothHaveLeft(t *testing.T) {
	for _, order := range []string{"the request first", "the job first"} {
		q := newQueue(1, 1)
		first, _ := q.enter()
		second, _ := q.enter()
		request, job := first.leave, first.share()
		if order == "the job first" {
			request, job = job, request
		}
		request()
		request() // a second time changes nothing
		if countRunning([]*place{second}) != 0 {
			t.Errorf("%s: the place was given away", order)
		}
		job()
		if countRunning([]*place{second}) != 1 {
			t.Errorf("%s: the place is lost", order)
		}
	}
}
