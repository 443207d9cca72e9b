package main

import (
	"os/exec"
	"syscall"
	"time"
)

// What people use today, measured beside the agent.

// oneLiner prints every retransmission.
const oneLiner = `tracepoint:tcp:tcp_retransmit_skb { printf("%s %d %s %d\n", ntop(args->saddr), args->sport, ntop(args->daddr), args->dport); }`

// startBpftrace starts bpftrace where tracefs is mounted: in a mount namespace
// of its own, for the host may have none.
func startBpftrace(ns *namespace) (*process, error) {
	cmd := exec.Command("sh", "-c",
		`mount -t tracefs tracefs /sys/kernel/tracing && mount -t debugfs debugfs /sys/kernel/debug && exec bpftrace -e "$0" 2>/dev/null`, oneLiner)
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
