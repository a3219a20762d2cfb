// Package cli is skillet's command line: one file per subcommand, and beside them
//
//   - root.go: the flags that all have, exit codes, how errors are shown
//   - configuration.go: from files to vetted skills; app.go: from flags to a configuration and an engine
//   - reload.go: what happens when the files change; rebuild.go: when a Dockerfile does
//
// It is the only package that reads the environment and writes to the terminal.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/lmittmann/tint"
	"github.com/spf13/cobra"

	"skillet/policy"
	"skillet/skills"
)

// Exit codes. `run` passes the skill's own exit code on.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitDenied = 3
)

// Rules of what is written where: results go to stdout, everything else to stderr. A failure is one "error:" and, where
// there is something to do about it, one "hint:". A message of several lines is indented below its first.

// exitError ends skillet with a code. Without an error in it, everything was said already.
type exitError struct {
	code int
	err  error
	hint string
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func usage(hint, format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...), hint: hint}
}

// Main runs the command line and returns the exit code. The end of ctx ends the work in good order; hurry is closed when
// that takes too long.
func Main(ctx context.Context, hurry <-chan struct{}, args []string) int {
	c := &command{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, lookup: os.LookupEnv, hurry: hurry}
	root := c.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if !c.running { // cobra found the mistake
		err = usage("see skillet --help", "%w", err)
	}
	return c.report(err)
}

// command is one run of skillet: its streams, and the flags that all subcommands have.
type command struct {
	stdin          *os.File
	stdout, stderr *os.File
	lookup         skills.Lookup
	hurry          <-chan struct{}
	running        bool // arguments were fine, and a subcommand has begun

	config, policyFile, workdir string
	logLevel, logFormat         string

	listing skills.Listing // instead of what the skills file says; "" for that
}

func (c *command) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "skillet",
		Short: "Offer command-line tools in containers as MCP tools",
		Long: "skillet offers command-line tools packed in container images as tools of the Model Context Protocol.\n" +
			"A file, skills.toml, lists the tools. Every call is checked by a policy and runs in a fresh container.",
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		PersistentPreRun:  func(*cobra.Command, []string) { c.running = true },
	}
	flags := root.PersistentFlags()
	flags.StringVar(&c.config, "config", "", "the skills file (default $SKILLET_CONFIG, else ./skills.toml)")
	flags.StringVar(&c.policyFile, "policy", "", "the policy file (default the level baseline)")
	flags.StringVar(&c.workdir, "workdir", "", "the directory that skills work in (default the current one)")
	flags.StringVar(&c.logLevel, "log-level", "info", "debug, info, warn or error")
	flags.StringVar(&c.logFormat, "log-format", "text", "text or json")
	root.SetOut(c.stdout)
	root.SetErr(c.stderr)
	root.AddCommand(c.serve(), c.check(), c.list(), c.run(), c.pull(), c.version())
	return root
}

// mistakes are several errors that are reported one by one.
type mistakes []error

func (m mistakes) Error() string { return errors.Join(m...).Error() }

func (m mistakes) Unwrap() []error { return m }

// together joins errors, nil for those that are none. A single one stays what it is.
func together(all ...error) error {
	all = slices.DeleteFunc(all, func(err error) bool { return err == nil })
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return mistakes(all)
}

// complaint is one thing that is wrong, and what to do about it, "" where the text says it all.
type complaint struct{ text, hint string }

// complaints takes an error apart, down to the single mistakes of a file.
func complaints(err error) []complaint {
	var several mistakes
	var ofFile skills.ParseErrors
	var exit *exitError
	var all []complaint
	switch {
	case errors.As(err, &several):
		for _, one := range several {
			all = append(all, complaints(one)...)
		}
	case errors.As(err, &ofFile):
		for _, one := range ofFile {
			all = append(all, complaint{text: one.Error()})
		}
	case errors.As(err, &exit) && exit.err != nil:
		all = append(all, complaint{err.Error(), exit.hint})
	default:
		all = append(all, complaint{text: err.Error()})
	}
	return all
}

// report shows an error and chooses the exit code.
func (c *command) report(err error) int {
	var exit *exitError
	var arguments skills.ArgErrors
	code := exitFailed
	switch {
	case errors.As(err, &exit):
		code = exit.code
		if exit.err == nil {
			return code
		}
	case errors.As(err, &arguments):
		code = exitUsage
	case policy.Denied(err) != nil:
		code = exitDenied
	}
	for _, one := range complaints(err) {
		c.errorf("%s", one.text)
		if one.hint != "" {
			fmt.Fprintf(c.stderr, "hint: %s\n", one.hint)
		}
	}
	return code
}

// errorf writes one "error:".
func (c *command) errorf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	fmt.Fprintf(c.stderr, "error: %s\n", strings.ReplaceAll(text, "\n", "\n  "))
}

// logger writes to stderr in the wanted form.
func (c *command) logger() (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.logLevel)); err != nil {
		return nil, usage("the levels are debug, info, warn and error", "--log-level: unknown level %q", c.logLevel)
	}
	switch c.logFormat {
	case "json":
		return slog.New(slog.NewJSONHandler(c.stderr, &slog.HandlerOptions{Level: level})), nil
	case "text":
		_, noColor := c.lookup("NO_COLOR")
		return slog.New(tint.NewTextHandler(c.stderr, &tint.Options{Level: level, NoColor: noColor || !isTerminal(c.stderr)})), nil
	}
	return nil, usage("the formats are text and json", "--log-format: unknown format %q", c.logFormat)
}

func isTerminal(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// table writes rows in columns, the last of which is left as it is.
func table(w io.Writer, rows [][]string) {
	widths := map[int]int{}
	for _, row := range rows {
		for i, cell := range row[:len(row)-1] {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			if i < len(row)-1 {
				cell += strings.Repeat(" ", widths[i]-len([]rune(cell))+2)
			}
			line.WriteString(cell)
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}
