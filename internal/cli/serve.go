package cli

import (
	"os"

	"github.com/spf13/cobra"

	"skillet/mcpserver"
)

func (c *command) serve() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Serve the skills over MCP on standard input and output",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := c.load()
			if err != nil {
				return err
			}
			c.reportRefused(a)
			server, err := mcpserver.New(mcpserver.Options{
				Skills: a.vetted, Caller: a.caller(), Workdir: a.workdir, Version: version(), Logger: a.log,
			})
			if err != nil {
				return err
			}
			// Nothing but protocol may reach standard output, whatever a library prints.
			stdout := os.Stdout
			os.Stdout = os.Stderr
			a.log.Info("serving", "skills", len(a.vetted), "refused", len(a.refused), "policy", a.policy.Level(), "workdir", a.workdir)
			err = server.ServeStdio(cmd.Context(), c.stdin, stdout)
			if closeErr := a.close(); err == nil {
				err = closeErr
			}
			return err
		},
	}
}
