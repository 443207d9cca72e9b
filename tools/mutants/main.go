// Command mutants proves that the tests notice defects: it applies each
// one-line defect of a table to a copy of the tree and demands that the test
// named beside it turns red.
//
//	go run ./tools/mutants [-run REGEXP] [-some N] [-seed N] [-timeout 60s] [-parallel N] [-exec PROGRAM] mutants/*.txt
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tcpstuck/tcpstuck/tools/internal/command"
)

func main() {
	command.Main("mutants", func(ctx context.Context, args []string, out io.Writer) (int, error) {
		failed, err := try(ctx, args, out)
		return min(failed, 1), err
	})
}

// try runs the command and returns how many mutants failed.
func try(ctx context.Context, args []string, out io.Writer) (int, error) {
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	tree := flags.String("tree", ".", "top of the git work tree")
	only := flags.String("run", "", "try only the mutants whose name matches this regular expression")
	timeout := flags.Duration("timeout", time.Minute, "for one run of one test")
	some := flags.Int("some", 0, "try only so many, chosen by the seed; 0: all")
	seed := flags.Uint64("seed", 0, "chooses them; 0: a new one")
	atOnce := flags.Int("parallel", 3*runtime.NumCPU(), "how many to try at once, at least 1; many of them wait")
	exec := flags.String("exec", "", "a program, and arguments parted by blanks, that runs the test binaries, as for go test")
	if err := flags.Parse(args); err != nil {
		return 0, err
	}
	if *atOnce < 1 {
		return 0, fmt.Errorf("-parallel %d: at least 1", *atOnce)
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return 0, err
	}
	mutants, err := load(flags.Args(), wanted)
	if err != nil {
		return 0, err
	}

	if *some > 0 && *some < len(mutants) {
		if *seed == 0 {
			*seed = uint64(rand.Uint32()) + 1
		}
		_, _ = fmt.Fprintf(out, "%d of %d mutants, -seed %d\n", *some, len(mutants), *seed)
		mutants = choose(mutants, *some, *seed)
	}
	c := newChecker(*tree, runner{exec: strings.Fields(*exec), timeout: *timeout})
	results := c.checkAll(ctx, mutants, *atOnce)
	failed, err := report(out, results)
	err = errors.Join(err, c.close())
	if ctx.Err() != nil { // all of them take hours: what was tried is not lost
		return failed, fmt.Errorf("%d of %d were tried: %w", len(results), len(mutants), ctx.Err())
	}
	return failed, err
}

// choose returns n mutants, in their order. The same seed chooses the same.
func choose(mutants []mutant, n int, seed uint64) []mutant {
	chosen := rand.New(rand.NewPCG(seed, 0)).Perm(len(mutants))[:n]
	slices.Sort(chosen)
	var some []mutant
	for _, i := range chosen {
		some = append(some, mutants[i])
	}
	return some
}

// load reads the tables and refuses a name that is there twice.
func load(paths []string, wanted *regexp.Regexp) ([]mutant, error) {
	var all []mutant
	seen := make(map[string]bool)
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		mutants, err := parse(f, path)
		_ = f.Close()
		if err != nil {
			return nil, err
		}
		for _, m := range mutants {
			if seen[m.name] {
				return nil, fmt.Errorf("%s: a second mutant is named %s", path, m.name)
			}
			seen[m.name] = true
			if wanted.MatchString(m.name) {
				all = append(all, m)
			}
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no mutant in %v", paths)
	}
	return all, nil
}

// report prints the table, below it what failed or took a second try, and
// returns how many failed: of a long table people see the end.
func report(out io.Writer, results []result) (int, error) {
	failed := 0
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "MUTANT\tFILE\tTEST\tSECONDS\tRESULT")
	for _, r := range results {
		if r.err != nil {
			failed++
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%.1f\t%s\n", r.mutant.name, r.mutant.file, r.mutant.test, r.seconds, r.summary())
	}
	if err := w.Flush(); err != nil {
		return failed, err
	}
	for _, r := range results {
		switch {
		case r.err != nil:
			_, _ = fmt.Fprintf(out, "\n%s: %v\n", r.mutant.name, r.err)
		case r.again:
			_, _ = fmt.Fprintf(out, "\n%s: %s of %s\n", r.mutant.name, r.summary(), r.mutant.test)
		}
	}
	_, err := fmt.Fprintf(out, "%d passed, %d failed\n", len(results)-failed, failed)
	return failed, err
}
