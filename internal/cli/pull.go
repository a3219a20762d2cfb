package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"skillet/policy"
	"skillet/runtime"
	"skillet/skills"
)

// pullsAtOnce keeps a build from waiting for another's download, and the engine from drowning.
const pullsAtOnce = 2

func (c *command) pull() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "pull [SKILL...]",
		Short: "Build or pull the images of skills ahead of their first call",
		RunE: func(cmd *cobra.Command, names []string) error {
			a, err := c.loadWithEngine(runtime.IdleLimits{})
			if err != nil {
				return err
			}
			wanted := a.vetted
			if len(names) > 0 {
				wanted = nil
				for _, name := range names {
					skill, err := a.find(name)
					if err != nil {
						return err
					}
					wanted = append(wanted, skill)
				}
			} else {
				c.reportRefused(a)
			}
			return c.pullAll(cmd.Context(), a, wanted, force)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "build or pull images that are there, too")
	return cmd
}

// pullAll gets every image once, whichever skills share it.
func (c *command) pullAll(ctx context.Context, a *app, wanted []*skills.Skill, force bool) error {
	stderr := &lockedWriter{w: c.stderr}
	group := errgroup.Group{}
	group.SetLimit(pullsAtOnce)
	seen := map[string]bool{}
	failed := make(chan error, len(wanted))
	for _, skill := range wanted {
		plan, err := a.policy.Approve(skill.Prototype())
		if err != nil {
			return err
		}
		image := plan.Container().Image
		if key := image + " " + plan.Container().Platform; seen[key] {
			continue
		} else {
			seen[key] = true
		}
		group.Go(func() error {
			if err := c.pullOne(ctx, a, plan, image, force, stderr); err != nil {
				failed <- err
			}
			return nil
		})
	}
	_ = group.Wait()
	close(failed)
	count := 0
	for err := range failed {
		c.errorf("%v", err)
		count++
	}
	if count > 0 {
		return &exitError{code: exitFailed}
	}
	return nil
}

func (c *command) pullOne(ctx context.Context, a *app, plan policy.Plan, image string, force bool, stderr io.Writer) error {
	begun := time.Now()
	progress := &prefixWriter{w: stderr, prefix: image + ": "}
	err := a.runtime.EnsureImage(ctx, plan, runtime.ImageOptions{Force: force, Progress: progress})
	if err == nil {
		fmt.Fprintf(stderr, "%s: ready (%s)\n", image, time.Since(begun).Round(100*time.Millisecond))
	}
	return err
}

// lockedWriter lets several images write lines at once.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// prefixWriter puts a prefix before every line.
type prefixWriter struct {
	w      io.Writer
	prefix string
	line   []byte // what has no end yet
}

func (p *prefixWriter) Write(data []byte) (int, error) {
	p.line = append(p.line, data...)
	for {
		end := bytes.IndexByte(p.line, '\n')
		if end < 0 {
			return len(data), nil
		}
		line := fmt.Appendf(nil, "%s%s\n", p.prefix, p.line[:end])
		p.line = p.line[end+1:]
		if _, err := p.w.Write(line); err != nil {
			return 0, err
		}
	}
}
