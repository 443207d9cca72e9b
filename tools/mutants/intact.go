package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// intact is a copy of the tree without a mutant, with the test binaries of its packages. The
// copy and each binary are made when they are first needed. Goroutines may share it.
type intact struct {
	tree  string
	tests runner

	mu       sync.Mutex // guards the fields below, and is free while a copy or a binary is made
	copied   func() (string, error)
	binaries map[string]func() (string, error)
}

func newIntact(tree string, tests runner) *intact {
	return &intact{tree: tree, tests: tests, binaries: make(map[string]func() (string, error))}
}

// run runs one test of the tree as it is.
func (i *intact) run(ctx context.Context, pkg, test string) (colour, string, error) {
	root, err := i.root(ctx)
	if err != nil {
		return absent, "", err
	}
	binary, err := i.binary(ctx, root, pkg)
	if err != nil || binary == "" {
		return absent, "", err
	}
	return i.tests.play(ctx, filepath.Join(root, pkg), binary, test)
}

func (i *intact) root(ctx context.Context) (string, error) {
	i.mu.Lock()
	if i.copied == nil {
		i.copied = sync.OnceValues(func() (string, error) {
			root, err := os.MkdirTemp("", "tcpstuck-intact-")
			if err != nil {
				return "", err
			}
			if err := copyTree(ctx, i.tree, root); err != nil {
				return root, fmt.Errorf("copy the tree: %w", err)
			}
			return root, nil
		})
	}
	copied := i.copied
	i.mu.Unlock()
	return copied()
}

func (i *intact) binary(ctx context.Context, root, pkg string) (string, error) {
	i.mu.Lock()
	build, known := i.binaries[pkg]
	if !known {
		name := strings.ReplaceAll(filepath.Clean(pkg), "/", "-") + ".test"
		build = sync.OnceValues(func() (string, error) {
			return i.tests.build(ctx, root, pkg, filepath.Join(root, ".tests", name))
		})
		i.binaries[pkg] = build
	}
	i.mu.Unlock()
	return build()
}

// remove removes the copy and the binaries. No test may run then.
func (i *intact) remove() error {
	if i.copied == nil {
		return nil
	}
	root, _ := i.copied()
	return os.RemoveAll(root)
}
