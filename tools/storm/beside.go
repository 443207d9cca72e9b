package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// The tools that people use today, measured beside the agent.

// oneLiner prints every retransmission.
const oneLiner = `tracepoint:tcp:tcp_retransmit_skb { printf("%s %d %s %d\n", ntop(args->saddr), args->sport, ntop(args->daddr), args->dport); }`

// lineCount counts the lines that a program prints.
type lineCount struct{ n atomic.Uint64 }

func (l *lineCount) Write(b []byte) (int, error) {
	l.n.Add(uint64(bytes.Count(b, []byte("\n"))))
	return len(b), nil
}

// besides returns the programs of others that runs of these sizes start.
func besides(sizes []size) []string {
	programs := []string{"ss"}
	if slices.ContainsFunc(sizes, func(s size) bool { return s.bpftrace }) {
		programs = append(programs, "bpftrace")
	}
	return programs
}

// have says which programs this machine lacks, before a run of ten minutes needs them.
func have(programs ...string) error {
	var missing []string
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			missing = append(missing, p)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("this machine has no %s: make storm installs what it lacks", strings.Join(missing, " and no "))
	}
	return nil
}

// startBpftrace starts bpftrace in a mount namespace of its own with tracefs,
// because the host may have none. If the host has it, mounting it fails, and that is
// good enough.
func startBpftrace(ns *namespace, out *lineCount) (*process, error) {
	cmd := exec.Command("sh", "-c",
		`{ mount -t tracefs tracefs /sys/kernel/tracing; mount -t debugfs debugfs /sys/kernel/debug; exec bpftrace -e "$0"; } 2>/dev/null`, oneLiner)
	cmd.Stdout = out
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	return start(ns, cmd)
}

// listWithSS lists the sockets of both namespaces as people do, and returns
// how long that took in all.
func listWithSS(n *network) (time.Duration, error) {
	return timeOf(func() error {
		for _, ns := range []*namespace{n.node, n.backends} {
			p, err := start(ns, exec.Command("ss", "-tino"))
			if err != nil {
				return err
			}
			if err := p.cmd.Wait(); err != nil {
				return err
			}
		}
		return nil
	})
}
