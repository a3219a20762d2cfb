package cli

import (
	"encoding/json"
	"strings"

	"github.com/spf13/cobra"

	"skillet/mcpserver"
)

func (c *command) list() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the tools that clients are offered",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			a, err := c.load()
			if err != nil {
				return err
			}
			c.reportRefused(a)
			tools, err := mcpserver.Tools(a.vetted)
			if err != nil {
				return err
			}
			if asJSON {
				encoder := json.NewEncoder(c.stdout)
				encoder.SetEscapeHTML(false)
				encoder.SetIndent("", "  ")
				return encoder.Encode(map[string]any{"tools": tools})
			}
			var rows [][]string
			for _, tool := range tools {
				about := tool.Title
				if about == "" {
					about, _, _ = strings.Cut(tool.Description, "\n")
				}
				rows = append(rows, []string{tool.Name, about})
			}
			table(c.stdout, rows)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the tools as clients get them")
	return cmd
}
