package chaos

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// usage is what an agent holds.
type usage struct {
	descriptors, goroutines int
	heap, resident, bpf     uint64 // bytes; heap: what lives, after a collection
}

func (u usage) String() string {
	return fmt.Sprintf("%d descriptors, %d goroutines, %.1f MiB of heap, %.1f MiB of BPF maps, %.1f MiB resident",
		u.descriptors, u.goroutines, mib(u.heap), mib(u.bpf), mib(u.resident))
}

func mib(bytes uint64) float64 { return float64(bytes) / (1 << 20) }

// collections is how often garbage is collected for one measurement: a tick or an answer
// between the last one and the reading of the heap sometimes leaves megabytes behind.
const collections = 5

// usage measures an agent.
func (a *agent) usage(ctx context.Context) (usage, error) {
	u := usage{heap: math.MaxUint64}
	for range collections {
		heap, err := a.profile(ctx, "heap?gc=1&debug=1", "# HeapAlloc = ")
		if err != nil {
			return usage{}, err
		}
		u.heap = min(u.heap, heap)
	}
	goroutines, err := a.profile(ctx, "goroutine?debug=1", "goroutine profile: total ")
	if err != nil {
		return usage{}, err
	}
	u.goroutines = int(goroutines)
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", a.PID()))
	if err != nil {
		return u, err
	}
	u.descriptors = len(entries)
	if u.bpf, err = a.bpfMemory(); err != nil {
		return u, err
	}
	u.resident, err = a.memory()
	return u, err
}

// profile reads the number after name from a profile. Only the socket offers profiles.
func (a *agent) profile(ctx context.Context, which, name string) (uint64, error) {
	body, status, err := fetch(ctx, a.private, "http://agent/debug/pprof/"+which)
	if err != nil || status != http.StatusOK {
		return 0, fmt.Errorf("read profile %s: status %d: %w", which, status, err)
	}
	for line := range strings.Lines(string(body)) {
		if n, ok := strings.CutPrefix(strings.TrimSpace(line), name); ok {
			return strconv.ParseUint(n, 10, 64)
		}
	}
	return 0, fmt.Errorf("profile %s has no %q", which, name)
}

// memory returns the agent's resident memory.
func (a *agent) memory() (uint64, error) {
	return proc(fmt.Sprintf("/proc/%d/status", a.PID()), "VmRSS:", 1024)
}

// bpfMemory adds up the memory of the agent's maps and programs, as the kernel reports it.
func (a *agent) bpfMemory() (sum uint64, err error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", a.PID()))
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		if n, err := proc(f, "memlock:", 1); err == nil {
			sum += n
		}
	}
	return sum, nil
}

// proc reads a number from a file of lines that begin with a name.
func proc(path, name string, unit uint64) (uint64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(b) {
		fields := strings.Fields(string(line))
		if len(fields) < 2 || fields[0] != name {
			continue
		}
		n, err := strconv.ParseUint(fields[1], 10, 64)
		return n * unit, err
	}
	return 0, fmt.Errorf("no %s in %s", name, path)
}
