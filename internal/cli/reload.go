package cli

import (
	"context"
	"path/filepath"

	"skillet/internal/watch"
	"skillet/mcpserver"
)

// reloader takes over what changes in the files while skillet serves. Only its own goroutine touches it.
type reloader struct {
	command  *command
	app      *app
	server   *mcpserver.Server
	rebuilds *rebuilds

	seen    texts          // that were judged last, whether they were good or bad
	current *configuration // that is served
}

// watch begins to take over changes, until ctx ends or the function that it returns is called, which waits for the end.
func (c *command) watch(ctx context.Context, a *app, server *mcpserver.Server, rebuilds *rebuilds) (stop func()) {
	r := &reloader{command: c, app: a, server: server, rebuilds: rebuilds, seen: a.texts, current: a.configuration}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		watch.Run(ctx, a.log, r.look)
	}()
	return func() {
		cancel()
		<-ended
	}
}

// look takes over what has changed since the last look, and returns the files whose changes matter from now on.
func (r *reloader) look() []string {
	if now := r.command.read(); !now.same(r.seen) {
		r.seen = now
		r.reload(now)
	}
	dockerfiles := r.rebuilds.look(r.current.plans)
	files := append(dockerfiles, r.command.skillsFile())
	if r.command.policyFile != "" {
		files = append(files, r.command.policyFile)
	}
	return files
}

// reload replaces what is served, or says everything that keeps it from doing so.
func (r *reloader) reload(from texts) {
	log := r.app.log
	config, err := r.command.configure(from, r.app.workdir)
	if err == nil {
		err = r.server.Replace(config.offer())
	}
	if err != nil {
		all := complaints(err)
		for _, one := range all {
			text := one.text
			if one.hint != "" {
				text += " (" + one.hint + ")"
			}
			log.Error(text)
		}
		log.Error("not reloaded: the tools stay as they were", "mistakes", len(all))
		return
	}
	r.current = config
	r.app.runtime.Warm(config.plans)
	for _, text := range config.refusals() {
		log.Error(text)
	}
	log.Info("reloaded", "skills", len(config.vetted), "refused", len(config.refused), "policy", config.policy.Level(), "file", filepath.Clean(config.file))
}
