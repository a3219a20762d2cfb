package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// phaseNames are the parts of a call that a server logs, in their order. A call has not all of them: a warm container
// was created before, and what a version of skillet does not log is not there.
var phaseNames = []string{"create", "attach", "start", "accepted", "run"}

// phaseMessage is the message of the line that has them, at the level debug.
const phaseMessage = "call phases"

// phaseSamples are the parts of several calls, by name.
type phaseSamples map[string]sample

// phases has servers log the parts of calls.
func (b *bench) phases(ctx context.Context, r *results) (err error) {
	cold, warm, err := b.pair(ctx, "", "--log-level", "debug", "--log-format", "json")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cold.close(), warm.close()) }()
	if r.ColdPhases, err = b.phasesOf(ctx, cold); err != nil {
		return err
	}
	r.WarmPhases, err = b.phasesOf(ctx, warm)
	return err
}

func (b *bench) phasesOf(ctx context.Context, s *server) (phaseSamples, error) {
	if err := b.prepare(ctx, s); err != nil {
		return nil, err
	}
	before := len(s.log.String())
	for range b.plan.calls {
		if _, err := s.call(ctx); err != nil {
			return nil, err
		}
		if err := b.settle(ctx, 1); err != nil {
			return nil, err
		}
	}
	return readPhases(s.log.String()[before:]), nil
}

// readPhases gathers the parts of calls from a log of JSON lines.
func readPhases(log string) phaseSamples {
	all := phaseSamples{}
	for line := range strings.Lines(log) {
		var attributes map[string]any
		if json.Unmarshal([]byte(line), &attributes) != nil || attributes["msg"] != phaseMessage {
			continue
		}
		for _, name := range phaseNames {
			if took, ok := duration(attributes[name]); ok {
				all[name] = append(all[name], took)
			}
		}
	}
	return all
}

// duration reads what slog writes for a duration: nanoseconds, or with some handlers a text such as 1.5ms.
func duration(value any) (time.Duration, bool) {
	switch value := value.(type) {
	case float64:
		return time.Duration(value), true
	case string:
		took, err := time.ParseDuration(value)
		return took, err == nil
	}
	return 0, false
}
