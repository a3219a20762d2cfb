package runtime

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
)

// removeAttempts are enough to outlive an engine's restart: half a minute, with the default limits.
const removeAttempts = 7

// removals removes containers behind their callers' backs.
//
// Removal takes the engine some ten milliseconds, which no caller should wait for, and it fails when the engine is busy
// with the container or away. A container with a supervisor is removed by the engine itself (AutoRemove), which is only made sure
// of here. One without has still to be asked about when its call has failed (was it out of memory?), and what was created and
// not started the engine never removes.
type removals struct {
	engine *engine
	limits limits
	log    *slog.Logger

	closing chan struct{} // closed when there is no more time for pauses

	mu      sync.Mutex
	pending map[string]int   // names of what is being run or removed, with how many reasons there are to wait for it
	left    map[string]error // names of what was given up, with the last error
	changed chan struct{}    // closed when pending has become smaller, then made anew
	shut    bool             // nothing more is run
}

func newRemovals(engine *engine, limits limits, log *slog.Logger) *removals {
	return &removals{
		engine:  engine,
		limits:  limits,
		log:     log,
		closing: make(chan struct{}),
		pending: map[string]int{},
		left:    map[string]error{},
		changed: make(chan struct{}),
	}
}

// remove removes a container that exists.
func (m *removals) remove(name, id string) {
	m.start(name, func() error { return m.retry(name, id, false) })
}

// expect waits for a container that ends by itself and that the engine then removes; gone tells when. One that does not end at once,
// because it is frozen, say, is killed, and one that stays is removed.
//
// It is not removed before that: an engine that is asked to remove what it removes by itself can go on listing it for ever
// (seen with Docker 20.10: "Removal In Progress", and no such container).
func (m *removals) expect(name, id string, gone <-chan exit, unsubscribe func()) {
	m.start(name, func() error {
		defer unsubscribe()
		end, ended := wait(gone, m.limits.word)
		if !ended {
			m.kill(id)
			end, ended = wait(gone, m.limits.vanish)
		}
		if ended && end.err == nil {
			m.log.Debug("container removed", "container", name)
			return nil
		}
		return m.retry(name, id, false)
	})
}

func wait(gone <-chan exit, patience time.Duration) (end exit, ended bool) {
	select {
	case end = <-gone:
		return end, true
	case <-time.After(patience):
		return exit{}, false
	}
}

// kill asks the engine to kill a container. It refuses where that has ended already.
func (m *removals) kill(id string) {
	ctx, cancel := context.WithTimeout(context.Background(), m.limits.kill)
	defer cancel()
	if api, err := m.engine.session(ctx); err == nil {
		_ = api.ContainerKill(ctx, id, "SIGKILL")
	}
}

// removeAfter removes a container when the answer to its creation is there, which must come in bounded time. Where the
// engine has refused, there is nothing to remove; where its answer was lost, the container may exist or come to exist.
func (m *removals) removeAfter(name string, creation <-chan error) {
	m.start(name, func() error {
		err := <-creation
		if err != nil && !unanswered(err) {
			return nil
		}
		return m.retry(name, name, err != nil)
	})
}

// hold makes close wait for a container that is to be run, until its release. It refuses after close.
func (m *removals) hold(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.shut {
		m.pending[name]++
	}
	return !m.shut
}

func (m *removals) release(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pending[name]--; m.pending[name] == 0 {
		delete(m.pending, name)
		close(m.changed)
		m.changed = make(chan struct{})
	}
}

// start is called while the container is held.
func (m *removals) start(name string, work func() error) {
	m.mu.Lock()
	m.pending[name]++
	m.mu.Unlock()
	go func() {
		defer m.release(name)
		if err := work(); err != nil {
			m.log.Warn("a container could not be removed", "container", name, "error", err)
			m.mu.Lock()
			m.left[name] = err
			m.mu.Unlock()
		}
	}()
}

// retry attempts a removal until it succeeds. That a container is not there is a success, but where it may come to exist
// only at the last attempt.
func (m *removals) retry(name, id string, unsure bool) error {
	pause := m.limits.retry
	for attempt := 1; ; attempt++ {
		gone, err := m.attempt(context.Background(), id)
		if err == nil && !(gone && unsure) {
			m.log.Debug("container removed", "container", name)
			return nil
		}
		if attempt == removeAttempts || m.isClosing() {
			return err
		}
		select {
		case <-time.After(pause):
		case <-m.closing:
		}
		pause *= 2
	}
}

// attempt makes one request. gone tells that there was no such container.
func (m *removals) attempt(ctx context.Context, name string) (gone bool, _ error) {
	ctx, cancel := context.WithTimeout(ctx, m.limits.request)
	defer cancel()
	api, err := m.engine.session(ctx)
	if err != nil {
		return false, err
	}
	// Anonymous volumes, which an image can ask for, outlive their container otherwise.
	err = api.ContainerRemove(ctx, name, container.RemoveOptions{Force: true, RemoveVolumes: true})
	if cerrdefs.IsConflict(err) && strings.Contains(err.Error(), "already in progress") {
		err = awaitRemoval(ctx, api, name)
	}
	if cerrdefs.IsNotFound(err) {
		return true, nil
	}
	if err != nil && unanswered(err) {
		m.engine.forget(api)
	}
	return false, err
}

// awaitRemoval waits for a removal that the engine is at already.
func awaitRemoval(ctx context.Context, api dockerAPI, name string) error {
	removed, errs := api.ContainerWait(ctx, name, container.WaitConditionRemoved)
	select {
	case <-removed:
		return nil
	case err := <-errs:
		return err
	}
}

func (m *removals) isClosing() bool {
	select {
	case <-m.closing:
		return true
	default:
		return false
	}
}

// close waits for what is going on, tries again what was given up, and reports what is left.
func (m *removals) close(ctx context.Context) error {
	m.mu.Lock()
	if !m.shut {
		m.shut = true
		close(m.closing)
	}
	for len(m.pending) > 0 {
		changed := m.changed
		m.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return m.leftover(ctx)
		}
		m.mu.Lock()
	}
	left := slices.Sorted(maps.Keys(m.left))
	m.mu.Unlock()
	for _, name := range left {
		if _, err := m.attempt(ctx, name); err == nil {
			m.mu.Lock()
			delete(m.left, name)
			m.mu.Unlock()
		}
	}
	return m.leftover(ctx)
}

// leftover is the error for what was given up or did not end before ctx, nil when that is nothing.
func (m *removals) leftover(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	names := slices.Sorted(maps.Keys(m.left))
	var errs []error
	for _, name := range names {
		errs = append(errs, m.left[name])
	}
	names = slices.AppendSeq(names, maps.Keys(m.pending))
	if len(names) == 0 {
		return nil
	}
	if len(m.pending) > 0 {
		errs = append(errs, ctx.Err())
	}
	return &LeftoverError{Containers: names, Err: errors.Join(errs...)}
}
