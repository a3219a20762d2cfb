package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
)

// idleContainers is how many idle containers are measured at once: one alone would drown in what the machine does besides.
const idleContainers = 8

// idleRow is what one idle container takes, in bytes.
type idleRow struct {
	Count   int     // of containers that were there
	Cgroup  float64 // what the kernel charges to the container
	Shim    float64 // the engine's own process that looks after it
	Machine float64 // by how much the machine has more memory when the container is gone, the above included
	Pids    float64 // processes and threads
}

// Beyond is what the container takes without the engine's own process. It is no less than what is charged to the container,
// whatever other programs did to the machine's memory meanwhile.
func (i idleRow) Beyond() float64 { return max(i.Machine-i.Shim, i.Cgroup) }

// idleMemory measures idle warm containers, and containers that sleep for comparison.
func (b *bench) idleMemory(ctx context.Context, r *results) error {
	var warm, sleeping []idleRow
	for range b.plan.repeats {
		row, err := b.idleWarm(ctx)
		if err != nil {
			return err
		}
		warm = append(warm, row)
		if row, err = b.idleSleeping(ctx); err != nil {
			return err
		}
		sleeping = append(sleeping, row)
	}
	r.IdleWarm, r.IdleSleeping = medianRow(warm), medianRow(sleeping)
	return nil
}

// idleWarm measures the containers that a server keeps for its next calls; none, where its version keeps none.
func (b *bench) idleWarm(ctx context.Context) (row idleRow, err error) {
	s, err := b.start(ctx, launch{config: b.echoSkill(strconv.Itoa(idleContainers)), flags: []string{"--log-level", "warn"}})
	if err != nil {
		return row, err
	}
	open := true
	defer func() {
		if open {
			err = errors.Join(err, s.close())
		}
	}()
	if err := b.prepare(ctx, s); err != nil {
		return row, err
	}
	ids, err := b.containersOf(ctx, s)
	if err != nil || len(ids) == 0 {
		return row, err
	}
	return b.weigh(ctx, ids, float64(residentOf(s.pid).Own), func() error { open = false; return s.close() })
}

// containersOf returns the running containers that a server has made, when their number does not grow any more.
func (b *bench) containersOf(ctx context.Context, s *server) (ids []string, err error) {
	mine := filters.NewArgs(filters.Arg("label", "skillet.pid="+strconv.Itoa(s.pid)), filters.Arg("label", "skillet.skill=echo"))
	for {
		running, err := b.docker.ContainerList(ctx, container.ListOptions{Filters: mine})
		if err != nil {
			return nil, err
		}
		if len(running) == len(ids) {
			return ids, nil
		}
		ids = nil
		for _, one := range running {
			ids = append(ids, one.ID)
		}
		if err := b.settle(ctx, 6); err != nil {
			return nil, err
		}
	}
}

// idleSleeping measures containers that do nothing but be there, made as skillet makes its own where that matters.
func (b *bench) idleSleeping(ctx context.Context) (row idleRow, err error) {
	var ids []string
	remove := func() error {
		var failed error
		for _, id := range ids {
			failed = errors.Join(failed, b.docker.ContainerRemove(context.WithoutCancel(ctx), id, container.RemoveOptions{Force: true}))
		}
		ids = nil
		return failed
	}
	defer func() { err = errors.Join(err, remove()) }()
	for range idleContainers {
		created, err := b.docker.ContainerCreate(ctx,
			&container.Config{Image: b.image, Entrypoint: []string{"sleep"}, Cmd: []string{"infinity"}, NetworkDisabled: true},
			&container.HostConfig{NetworkMode: "none", LogConfig: container.LogConfig{Type: "none"}}, nil, nil, "")
		if err != nil {
			return row, err
		}
		ids = append(ids, created.ID)
		if err := b.docker.ContainerStart(ctx, created.ID, container.StartOptions{}); err != nil {
			return row, err
		}
	}
	return b.weigh(ctx, ids, 0, remove)
}

// weigh looks at each of some containers, and at what the machine gets back when they end. others is what ends with them
// and is not to be counted.
func (b *bench) weigh(ctx context.Context, ids []string, others float64, end func() error) (idleRow, error) {
	row := idleRow{Count: len(ids)}
	count := float64(len(ids))
	if err := b.settle(ctx, 8); err != nil {
		return row, err
	}
	for _, id := range ids {
		usage, pids, err := b.charged(ctx, id)
		if err != nil {
			return row, err
		}
		info, err := b.docker.ContainerInspect(ctx, id)
		if err != nil {
			return row, err
		}
		shim, err := parentOf(info.State.Pid)
		if err != nil {
			return row, fmt.Errorf("the engine's processes cannot be seen, it has to be on this machine: %w", err)
		}
		row.Cgroup += usage / count
		row.Pids += pids / count
		row.Shim += float64(residentOf(shim).Own) / count
	}
	before, err := available()
	if err != nil {
		return row, err
	}
	if err := end(); err != nil {
		return row, err
	}
	if err := b.settle(ctx, 8); err != nil {
		return row, err
	}
	after, err := available()
	row.Machine = (after - before - others) / count
	return row, err
}

// charged is what the kernel charges to a container without the files that it can forget, as in `docker stats`.
func (b *bench) charged(ctx context.Context, id string) (bytes, pids float64, _ error) {
	answer, err := b.docker.ContainerStatsOneShot(ctx, id)
	if err != nil {
		return 0, 0, err
	}
	defer answer.Body.Close()
	var stats container.StatsResponse
	if err := json.NewDecoder(answer.Body).Decode(&stats); err != nil {
		return 0, 0, err
	}
	files := stats.MemoryStats.Stats["total_inactive_file"] // version 1 of cgroups
	if files == 0 {
		files = stats.MemoryStats.Stats["inactive_file"]
	}
	return float64(stats.MemoryStats.Usage - files), float64(stats.PidsStats.Current), nil
}

// available is how much memory the machine could give to programs, in bytes. It fluctuates, so it is read several times.
func available() (float64, error) {
	var readings []float64
	for range 5 {
		kib, err := field("/proc/meminfo", "MemAvailable")
		if err != nil {
			return 0, err
		}
		readings = append(readings, float64(kib)*1024)
		time.Sleep(50 * time.Millisecond)
	}
	return median(readings), nil
}

// resident is the memory of a process in bytes: all that it has, and its own share, in which a page that several
// processes have is divided among them.
type resident struct{ All, Own int64 }

// residentOf is zero for a process that cannot be looked into.
func residentOf(pid int) resident {
	file := fmt.Sprintf("/proc/%d/smaps_rollup", pid)
	all, _ := field(file, "Rss")
	own, _ := field(file, "Pss")
	return resident{All: all * 1024, Own: own * 1024}
}

func parentOf(pid int) (int, error) {
	parent, err := field(fmt.Sprintf("/proc/%d/status", pid), "PPid")
	return int(parent), err
}

// field reads a number after a name in a file of /proc.
func field(file, name string) (int64, error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), name+":"); ok {
			number, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
			return strconv.ParseInt(number, 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no %s", file, name)
}

// medianRow takes the median of each number.
func medianRow(rows []idleRow) idleRow {
	pick := func(of func(idleRow) float64) float64 {
		var values []float64
		for _, row := range rows {
			values = append(values, of(row))
		}
		return median(values)
	}
	return idleRow{
		Count:   rows[0].Count,
		Cgroup:  pick(func(r idleRow) float64 { return r.Cgroup }),
		Shim:    pick(func(r idleRow) float64 { return r.Shim }),
		Machine: pick(func(r idleRow) float64 { return r.Machine }),
		Pids:    pick(func(r idleRow) float64 { return r.Pids }),
	}
}
