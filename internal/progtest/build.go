// Package progtest builds the programs of this repository for tests that run
// them, talks to them, and keeps what they print.
package progtest

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Build builds the package at pkg, a path below root, into the file to. It uses the
// flags of `make build`, whose cache it shares, and those of more. root is the top of
// the repository.
//
// It lets go test know that the result of the calling test depends on every source: go
// test notes only what the test itself opens, and would otherwise give the cached result
// of old programs.
func Build(root, pkg, to string, more ...string) error {
	for _, dir := range []string{"cmd", "internal", "pkg", "reproducer"} {
		if err := look(filepath.Join(root, dir)); err != nil {
			return fmt.Errorf("look at the sources: %w", err)
		}
	}
	to, err := filepath.Abs(to)
	if err != nil {
		return err
	}
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-o", to}, more...)
	cmd := exec.Command("go", append(args, "./"+pkg)...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// Small are flags that leave out what debuggers need.
const Small = "-ldflags=-s -w"

// look opens every folder of sources.
func look(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return f.Close()
	})
}
