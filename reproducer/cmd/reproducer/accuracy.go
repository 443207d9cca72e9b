package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/accuracy"
)

// measure runs the labelled mix, once for each seed, and reports how often the
// agent was right.
func measure(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("reproducer accuracy", flag.ContinueOnError)
	seed := flags.String("seed", "0", "what decides everything, or several of them; 0: draw one")
	flows := flags.Int("flows", 2000, "at least so many connections with each seed")
	only := flags.String("only", "", "play the round of this flow alone, and tell its story")
	parallel := flags.Int("parallel", 3, "rounds at once")
	report := flags.String("report", "", "replace what this `file` has below its mark by the report")
	keep := flags.String("keep", "", "`folder` for everything that each round was judged by, a file each")
	bin := flags.String("bin", "", "directory of the programs (default: where this one is)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	seeds, err := parseSeeds(*seed)
	if err != nil {
		return err
	}
	opts, err := options(*bin, "4", out)
	if err != nil {
		return err
	}
	var result accuracy.Result
	for _, s := range seeds {
		plan := accuracy.NewPlan(s, *flows, accuracy.Kinds())
		fmt.Fprintf(out, "seed %d: %d flows in %d rounds\n", s, plan.Flows(), len(plan.Rounds))
		one, err := accuracy.Run(ctx, accuracy.Options{Bin: opts.Bin, Base: opts.Base, Parallel: *parallel, Out: out, Only: *only, Keep: *keep}, plan)
		if err != nil {
			return fmt.Errorf("seed %d: %w", s, err)
		}
		result.Add(one)
	}
	fmt.Fprintln(out)
	if err := result.Write(out); err != nil {
		return err
	}
	if *report != "" {
		if err := writeReport(*report, result); err != nil {
			return err
		}
	}
	if !result.OK() {
		return errUnexpected
	}
	return nil
}

// parseSeeds reads seeds that blanks part; 0 stands for one that is drawn.
func parseSeeds(list string) ([]uint64, error) {
	var seeds []uint64
	for _, word := range strings.Fields(list) {
		s, err := strconv.ParseUint(word, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("seed %q is no number", word)
		}
		if s == 0 {
			s = uint64(rand.Uint32())
		}
		seeds = append(seeds, s)
	}
	if len(seeds) == 0 {
		return nil, errors.New("no seed")
	}
	return seeds, nil
}

// reportMark ends what people wrote in a report's file.
const reportMark = "<!-- what follows is written by `make accuracy REPORT=` -->\n"

// writeReport replaces what a file has below its mark; a file without one has
// the report alone.
func writeReport(path string, result accuracy.Result) error {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("write report: %w", err)
	}
	var b bytes.Buffer
	if written, _, found := strings.Cut(string(old), reportMark); found {
		b.WriteString(written + reportMark + "\n")
	}
	if err := result.Write(&b); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}
