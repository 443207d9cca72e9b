package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cpu returns what the threads of a process have used, in user and system
// mode, to the nanosecond.
func cpu(pid int) (time.Duration, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("process %d has no threads: %w", pid, err)
	}
	var sum time.Duration
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		ran, _, _ := strings.Cut(string(text), " ")
		ns, err := strconv.ParseInt(ran, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read %s: %w", name, err)
		}
		sum += time.Duration(ns)
	}
	return sum, nil
}

// rss returns the memory of a process, in MB of a million bytes; field is VmRSS
// for the present, VmHWM for the peak.
func rss(pid int, field string) (float64, error) {
	kib, err := status(fmt.Sprintf("/proc/%d/status", pid), field)
	return float64(kib) * 1024 / 1e6, err
}

// switches returns how often the threads of a process went to sleep voluntarily,
// which is how often they were woken.
func switches(pid int) (int, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil {
		return 0, err
	}
	sum := 0
	for _, name := range files {
		n, err := status(name, "voluntary_ctxt_switches")
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

func status(path, field string) (int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("read the state of a process: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		if words := strings.Fields(value); name == field && len(words) > 0 {
			return strconv.Atoi(words[0])
		}
	}
	return 0, fmt.Errorf("%s has no %s", path, field)
}
