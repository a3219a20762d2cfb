package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"skillet/mcpserver"
	"skillet/policy"
	"skillet/runtime"
	"skillet/skills"
)

// app is what the flags lead to: skills, the policy that judged them, and an engine to run them on.
type app struct {
	log     *slog.Logger
	file    string // of the skills
	workdir string
	set     *skills.Set
	policy  *policy.Policy
	runtime *runtime.Runtime // nil without an engine
	vetted  []*skills.Skill
	plans   []policy.Plan // of the vetted skills, without arguments
	refused []refusal
}

// refusal is a skill that the policy does not let through.
type refusal struct {
	skill *skills.Skill
	err   error
}

// load reads the configuration and the policy and vets every skill. No engine is needed for it.
func (c *command) load() (*app, error) {
	log, err := c.logger()
	if err != nil {
		return nil, err
	}
	a := &app{log: log}
	if a.workdir, err = c.workingDirectory(); err != nil {
		return nil, err
	}
	if err := c.loadSkills(a); err != nil {
		return nil, err
	}
	if err := c.loadPolicy(a); err != nil {
		return nil, err
	}
	for i, verdict := range a.policy.VetAll(a.set.Skills) {
		skill := a.set.Skills[i]
		if verdict.Err != nil {
			a.refused = append(a.refused, refusal{skill, verdict.Err})
			continue
		}
		a.vetted = append(a.vetted, skill)
		a.plans = append(a.plans, verdict.Plan)
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

func (c *command) loadSkills(a *app) error {
	a.file = c.config
	if a.file == "" {
		a.file = c.variable("SKILLET_CONFIG")
	}
	if a.file == "" {
		a.file = "skills.toml"
	}
	uid, gid := strconv.Itoa(os.Getuid()), strconv.Itoa(os.Getgid())
	var err error
	a.set, err = skills.Load(a.file, skills.Environment{
		Lookup: c.lookup, Workdir: a.workdir, UID: uid, GID: gid, User: defaultUser(a.workdir),
	})
	if errors.Is(err, fs.ErrNotExist) {
		return &exitError{code: exitFailed, err: fmt.Errorf("there is no skills file at %s", a.file),
			hint: "name one with --config FILE or SKILLET_CONFIG, or write a skills.toml here"}
	}
	return err
}

func (c *command) loadPolicy(a *app) error {
	options := policy.Options{Lookup: c.lookup, Homes: c.homes()}
	if socket, ok := strings.CutPrefix(c.variable("DOCKER_HOST"), "unix://"); ok {
		options.EngineSockets = []string{socket}
	}
	var err error
	if c.policyFile == "" {
		a.policy, err = policy.New(options)
		return err
	}
	a.policy, err = policy.Load(c.policyFile, options)
	if errors.Is(err, fs.ErrNotExist) {
		return &exitError{code: exitFailed, err: fmt.Errorf("there is no policy file at %s", c.policyFile), hint: "correct --policy"}
	}
	return err
}

// homes returns the user's home directory as the environment and the system's user database have it: clients may start
// skillet with next to no environment.
func (c *command) homes() []string {
	var homes []string
	if home := c.variable("HOME"); home != "" {
		homes = append(homes, home)
	}
	if account, err := user.Current(); err == nil && account.HomeDir != "" {
		homes = append(homes, account.HomeDir)
	}
	return homes
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

// find returns a vetted skill by its tool's name. The error says what became of one that is not there.
func (a *app) find(name string) (*skills.Skill, error) {
	skill := a.set.Find(name)
	if skill == nil {
		var names []string
		for _, known := range a.vetted {
			names = append(names, known.Name)
		}
		return nil, usage("the skills are: "+strings.Join(names, ", "), "%s has no skill %q", a.file, name)
	}
	for _, refused := range a.refused {
		if refused.skill == skill {
			return nil, refused.err
		}
	}
	return skill, nil
}

// reportRefused says on stderr which skills are not offered, and why.
func (c *command) reportRefused(a *app) {
	for _, refused := range a.refused {
		c.errorf("%s:%d: %v", a.file, refused.skill.Line, refused.err)
	}
}

// close waits for the removal of containers, those of skillets that were killed included.
func (a *app) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	if _, err := a.runtime.Reap(ctx); err != nil {
		a.log.Debug("not reaped", "error", err)
	}
	return a.runtime.Close(ctx)
}
