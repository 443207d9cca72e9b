package tracer

import "golang.org/x/sys/unix"

// initialPIDNamespace is the inode of the first PID namespace
// (PROC_PID_INIT_INO), on every kernel.
const initialPIDNamespace = 0xEFFFFFFC

// pidNamespace returns the inode of the agent's PID namespace, 0 for the initial
// one or if /proc does not say. A node that is a container (kind, k3d) has a PID
// namespace, and its /proc shows that namespace's PIDs.
func pidNamespace() uint32 {
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/pid", &st); err != nil || st.Ino == initialPIDNamespace {
		return 0
	}
	return uint32(st.Ino)
}
