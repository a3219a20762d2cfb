package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"skillet/runtime"
	"skillet/skills"
)

// maxStdin bounds what --stdin reads into an argument.
const maxStdin = 64 << 20

func (c *command) run() *cobra.Command {
	var stdin bool
	var arguments string
	cmd := &cobra.Command{
		Use:   "run [flags] SKILL [--PARAMETER VALUE...]",
		Short: "Call a skill once, on the same way as an MCP client's call",
		Long: "Run calls one skill. What stands after its name are the tool's parameters as flags, or, for a skill without\n" +
			"parameters, the program's arguments as they are. Skillet's own flags stand before the name.\n" +
			"The exit code is the program's own; 2 for wrong arguments, 3 when the policy refuses, 1 when the call failed.",
		Example: "  skillet run jq --filter .a --input '{\"a\": 1}'\n  skillet run jq --help\n  skillet run shell -c 'ls -l'",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			a, err := c.loadWithEngine(runtime.IdleLimits{})
			if err != nil {
				return err
			}
			defer func() {
				if closeErr := a.close(); err == nil {
					err = closeErr
				}
			}()
			skill, err := a.find(args[0])
			if err != nil {
				return err
			}
			given, err := c.arguments(skill, args[1:], arguments, stdin)
			if errors.Is(err, pflag.ErrHelp) {
				return nil
			}
			if err != nil {
				return err
			}
			return c.call(cmd, a, skill, given)
		},
	}
	cmd.Flags().SetInterspersed(false)
	cmd.Flags().BoolVar(&stdin, "stdin", false, "hand standard input to a skill without parameters of its own")
	cmd.Flags().StringVar(&arguments, "json", "", "the arguments as a JSON object, as a client would send them")
	return cmd
}

// call makes the call, with the program's output passed through as it comes.
func (c *command) call(cmd *cobra.Command, a *app, skill *skills.Skill, given json.RawMessage) error {
	outcome, err := a.caller().Call(cmd.Context(), skill, given, runtime.IO{
		Stdout: c.stdout, Stderr: c.stderr, Progress: c.stderr,
	})
	var start *runtime.StartError
	switch {
	case errors.As(err, &start):
		return &exitError{code: start.ExitCode, err: err}
	case err != nil:
		return err
	case outcome.Result.OOMKilled:
		c.errorf("%s ran out of memory", skill.Name)
	}
	if code := outcome.Result.ExitCode; code != 0 {
		return &exitError{code: code}
	}
	for _, path := range slices.Concat(outcome.Changes.Made, outcome.Changes.Found) {
		fmt.Fprintf(c.stderr, "made %s\n", path)
	}
	return nil
}

// arguments makes the JSON object of a call out of the command line.
func (c *command) arguments(skill *skills.Skill, args []string, object string, stdin bool) (json.RawMessage, error) {
	if stdin && !skill.Raw() {
		return nil, usage("give the parameter that it feeds, see skillet run "+skill.Name+" --help", "--stdin is for skills without parameters")
	}
	switch {
	case object != "" && len(args) > 0:
		return nil, usage("use one of the two", "--json and arguments after the name of the skill")
	case object != "":
		return json.RawMessage(object), nil
	case skill.Raw():
		return c.rawArguments(args, stdin)
	}
	return c.parameterFlags(skill, args)
}

func (c *command) rawArguments(args []string, stdin bool) (json.RawMessage, error) {
	given := map[string]any{"args": append([]string{}, args...)}
	if stdin {
		text, err := io.ReadAll(io.LimitReader(c.stdin, maxStdin+1))
		if err != nil {
			return nil, err
		}
		if len(text) > maxStdin {
			return nil, usage("", "standard input has more than %d bytes", maxStdin)
		}
		given["stdin"] = string(text)
	}
	return json.Marshal(given)
}
