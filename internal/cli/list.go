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
			if asJSON {
				tools, err := mcpserver.Tools(a.vetted, a.listing)
				if err != nil {
					return err
				}
				encoder := json.NewEncoder(c.stdout)
				encoder.SetEscapeHTML(false)
				encoder.SetIndent("", "  ")
				return encoder.Encode(map[string]any{"tools": tools})
			}
			var rows [][]string
			for _, skill := range a.vetted {
				about := skill.Title
				if about == "" {
					about, _, _ = strings.Cut(skill.Description, "\n")
				}
				rows = append(rows, []string{skill.Name, about})
			}
			for _, tool := range mcpserver.JobTools(a.vetted) {
				rows = append(rows, []string{tool.Name, tool.Title})
			}
			table(c.stdout, rows)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the tools as clients get them")
	return cmd
}
