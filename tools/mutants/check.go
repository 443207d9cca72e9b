package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// result is what became of one mutant. A nil error means that its test
// turned red, as it should.
type result struct {
	mutant  mutant
	seconds float64
	again   bool // it took a second try
	err     error
}

// checker tries mutants, each in a copy of the tree of its own. It may be
// used by many goroutines.
type checker struct {
	tree  string // the top of the git work tree; it is only read
	tests runner
	whole *intact

	mu      sync.Mutex // guards the map; each asks for itself, once
	healthy map[string]func() (bool, error)
}

func newChecker(tree string, tests runner) *checker {
	return &checker{tree: tree, tests: tests, whole: newIntact(tree, tests), healthy: make(map[string]func() (bool, error))}
}

// close removes what the checker made beside each mutant's own copy.
func (c *checker) close() error { return c.whole.remove() }

// checkAll tries all mutants, so many at once, and returns their results in
// the order of the mutants: when ctx ends, of those that were tried.
func (c *checker) checkAll(ctx context.Context, mutants []mutant, atOnce int) []result {
	results := make([]result, len(mutants))
	next := make(chan int)
	var workers sync.WaitGroup
	for range atOnce {
		workers.Go(func() {
			for i := range next {
				if r := c.check(ctx, mutants[i]); ctx.Err() == nil {
					results[i] = r
				}
			}
		})
	}
	for i := range mutants {
		next <- i
	}
	close(next)
	workers.Wait()
	return slices.DeleteFunc(results, func(r result) bool { return r.mutant.name == "" })
}

// check tries one mutant: its test must be green without it, the tree must
// still build with it, and the test must then be red.
func (c *checker) check(ctx context.Context, m mutant) result {
	start := time.Now()
	again, err := c.baseline(ctx, m.pkg, m.test)
	if err == nil {
		var more bool
		more, err = twice(func() error {
			return c.inCopy(ctx, func(root string) error { return c.mustBeRed(ctx, root, m) })
		})
		again = again || more
	}
	return result{mutant: m, seconds: time.Since(start).Seconds(), again: again, err: err}
}

// baseline demands that a test passes on the tree as it is: a test that is
// red, skipped or absent anyway proves nothing. It asks once for each test, and
// reports whether it took a second try.
func (c *checker) baseline(ctx context.Context, pkg, test string) (again bool, err error) {
	c.mu.Lock()
	ask, known := c.healthy[pkg+" "+test]
	if !known {
		ask = sync.OnceValues(func() (bool, error) {
			return twice(func() error { return c.mustBeGreen(ctx, pkg, test) })
		})
		c.healthy[pkg+" "+test] = ask
	}
	c.mu.Unlock()
	return ask()
}

// twice tries f once more where it fails: many tests run side by side, and one
// that waits for real sockets may be late, once in hundreds. What took a
// second try is printed, so that nothing hides behind it.
func twice(f func() error) (again bool, err error) {
	if err = f(); err == nil {
		return false, nil
	}
	return true, f()
}

func (c *checker) mustBeGreen(ctx context.Context, pkg, test string) error {
	colour, out, err := c.whole.run(ctx, pkg, test)
	if err != nil {
		return fmt.Errorf("without the mutant: %w", err)
	}
	switch colour {
	case green:
		return nil
	case skipped:
		return fmt.Errorf("without the mutant: the test is skipped\n%s", out)
	case red:
		return fmt.Errorf("without the mutant: the test is red\n%s", out)
	case absent:
	}
	return errors.New("without the mutant: there is no such test")
}

func (c *checker) mustBeRed(ctx context.Context, root string, m mutant) error {
	if err := mutate(root, m); err != nil {
		return fmt.Errorf("does not apply: %w", err)
	}
	if m.generate != "" {
		if out, err := run(ctx, root, "go", "generate", m.generate); err != nil {
			return fmt.Errorf("does not generate: %w\n%s", err, out)
		}
	}
	colour, _, err := c.tests.run(ctx, root, m.pkg, m.test)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if colour != red {
		return errors.New("survives: the test does not see it")
	}
	return nil
}

// inCopy runs f on a fresh copy of the tree.
func (c *checker) inCopy(ctx context.Context, f func(root string) error) error {
	root, err := os.MkdirTemp("", "tcpstuck-mutant-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(root) }()
	if err := copyTree(ctx, c.tree, root); err != nil {
		return fmt.Errorf("copy the tree: %w", err)
	}
	return f(root)
}

// summary returns the outcome in one line, for the table.
func (r result) summary() string {
	switch {
	case r.err != nil:
		first, _, _ := strings.Cut(r.err.Error(), "\n")
		return first
	case r.again:
		return "red at the second try"
	}
	return "red, as it should be"
}
