package cli

import (
	"context"
	"math"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"skillet/mcpserver"
	"skillet/policy"
	"skillet/runtime"
	"skillet/skills"
)

func (c *command) serve() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the skills over MCP, on standard input and output or over HTTP",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			c.listing = f.tools
			return c.serveUntilTheEnd(cmd.Context(), &f)
		},
	}
	f.register(cmd.Flags())
	return cmd
}

// serveFlags are the flags of serve, and what they say.
type serveFlags struct {
	options  mcpserver.Options
	overHTTP httpFlags
	idle     runtime.IdleLimits
	tools    skills.Listing // empty for what the skills file says
	watching bool

	idleMemory, listing string // as they were written
}

func (f *serveFlags) register(flags *pflag.FlagSet) {
	flags.IntVar(&f.options.MaxConcurrent, "max-concurrent", 0, "calls that run at a time (default four for each processor, at least 8)")
	flags.IntVar(&f.options.MaxQueue, "max-queue", 0, "calls that wait for their turn; beyond it, skillet says that it is busy (default 1000)")
	flags.IntVar(&f.options.MaxSessions, "max-sessions", mcpserver.DefaultMaxSessions, "sessions that one client may have; 0 for none")
	flags.IntVar(&f.options.MaxJobs, "max-jobs", 0, "calls of one client that may go on as jobs at a time (default 100)")
	flags.IntVar(&f.idle.Containers, "max-idle", runtime.DefaultIdle, "containers kept started for calls to come, of all skills together; 0 for none")
	flags.StringVar(&f.idleMemory, "max-idle-memory", "1g", "memory that they may take together, at 8 MiB each")
	flags.StringVar(&f.listing, "tools", "", "list all tools, or with search two that find and call them (default what the skills file says, else all)")
	flags.BoolVar(&f.watching, "watch", true, "take over changes of the skills file, the policy file and the Dockerfiles while serving")
	flags.DurationVar(&f.options.Grace, "grace", 10*time.Second, "how long calls in flight may go on when the client leaves or skillet is told to stop")
	f.overHTTP.register(flags)
}

// check reads what the flags say.
func (f *serveFlags) check() (err error) {
	if err := f.overHTTP.check(); err != nil {
		return err
	}
	if f.idle.Memory, err = skills.ParseSize(f.idleMemory); err != nil {
		return usage(`write it like "256m" or "1g"`, "--max-idle-memory: %w", err)
	}
	if f.listing != "" {
		if f.tools, err = skills.ParseListing(f.listing); err != nil {
			return usage("", "--tools: %w", err)
		}
	}
	if f.options.MaxSessions < 0 {
		return usage("give a number, or 0 for none", "--max-sessions %d is no number of sessions", f.options.MaxSessions)
	}
	return nil
}

// serveUntilTheEnd serves until the client has left or ctx ends, and leaves nothing behind.
func (c *command) serveUntilTheEnd(ctx context.Context, f *serveFlags) error {
	usual := sync.OnceFunc(c.collectLess())
	a, err := c.loadWithEngine(f.idle)
	if err != nil {
		return err
	}
	c.reportRefused(a)
	rebuilds := newRebuilds(a.runtime, a.log)
	server, err := c.newServer(a, firstCall{rebuilds, usual}, rebuilds, f.options)
	if err != nil {
		return err
	}
	defer server.Close()
	// Nothing but protocol may reach standard output, whatever a library prints.
	stdout := os.Stdout
	os.Stdout = os.Stderr
	a.log.Info("serving", "skills", len(a.vetted), "refused", len(a.refused), "policy", a.policy.Level(), "workdir", a.workdir)
	time.AfterFunc(startTime, func() { a.runtime.ReapEvery(ctx, time.Minute) })
	a.runtime.Warm(a.plans)            // as many as the skills say; each call is judged anew
	time.AfterFunc(time.Second, usual) // by when the client has its list of tools; or with the first call
	stopWatching := func() {}
	if f.watching {
		stopWatching = c.watch(ctx, a, server, rebuilds)
	}
	if f.overHTTP.address != "" {
		err = c.serveHTTP(ctx, &f.overHTTP, server, a)
	} else {
		err = server.ServeStdio(ctx, c.stdin, stdout)
	}
	stopWatching()
	rebuilds.stop()
	if closeErr := a.close(); err == nil {
		err = closeErr
	}
	return err
}

// firstCall runs plans, and says when the first one comes.
type firstCall struct {
	mcpserver.Runner
	comes func()
}

func (f firstCall) Run(ctx context.Context, plan policy.Plan, live runtime.IO) (runtime.Result, error) {
	f.comes()
	return f.Runner.Run(ctx, plan, live)
}

func (c *command) newServer(a *app, runner mcpserver.Runner, rebuilds *rebuilds, options mcpserver.Options) (*mcpserver.Server, error) {
	options.Skills, options.Prompts, options.Listing, options.Workdir = a.vetted, a.set.Prompts, a.listing, a.workdir
	options.Caller = mcpserver.Caller{Policy: a.policy, Runner: runner}
	options.OpenSession = opener(a.runtime, rebuilds)
	options.Version, options.Hurry, options.Logger = version(), c.hurry, a.log
	return mcpserver.New(options)
}

// startTime is how long a start is left alone by what can wait: by then a client has its list of tools.
const startTime = 100 * time.Millisecond

// startHeap is the memory that a start may fill before garbage is collected, in bytes: that of some hundred skills.
const startHeap = 64 << 20

// collectLess has garbage collected only when memory gets short, until the returned function is called. A start keeps most of
// what it makes, and would be a quarter longer for looking through that again and again. Who has set a limit, or GOGC, knows
// better.
func (c *command) collectLess() (usual func()) {
	if c.variable("GOGC") != "" || debug.SetMemoryLimit(-1) != math.MaxInt64 {
		return func() {}
	}
	before := debug.SetGCPercent(-1)
	debug.SetMemoryLimit(startHeap)
	return func() {
		debug.SetGCPercent(before)
		debug.SetMemoryLimit(math.MaxInt64)
	}
}
