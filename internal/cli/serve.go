package cli

import (
	"os"
	"time"

	"github.com/spf13/cobra"

	"skillet/mcpserver"
	"skillet/runtime"
	"skillet/skills"
)

func (c *command) serve() *cobra.Command {
	var options mcpserver.Options
	var idle runtime.IdleLimits
	var idleMemory string
	var watching bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the skills over MCP on standard input and output",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if idle.Memory, err = skills.ParseSize(idleMemory); err != nil {
				return usage(`write it like "256m" or "1g"`, "--max-idle-memory: %w", err)
			}
			a, err := c.loadWithEngine(idle)
			if err != nil {
				return err
			}
			c.reportRefused(a)
			rebuilds := newRebuilds(a.runtime, a.log)
			options.Skills, options.Workdir = a.vetted, a.workdir
			options.Caller = mcpserver.Caller{Policy: a.policy, Runner: rebuilds}
			options.Version, options.Hurry, options.Logger = version(), c.hurry, a.log
			server, err := mcpserver.New(options)
			if err != nil {
				return err
			}
			// Nothing but protocol may reach standard output, whatever a library prints.
			stdout := os.Stdout
			os.Stdout = os.Stderr
			a.log.Info("serving", "skills", len(a.vetted), "refused", len(a.refused), "policy", a.policy.Level(), "workdir", a.workdir)
			go a.runtime.ReapEvery(cmd.Context(), time.Minute)
			a.runtime.Warm(a.plans) // as many as the skills say; each call is judged anew
			stopWatching := func() {}
			if watching {
				stopWatching = c.watch(cmd.Context(), a, server, rebuilds)
			}
			err = server.ServeStdio(cmd.Context(), c.stdin, stdout)
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
	flags.IntVar(&idle.Containers, "max-idle", runtime.DefaultIdle, "containers kept started for calls to come, of all skills together; 0 for none")
	flags.StringVar(&idleMemory, "max-idle-memory", "1g", "memory that they may take together, at 12 MiB each")
	flags.BoolVar(&watching, "watch", true, "take over changes of the skills file, the policy file and the Dockerfiles while serving")
	flags.DurationVar(&options.Grace, "grace", 10*time.Second, "how long calls in flight may go on when the client leaves or skillet is told to stop")
	return cmd
}
