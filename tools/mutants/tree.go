package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// copyTree copies the files of the git work tree at src, as they are on disk
// and without what .gitignore leaves out, into dst.
func copyTree(ctx context.Context, src, dst string) error {
	cmd := exec.CommandContext(ctx, "git", "-C", src, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("list the files of %s: %w", src, err)
	}
	for _, name := range bytes.Split(bytes.TrimRight(list, "\x00"), []byte{0}) {
		err := copyFile(filepath.Join(src, string(name)), filepath.Join(dst, string(name)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // deleted, not yet committed
			return err
		}
	}
	return nil
}

func copyFile(src, dst string) error {
	info, err := os.Stat(src)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	content, err := os.ReadFile(src)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
		return err
	}
	return os.WriteFile(dst, content, info.Mode().Perm())
}

// mutate applies m to the tree at root.
func mutate(root string, m mutant) error {
	path := filepath.Join(root, m.file)
	source, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	mutated, err := apply(string(source), m.hunk)
	if err != nil {
		return fmt.Errorf("%s: %w", m.file, err)
	}
	return os.WriteFile(path, []byte(mutated), 0o644)
}
