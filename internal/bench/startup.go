package main

import (
	"context"
	"fmt"
)

// startRow is what a start costs with some number of skills.
type startRow struct {
	Skills int
	Took   sample // from the start of the process to the last byte of the list of all its tools
	Memory resident
}

// startup starts servers with few skills and with many, by turns.
func (b *bench) startup(ctx context.Context, r *results) error {
	r.Starts = []startRow{{Skills: 10}, {Skills: 200}}
	for range b.plan.starts {
		for i := range r.Starts {
			if err := b.startOnce(ctx, &r.Starts[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) startOnce(ctx context.Context, row *startRow) error {
	config := b.manySkills(row.Skills)
	s, err := b.start(ctx, launch{config: config, flags: []string{"--log-level", "warn"}})
	if err != nil {
		return err
	}
	tools := 0
	for _, err := range s.session.Tools(ctx, nil) { // all pages
		if err != nil {
			return err
		}
		tools++
	}
	row.Took = append(row.Took, s.heard.last.Load().Sub(s.begun))
	if tools != row.Skills {
		return fmt.Errorf("a server with %d skills has listed %d tools", row.Skills, tools)
	}
	row.Memory = residentOf(s.pid)
	return s.close()
}
