package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// errUnfinished is a guest that never came to the end of its jobs.
var errUnfinished = errors.New("the guest did not finish")

// runGuest boots a kernel, runs the jobs in it and returns their results. A
// guest that does not finish is booted once more: emulation sometimes fails, and
// only a second failure counts.
func runGuest(ctx context.Context, o options, k kernel, programs map[string]string, jobs []job) (map[string]said, error) {
	dir, err := os.MkdirTemp("", "tcpstuck-kernels-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	archive := filepath.Join(dir, "initramfs")
	if err := pack(ctx, k, programs, jobs, archive); err != nil {
		return nil, fmt.Errorf("make the guest of %s: %w", k.release, err)
	}
	results, err := boot(ctx, o, k, archive, dir)
	if errors.Is(err, errUnfinished) && ctx.Err() == nil {
		fmt.Fprintf(os.Stderr, "kernels: %v; booting it again\n", err)
		results, err = boot(ctx, o, k, archive, dir)
	}
	return results, err
}

// boot runs the guest once, on one emulated processor: with several, emulation
// is no faster and less reliable. KVM is not asked for: where it is nested it
// may be there and not boot these kernels.
func boot(ctx context.Context, o options, k kernel, archive, dir string) (map[string]said, error) {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	console := filepath.Join(dir, "console")
	var out, complaint bytes.Buffer
	cmd := exec.CommandContext(
		ctx, "qemu-system-x86_64", "-M", "pc", "-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", o.memory,
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-kernel", k.image, "-initrd", archive, "-append", "console=ttyS0 panic=-1 rdinit=/init",
		"-serial", "file:"+console, "-serial", "stdio",
	)
	cmd.Stdout, cmd.Stderr = &out, &complaint
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	results, finished := split(out.String())
	if finished {
		return results, nil
	}
	return nil, fmt.Errorf("%w: %s: %w: %s\nits output ended in:\n%s\nits console in:\n%s",
		errUnfinished, k.release, errors.Join(err, ctx.Err()), complaint.String(), tail(out.Bytes()), tailOf(console))
}

func tailOf(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return tail(b)
}

func tail(b []byte) string {
	const enough = 3000
	return string(b[max(0, len(b)-enough):])
}
