package main

import (
	"context"
	"errors"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// ownTimes is how much of a call is spent in skillet, the client and the pipes between them.
type ownTimes struct {
	Cold, Warm sample
	Ping       sample // a request that needs nothing of anybody
}

// overhead makes calls through a relay, one at a time.
func (b *bench) overhead(ctx context.Context, r *results) (err error) {
	through, err := newRelay(b.dir, b.docker.DaemonHost())
	if err != nil {
		return err
	}
	defer through.close()
	cold, warm, err := b.pair(ctx, through.address(), "--log-level", "warn")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cold.close(), warm.close()) }()
	if r.Own.Cold, err = b.ownTimes(ctx, cold, through); err != nil {
		return err
	}
	if r.Own.Warm, err = b.ownTimes(ctx, warm, through); err != nil {
		return err
	}
	for range 10 * b.plan.calls {
		begun := time.Now()
		if err := cold.session.Ping(ctx, &mcp.PingParams{}); err != nil {
			return err
		}
		r.Own.Ping = append(r.Own.Ping, time.Since(begun))
	}
	return nil
}

func (b *bench) ownTimes(ctx context.Context, s *server, through *relay) (sample, error) {
	if err := b.prepare(ctx, s); err != nil {
		return nil, err
	}
	var all sample
	for range b.plan.calls {
		begun := time.Now()
		if _, err := s.call(ctx); err != nil {
			return nil, err
		}
		own, err := through.ownTime(begun, time.Now())
		if err != nil {
			return nil, err
		}
		all = append(all, own)
		if err := b.settle(ctx, 1); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// prepare has a server do what it does once, and fill its pool where it has one.
func (b *bench) prepare(ctx context.Context, s *server) error {
	for range 2 {
		if _, err := s.call(ctx); err != nil {
			return err
		}
		if err := b.settle(ctx, 6); err != nil {
			return err
		}
	}
	return nil
}
