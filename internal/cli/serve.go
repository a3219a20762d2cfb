package cli

import (
	"os"
	"time"

	"github.com/spf13/cobra"

	"skillet/mcpserver"
)

func (c *command) serve() *cobra.Command {
	var options mcpserver.Options
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the skills over MCP on standard input and output",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := c.loadWithEngine()
			if err != nil {
				return err
			}
			c.reportRefused(a)
			options.Skills, options.Caller, options.Workdir = a.vetted, a.caller(), a.workdir
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
			err = server.ServeStdio(cmd.Context(), c.stdin, stdout)
			if closeErr := a.close(); err == nil {
				err = closeErr
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&options.MaxConcurrent, "max-concurrent", 0, "calls that run at a time (default four for each processor, at least 8)")
	flags.IntVar(&options.MaxQueue, "max-queue", 0, "calls that wait for their turn; beyond it, skillet says that it is busy (default 1000)")
	flags.DurationVar(&options.Grace, "grace", 10*time.Second, "how long calls in flight may go on when the client leaves or skillet is told to stop")
	return cmd
}
