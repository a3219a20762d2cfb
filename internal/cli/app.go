package cli

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"skillet/mcpserver"
	"skillet/runtime"
)

// app is what the flags lead to: a configuration, and an engine to run its skills on.
type app struct {
	*configuration
	texts   texts // that it was made of
	log     *slog.Logger
	workdir string
	runtime *runtime.Runtime // nil without an engine
}

// load reads the skills and the policy and vets every skill. No engine is needed for it.
func (c *command) load() (*app, error) {
	log, err := c.logger()
	if err != nil {
		return nil, err
	}
	a := &app{log: log}
	if a.workdir, err = c.workingDirectory(); err != nil {
		return nil, err
	}
	a.texts = c.read()
	if a.configuration, err = c.configure(a.texts, a.workdir); err != nil {
		return nil, err
	}
	return a, nil
}

// loadWithEngine also says which engine is to be used. That it answers is found out at the first call.
func (c *command) loadWithEngine(idle runtime.IdleLimits) (*app, error) {
	a, err := c.load()
	if err != nil {
		return nil, err
	}
	a.runtime, err = runtime.New(runtime.Options{
		Host:      c.variable("DOCKER_HOST"),
		TLSVerify: c.variable("DOCKER_TLS_VERIFY") != "",
		CertPath:  c.variable("DOCKER_CERT_PATH"),
		Idle:      idle,
		Logger:    a.log,
	})
	if err != nil {
		return nil, &exitError{code: exitUsage, err: err, hint: "correct DOCKER_HOST, or unset it for the local engine"}
	}
	return a, nil
}

func (c *command) variable(name string) string {
	value, _ := c.lookup(name)
	return value
}

// workingDirectory returns the canonical path of what ${SKILL_WORKDIR} stands for. Whether it may be mounted is the
// policy's business: a skill that needs no files works anywhere.
func (c *command) workingDirectory() (string, error) {
	dir := c.workdir
	if dir == "" {
		dir = "."
	}
	absolute, err := filepath.Abs(dir)
	if err == nil {
		absolute, err = filepath.EvalSymlinks(absolute)
	}
	if err != nil {
		return "", usage("name a directory that exists", "--workdir %s: %w", dir, err)
	}
	if info, err := os.Stat(absolute); err != nil || !info.IsDir() {
		return "", usage("name a directory", "--workdir %s is no directory", dir)
	}
	return absolute, nil
}

// caller is the way of every call.
func (a *app) caller() mcpserver.Caller { return mcpserver.Caller{Policy: a.policy, Runner: a.runtime} }

// reportRefused says on stderr which skills are not offered, and why.
func (c *command) reportRefused(a *app) {
	for _, text := range a.refusals() {
		c.errorf("%s", text)
	}
}

// close waits for the removal of containers, those of skillets that were killed included.
func (a *app) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	reaping, stop := context.WithTimeout(ctx, 5*time.Second)
	defer stop()
	if _, err := a.runtime.Reap(reaping); err != nil {
		a.log.Debug("not reaped", "error", err)
	}
	return a.runtime.Close(ctx)
}
