package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (c *command) check() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Check the skills file and what the policy says to it",
		Long: "Check reports every mistake in the skills file (exit code 1) and every skill that the policy refuses, with the\n" +
			"rule, the reason and what to do (exit code 3). It needs no engine.",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			a, err := c.load()
			if err != nil {
				return err
			}
			c.reportRefused(a)
			if len(a.refused) > 0 {
				fmt.Fprintf(c.stdout, "%s: %d of %d skills refused by the policy\n", a.file, len(a.refused), len(a.set.Skills))
				return &exitError{code: exitDenied}
			}
			fmt.Fprintf(c.stdout, "%s: %d skills, all approved by the policy\n", a.file, len(a.vetted))
			return nil
		},
	}
}
