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
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// colour is how a test ended.
type colour int

const (
	absent colour = iota // no such test ran
	skipped
	green
	red
)

// runner runs tests.
type runner struct {
	exec    []string // what runs the test binaries; nil: they run themselves
	timeout time.Duration
}

// run builds the test binary of pkg in the tree at root and runs one test of
// it. The error is about everything but the test's own verdict: above all
// that the tree does not build.
func (r runner) run(ctx context.Context, root, pkg, test string) (colour, string, error) {
	dir, err := os.MkdirTemp("", "tcpstuck-mutant-test-")
	if err != nil {
		return absent, "", err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary, err := r.build(ctx, root, pkg, filepath.Join(dir, "mutant.test"))
	if err != nil || binary == "" {
		return absent, "", err
	}
	return r.play(ctx, filepath.Join(root, pkg), binary, test)
}

// build builds the test binary of pkg. Without tests there is none: the name is empty.
func (r runner) build(ctx context.Context, root, pkg, binary string) (string, error) {
	// -trimpath keeps the tree's own path out of the build cache's keys.
	if out, err := run(ctx, root, "go", "test", "-c", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", binary, pkg); err != nil {
		return "", fmt.Errorf("does not build: %w\n%s", err, out)
	}
	if _, err := os.Stat(binary); errors.Is(err, fs.ErrNotExist) {
		return "", nil // go test -c writes nothing for a package without tests
	}
	return binary, nil
}

// play runs one test of a test binary, in the directory of its package.
func (r runner) play(ctx context.Context, dir, binary, test string) (colour, string, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout+10*time.Second)
	defer cancel()
	command := append(slices.Clone(r.exec), binary, "-test.v", "-test.run="+exactly(test), "-test.timeout="+r.timeout.String())
	out, err := run(ctx, dir, command[0], command[1:]...)
	if err != nil && len(r.exec) > 0 && !said(out, test, "FAIL") {
		return absent, out, fmt.Errorf("%s failed, not the test: %w\n%s", r.exec[0], err, out)
	}
	return verdict(out, test, err != nil), out, nil
}

// exactly returns the pattern that runs test and no other.
func exactly(test string) string {
	parts := strings.Split(test, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	return strings.Join(parts, "/")
}

// verdict reads the verbose output of a test binary. A failing binary is red
// also without the test's own line: a panic or a time-out prints none.
func verdict(out, test string, failed bool) colour {
	switch {
	case failed:
		return red
	case said(out, test, "SKIP"):
		return skipped
	case said(out, test, "PASS"):
		return green
	}
	return absent
}

// said reports whether a test ended in a line with that word.
func said(out, test, word string) bool {
	return regexp.MustCompile(`(?m)^\s*--- ` + word + `: ` + regexp.QuoteMeta(test) + ` \(`).MatchString(out)
}

// run runs a command in a process group of its own, which ends with ctx, and
// returns what it printed.
func run(ctx context.Context, dir string, name string, args ...string) (string, error) {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	return out.String(), err
}
