package privtest

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"
)

// Container is what a container runtime leaves of root's privileges when it starts a
// program: the sets of the OCI runtime's configuration, a read-only root file system,
// and a filter of system calls. The network and PID namespaces are those of the caller,
// as with hostNetwork and hostPID.
type Container struct {
	UID          int
	Bounding     []cap.Value
	Permitted    []cap.Value // effective, too
	Ambient      []cap.Value // inheritable, too
	NoNewPrivs   bool
	Writable     string // the one folder that is writable
	Unfiltered   bool   // allow every system call
	NoNetfilter  bool   // as a kernel without nfnetlink, and so without conntrack
	BTF          string // a file in place of the kernel's types; "-": none
	netNamespace int
}

// Start starts a program in the container, in the network namespace of the
// calling thread. It needs root.
func (c Container) Start(cmd *exec.Cmd) error {
	ns, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return fmt.Errorf("find the network namespace: %w", err)
	}
	defer ns.Close()
	c.netNamespace = int(ns.Fd())
	done := make(chan error)
	go func() {
		// The thread has dropped its privileges, and dies with the goroutine.
		runtime.LockOSThread()
		done <- c.start(cmd)
	}()
	return <-done
}

func (c Container) start(cmd *exec.Cmd) error {
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"enter the network namespace", func() error { return unix.Setns(c.netNamespace, unix.CLONE_NEWNET) }},
		{"make the file system read-only", c.mount},
		{"filter system calls", c.filter},
		{"lower the bounding set", c.bound},
		{"change the user", c.user},
		{"set capabilities", c.capabilities},
		{"set no_new_privs", c.noNewPrivs},
		{"start the program", cmd.Start},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

// mount makes everything read-only but one folder. Capabilities of files count in that
// folder, wherever it is.
func (c Container) mount() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Mount(c.Writable, c.Writable, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	if err := c.types(); err != nil {
		return err
	}
	readOnly := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, &readOnly); err != nil {
		return err
	}
	writable := unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC}
	return unix.MountSetattr(unix.AT_FDCWD, c.Writable, 0, &writable)
}

// types replaces, or hides, the types of the kernel.
func (c Container) types() error {
	const dir = "/sys/kernel/btf"
	switch c.BTF {
	case "":
		return nil
	case "-":
		return unix.Mount("none", dir, "tmpfs", 0, "")
	}
	return unix.Mount(c.BTF, dir+"/vmlinux", "", unix.MS_BIND, "")
}

func (c Container) bound() error {
	keep := word(c.Bounding)
	for v := range cap.MaxBits() {
		if keep&(1<<v) != 0 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(v), 0, 0, 0); err != nil {
			return err
		}
	}
	return nil
}

// user changes only the user of this thread, and keeps the permitted set.
func (c Container) user() error {
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		return err
	}
	id := uintptr(c.UID)
	for _, call := range [][4]uintptr{{unix.SYS_SETGROUPS}, {unix.SYS_SETRESGID, id, id, id}, {unix.SYS_SETRESUID, id, id, id}} {
		if _, _, errno := unix.RawSyscall(call[0], call[1], call[2], call[3]); errno != 0 {
			return errno
		}
	}
	return unix.Prctl(unix.PR_SET_KEEPCAPS, 0, 0, 0, 0)
}

func (c Container) capabilities() error {
	permitted, inheritable := word(c.Permitted)|word(c.Ambient), word(c.Ambient)
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	for i := range data {
		shift := 32 * i
		data[i] = unix.CapUserData{
			Permitted: uint32(permitted >> shift), Effective: uint32(permitted >> shift), Inheritable: uint32(inheritable >> shift),
		}
	}
	if err := unix.Capset(&header, &data[0]); err != nil {
		return err
	}
	for _, v := range c.Ambient {
		if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, uintptr(v), 0, 0); err != nil {
			return err
		}
	}
	return nil
}

func (c Container) noNewPrivs() error {
	if !c.NoNewPrivs {
		return nil
	}
	return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
}

func word(values []cap.Value) (w uint64) {
	for _, v := range values {
		w |= 1 << v
	}
	return w
}
