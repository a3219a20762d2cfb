package cli

import (
	"math"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"skillet/mcpserver"
	"skillet/runtime"
	"skillet/skills"
)

func (c *command) serve() *cobra.Command {
	var options mcpserver.Options
	var overHTTP httpFlags
	var idle runtime.IdleLimits
	var idleMemory, listing string
	var watching bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the skills over MCP, on standard input and output or over HTTP",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := overHTTP.check()
			if err != nil {
				return err
			}
			if idle.Memory, err = skills.ParseSize(idleMemory); err != nil {
				return usage(`write it like "256m" or "1g"`, "--max-idle-memory: %w", err)
			}
			if cmd.Flags().Changed("tools") {
				if c.listing, err = skills.ParseListing(listing); err != nil {
					return usage("", "--tools: %w", err)
				}
			}
			if options.MaxSessions < 0 {
				return usage("give a number, or 0 for none", "--max-sessions %d is no number of sessions", options.MaxSessions)
			}
			usual := c.collectLess()
			a, err := c.loadWithEngine(idle)
			if err != nil {
				return err
			}
			c.reportRefused(a)
			rebuilds := newRebuilds(a.runtime, a.log)
			options.Skills, options.Prompts, options.Listing, options.Workdir = a.vetted, a.set.Prompts, a.listing, a.workdir
			options.Caller = mcpserver.Caller{Policy: a.policy, Runner: rebuilds}
			options.OpenSession = opener(a.runtime, rebuilds)
			options.Version, options.Hurry, options.Logger = version(), c.hurry, a.log
			server, err := mcpserver.New(options)
			if err != nil {
				return err
			}
			defer server.Close()
			// Nothing but protocol may reach standard output, whatever a library prints.
			stdout := os.Stdout
			os.Stdout = os.Stderr
			a.log.Info("serving", "skills", len(a.vetted), "refused", len(a.refused), "policy", a.policy.Level(), "workdir", a.workdir)
			go a.runtime.ReapEvery(cmd.Context(), time.Minute)
			a.runtime.Warm(a.plans)            // as many as the skills say; each call is judged anew
			time.AfterFunc(time.Second, usual) // by when the client has its list of tools
			stopWatching := func() {}
			if watching {
				stopWatching = c.watch(cmd.Context(), a, server, rebuilds)
			}
			if overHTTP.address != "" {
				err = c.serveHTTP(cmd.Context(), &overHTTP, server, a)
			} else {
				err = server.ServeStdio(cmd.Context(), c.stdin, stdout)
			}
			stopWatching()
			rebuilds.stop()
			if closeErr := a.close(); err == nil {
				err = closeErr
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&options.MaxConcurrent, "max-concurrent", 0, "calls that run at a time (default four for each processor, at least 8)")
	flags.IntVar(&options.MaxQueue, "max-queue", 0, "calls that wait for their turn; beyond it, skillet says that it is busy (default 1000)")
	flags.IntVar(&options.MaxSessions, "max-sessions", mcpserver.DefaultMaxSessions, "sessions that one client may have; 0 for none")
	flags.IntVar(&options.MaxJobs, "max-jobs", 0, "calls of one client that may go on as jobs at a time (default 100)")
	flags.IntVar(&idle.Containers, "max-idle", runtime.DefaultIdle, "containers kept started for calls to come, of all skills together; 0 for none")
	flags.StringVar(&idleMemory, "max-idle-memory", "1g", "memory that they may take together, at 8 MiB each")
	flags.StringVar(&listing, "tools", "", "list all tools, or with search two that find and call them (default what the skills file says, else all)")
	flags.BoolVar(&watching, "watch", true, "take over changes of the skills file, the policy file and the Dockerfiles while serving")
	flags.DurationVar(&options.Grace, "grace", 10*time.Second, "how long calls in flight may go on when the client leaves or skillet is told to stop")
	overHTTP.register(flags)
	return cmd
}

// startHeap is the memory that a start may fill before garbage is collected, in bytes: that of some hundred skills.
const startHeap = 48 << 20

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
