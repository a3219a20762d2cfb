package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"
)

// loads makes the calls of all variants by turns: one at a time, then without a pause by more and more callers, then when
// they arrive.
func (b *bench) loads(ctx context.Context, r *results) (err error) {
	if b.cold, b.warm, err = b.pair(ctx, "", "--log-level", "warn"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.cold.close(), b.warm.close()) }()
	for _, v := range variants { // whatever is done once
		if err := b.call(ctx, v); err != nil {
			return err
		}
	}
	if err := b.settle(ctx, 10); err != nil {
		return err
	}
	if r.OneByOne, err = b.oneByOne(ctx); err != nil {
		return err
	}
	for _, callers := range b.plan.callers {
		fmt.Fprintf(os.Stderr, "  %d callers\n", callers)
		row, err := b.closedLoad(ctx, callers)
		if err != nil {
			return err
		}
		r.Closed = append(r.Closed, row)
	}
	for i, rate := range b.plan.rates {
		fmt.Fprintf(os.Stderr, "  %v calls a second\n", rate)
		row, err := b.openLoad(ctx, rate, b.plan.arrive[i])
		if err != nil {
			return err
		}
		r.Open = append(r.Open, row)
	}
	r.Loaded = [2]resident{residentOf(b.cold.pid), residentOf(b.warm.pid)}
	return nil
}

// oneByOne measures calls that are alone. The order of the variants changes, so that none always comes after the same one.
func (b *bench) oneByOne(ctx context.Context) ([]sample, error) {
	took := make([]sample, len(variants))
	order := slices.Clone(variants)
	for range b.plan.rounds {
		for _, v := range order {
			begun := time.Now()
			if err := b.call(ctx, v); err != nil {
				return nil, err
			}
			took[v] = append(took[v], time.Since(begun))
			if err := b.settle(ctx, 1); err != nil {
				return nil, err
			}
		}
		slices.Reverse(order)
	}
	return took, nil
}

// closedRow is what some callers got that call again as soon as they have their answer.
type closedRow struct {
	Callers int
	Rate    []float64 // answers in a second, by variant
	Took    []sample
}

func (b *bench) closedLoad(ctx context.Context, callers int) (closedRow, error) {
	row := closedRow{Callers: callers, Rate: make([]float64, len(variants)), Took: make([]sample, len(variants))}
	for range b.plan.blocks {
		for _, v := range variants {
			took, err := b.block(ctx, v, callers)
			if err != nil {
				return row, err
			}
			row.Took[v] = append(row.Took[v], took...)
			if err := b.settle(ctx, 4); err != nil {
				return row, err
			}
		}
	}
	for _, v := range variants {
		row.Rate[v] = float64(len(row.Took[v])) / (b.plan.window.Seconds() * float64(b.plan.blocks))
	}
	return row, nil
}

// block has callers call one variant, and returns the calls that were answered in the window. The time before the window
// uses up what a pool has in store: what is measured can go on for ever.
func (b *bench) block(ctx context.Context, v variant, callers int) (sample, error) {
	opens := time.Now().Add(b.plan.rampUp)
	closes := opens.Add(b.plan.window)
	var mu sync.Mutex
	var took sample
	var failed error
	var calling sync.WaitGroup
	for range callers {
		calling.Go(func() {
			for time.Now().Before(closes) {
				begun := time.Now()
				err := b.call(ctx, v)
				ended := time.Now()
				mu.Lock()
				if err != nil {
					failed = errors.Join(failed, err)
				} else if ended.After(opens) && ended.Before(closes) {
					took = append(took, ended.Sub(begun))
				}
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	calling.Wait()
	return took, failed
}

// openRow is how long calls take that arrive at random times, whether earlier ones have ended or not.
type openRow struct {
	Rate float64
	Took []sample // by variant
}

func (b *bench) openLoad(ctx context.Context, rate float64, count int) (openRow, error) {
	row := openRow{Rate: rate, Took: make([]sample, len(variants))}
	arrivals := poisson(rate, count)
	for _, v := range variants {
		took, err := b.arriving(ctx, v, arrivals)
		if err != nil {
			return row, err
		}
		row.Took[v] = took
		if err := b.settle(ctx, 4); err != nil {
			return row, err
		}
	}
	return row, nil
}

// arriving makes a call at each of the times. A call's time begins with its arrival, also where this program was late.
func (b *bench) arriving(ctx context.Context, v variant, arrivals []time.Duration) (sample, error) {
	took := make(sample, len(arrivals))
	failed := make([]error, len(arrivals))
	var calling sync.WaitGroup
	begun := time.Now()
	for i, at := range arrivals {
		arrival := begun.Add(at)
		if err := pause(ctx, time.Until(arrival)); err != nil {
			break
		}
		calling.Go(func() {
			failed[i] = b.call(ctx, v)
			took[i] = time.Since(arrival)
		})
	}
	calling.Wait()
	return took, errors.Join(errors.Join(failed...), ctx.Err())
}

// poisson returns when calls arrive that know nothing of each other, the same times whenever it is asked.
func poisson(rate float64, count int) []time.Duration {
	random := rand.New(rand.NewPCG(seed, uint64(count)))
	var at float64
	arrivals := make([]time.Duration, count)
	for i := range arrivals {
		at += random.ExpFloat64() / rate
		arrivals[i] = time.Duration(at * float64(time.Second))
	}
	return arrivals
}
