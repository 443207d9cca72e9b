package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed init.sh
var initScript string

// pack makes the guest's root, an archive that the kernel unpacks into memory:
// busybox, the modules, the programs by their names in the guest, and the jobs.
func pack(ctx context.Context, k kernel, programs map[string]string, jobs []job, archive string) error {
	root, err := os.MkdirTemp("", "tcpstuck-kernels-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	for _, dir := range []string{"bin", "modules"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return err
	}
	if err := link(busybox, filepath.Join(root, "bin", "busybox")); err != nil {
		return err
	}
	if err := os.Symlink("busybox", filepath.Join(root, "bin", "sh")); err != nil {
		return err
	}
	for name, path := range programs {
		if err := link(path, filepath.Join(root, "bin", name)); err != nil {
			return err
		}
	}
	order, err := copyModules(ctx, k, filepath.Join(root, "modules"))
	if err != nil {
		return err
	}
	for name, content := range map[string]string{
		"init": initScript, "modules/order": strings.Join(order, "\n") + "\n", "jobs": script(jobs),
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o755); err != nil {
			return err
		}
	}
	cpio := exec.CommandContext(ctx, "sh", "-c", `cd "$0" && busybox find . | busybox cpio -o -L -H newc >"$1" 2>/dev/null`, root, archive)
	if out, err := cpio.CombinedOutput(); err != nil {
		return fmt.Errorf("pack the guest's root: %w: %s", err, out)
	}
	return nil
}

// link puts a program into the guest's root; cpio follows the link.
func link(path, to string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		return err
	}
	return os.Symlink(path, to)
}
