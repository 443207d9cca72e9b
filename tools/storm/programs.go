package main

import (
	"fmt"
	"path/filepath"

	"github.com/cilium/ebpf"
)

// program is a kernel program that counts its runs.
type program interface {
	Stats() (*ebpf.ProgramStats, error)
	Close() error
}

// programs returns the kernel programs that processes hold, each once, by name.
// Several may have one name: a process loads some that it does not attach.
func programs(pids ...int) (map[string][]program, error) {
	found := map[string][]program{}
	seen := map[int]bool{}
	for _, pid := range pids {
		files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
		if err != nil {
			return nil, err
		}
		for _, name := range files {
			id, err := status(name, "prog_id")
			if _, linkErr := status(name, "link_type"); err != nil || linkErr == nil || seen[id] {
				continue // no program, or no other one
			}
			seen[id] = true
			p, err := ebpf.NewProgramFromID(ebpf.ProgramID(id))
			if err != nil {
				return nil, fmt.Errorf("open kernel program %d: %w", id, err)
			}
			info, err := p.Info()
			if err != nil {
				return nil, fmt.Errorf("read kernel program %d: %w", id, err)
			}
			found[info.Name] = append(found[info.Name], p)
		}
	}
	return found, nil
}

// statsRunTime is BPF_STATS_RUN_TIME.
const statsRunTime = 0

// measure has the kernel measure the programs of processes while do runs.
func measure(do func() error, pids ...int) (course, error) {
	all, err := programs(pids...)
	if err != nil {
		return nil, err
	}
	defer closeAll(all)
	measuring, err := ebpf.EnableStats(statsRunTime)
	if err != nil {
		return nil, fmt.Errorf("measure kernel programs: %w", err)
	}
	defer measuring.Close()
	return follow(do, func() (map[string]runs, error) { return readRuns(all) })
}

// readRuns adds up the runs of all programs of one name.
func readRuns(all map[string][]program) (map[string]runs, error) {
	now := map[string]runs{}
	for name, copies := range all {
		var sum runs
		for _, p := range copies {
			s, err := p.Stats()
			if err != nil {
				return nil, fmt.Errorf("read the runs of %s: %w", name, err)
			}
			sum = sum.plus(runs{s.RunCount, s.Runtime})
		}
		now[name] = sum
	}
	return now, nil
}

func closeAll(all map[string][]program) {
	for _, copies := range all {
		for _, p := range copies {
			_ = p.Close()
		}
	}
}
