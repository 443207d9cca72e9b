package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/cilium/ebpf"
)

// runs is how often a kernel program ran while the kernel measured it, and how
// long in all.
type runs struct {
	count uint64
	time  time.Duration
}

// each returns the nanoseconds of one run.
func (r runs) each() float64 {
	if r.count == 0 {
		return 0
	}
	return float64(r.time.Nanoseconds()) / float64(r.count)
}

func (r runs) since(before runs) runs {
	return runs{r.count - before.count, r.time - before.time}
}

// programs returns the kernel programs that processes hold, by name.
func programs(pids ...int) (map[string]*ebpf.Program, error) {
	found := map[string]*ebpf.Program{}
	for _, pid := range pids {
		files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
		if err != nil {
			return nil, err
		}
		for _, name := range files {
			id, err := status(name, "prog_id")
			if _, linkErr := status(name, "link_type"); err != nil || linkErr == nil {
				continue // no program
			}
			p, err := ebpf.NewProgramFromID(ebpf.ProgramID(id))
			if err != nil {
				return nil, fmt.Errorf("open kernel program %d: %w", id, err)
			}
			info, err := p.Info()
			if err != nil {
				return nil, fmt.Errorf("read kernel program %d: %w", id, err)
			}
			found[info.Name] = p
		}
	}
	return found, nil
}

// statsRunTime is BPF_STATS_RUN_TIME.
const statsRunTime = 0

// measure has the kernel measure the programs of processes while do runs.
func measure(do func() error, pids ...int) (map[string]runs, error) {
	all, err := programs(pids...)
	if err != nil {
		return nil, err
	}
	measuring, err := ebpf.EnableStats(statsRunTime)
	if err != nil {
		return nil, fmt.Errorf("measure kernel programs: %w", err)
	}
	defer measuring.Close()
	before, err := readRuns(all)
	if err != nil {
		return nil, err
	}
	if err := do(); err != nil {
		return nil, err
	}
	after, err := readRuns(all)
	if err != nil {
		return nil, err
	}
	for name := range after {
		after[name] = after[name].since(before[name])
	}
	for _, p := range all {
		_ = p.Close()
	}
	return after, nil
}

func readRuns(all map[string]*ebpf.Program) (map[string]runs, error) {
	now := map[string]runs{}
	for name, p := range all {
		s, err := p.Stats()
		if err != nil {
			return nil, fmt.Errorf("read the runs of %s: %w", name, err)
		}
		now[name] = runs{s.RunCount, s.Runtime}
	}
	return now, nil
}
