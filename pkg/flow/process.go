package flow

import "time"

// Process identifies a process for ever. The kernel reuses a PID as soon as it is
// free, and a process chooses its own name.
type Process struct {
	PID     uint32        // as the agent's PID namespace numbers it; 0: it is not in there
	Started time.Duration // since the node's boot, on CLOCK_BOOTTIME of the initial time namespace
}

// Resident is a process and the network namespace that it lives in.
type Resident struct {
	Process
	NetNS uint32 // inode number
}

// Owner is the user that a process has, and where it runs.
type Owner struct {
	User      string // real user id in the agent's user namespace; empty: not known, or a pod's process
	Container string // container id, full; empty: none
	PodUID    string // empty: not a pod's process
}

// Process returns the process that holds the socket; its PID is 0 if none is
// known.
func (s Socket) Process() Process { return Process{s.PID, s.Started} }
