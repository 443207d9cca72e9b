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

// order is the command line of a measurement.
type order struct {
	plans  []accuracy.Plan
	run    accuracy.Options
	report string
	judge  string
}

// mostFlows is far more than a person waits for, and few enough that every round
// can be played by its number.
const mostFlows = 100_000

// measure runs the labelled mix, once for each seed, and reports how often the
// agent was right.
func measure(ctx context.Context, args []string, out io.Writer) error {
	o, err := readOrder(args)
	if err != nil {
		return err
	}
	var result accuracy.Result
	if o.judge != "" {
		result, err = accuracy.JudgeAgain(o.judge)
	} else {
		result, err = play(ctx, o, out)
	}
	if err != nil {
		return err
	}
	if err := result.Write(out); err != nil {
		return err
	}
	if o.report != "" {
		if err := writeReport(o.report, result); err != nil {
			return err
		}
	}
	return verdict(o.run.Only, result)
}

// play runs each plan.
func play(ctx context.Context, o order, out io.Writer) (result accuracy.Result, err error) {
	opts, err := options(o.run.Bin, "4", out)
	if err != nil {
		return result, err
	}
	o.run.Bin, o.run.Base, o.run.Out = opts.Bin, opts.Base, out
	for _, plan := range o.plans {
		fmt.Fprintf(out, "seed %d: %d flows in %d rounds\n", plan.Seed, plan.Flows(), len(plan.Rounds))
		one, err := accuracy.Run(ctx, o.run, plan)
		if err != nil {
			return result, fmt.Errorf("seed %d: %w", plan.Seed, err)
		}
		result.Add(one)
	}
	fmt.Fprintln(out)
	return result, nil
}

// verdict fails a run whose agent was wrong, and one without the flow that was asked
// for.
func verdict(only string, result accuracy.Result) error {
	if !result.Has(only) {
		return fmt.Errorf("-only %s: its round was played, and has no flow of that name", only)
	}
	if !result.OK() {
		return errUnexpected
	}
	return nil
}

// readOrder reads the command line and refuses mistakes that would show only minutes
// later, or never.
func readOrder(args []string) (o order, err error) {
	flags := flag.NewFlagSet("reproducer accuracy", flag.ContinueOnError)
	seed := flags.String("seed", "0", "what decides everything, or several of them; 0: draw one")
	flows := flags.Int("flows", 2000, "at least so many connections with each seed")
	flags.StringVar(&o.run.Only, "only", "", "play the round of this `flow` (3/calico-7/1.5), act (3/calico-7) or round (3) alone, and tell the flow's story; "+
		"it needs the seed that it was seen with, and no -flows: the two make a round what it is")
	flags.IntVar(&o.run.Parallel, "parallel", 4, "rounds at once")
	flags.StringVar(&o.report, "report", "", "replace what this `file` has below its mark by the report")
	flags.StringVar(&o.run.Keep, "keep", "", "`folder` for everything that each round was judged by, a file each")
	flags.StringVar(&o.judge, "judge", "", "play nothing: judge again what -keep has put into this `folder`; it goes with -report alone")
	flags.StringVar(&o.run.Bin, "bin", "", "directory of the programs (default: where this one is)")
	if err := parseFlags(flags, args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("%q is no flag", flags.Arg(0))
	}
	if o.judge != "" {
		return o, judgesAlone(flags)
	}
	if *flows < 1 || *flows > mostFlows {
		return o, fmt.Errorf("-flows %d: from 1 to %d", *flows, mostFlows)
	}
	if o.run.Parallel < 1 {
		return o, fmt.Errorf("-parallel %d: at least 1", o.run.Parallel)
	}
	seeds, err := parseSeeds(*seed)
	if err != nil {
		return o, err
	}
	if o.plans, err = plansOf(seeds, *flows, o.run.Only); err != nil {
		return o, err
	}
	if err := checkReport(o.report); err != nil {
		return o, err
	}
	return o, checkFolder(o.run.Keep)
}

// judgesAlone refuses flags about playing if nothing is played.
func judgesAlone(flags *flag.FlagSet) (err error) {
	flags.Visit(func(f *flag.Flag) {
		if f.Name != "judge" && f.Name != "report" {
			err = fmt.Errorf("-judge plays nothing: -%s does not go with it", f.Name)
		}
	})
	if err != nil {
		return err
	}
	return checkReport(flags.Lookup("report").Value.String())
}

// parseSeeds reads seeds that are separated by blanks.
func parseSeeds(list string) ([]uint64, error) {
	var seeds []uint64
	for _, word := range strings.Fields(list) {
		s, err := strconv.ParseUint(word, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("seed %q is no number", word)
		}
		seeds = append(seeds, s)
	}
	if len(seeds) == 0 {
		return nil, errors.New("no seed")
	}
	return seeds, nil
}

// plansOf makes a plan for each seed (0: a seed that is drawn), or the plan of a single
// round.
func plansOf(seeds []uint64, flows int, only string) ([]accuracy.Plan, error) {
	if only != "" {
		if len(seeds) != 1 || seeds[0] == 0 {
			return nil, fmt.Errorf("-only %s needs the seed that it was seen with", only)
		}
		plan, err := accuracy.Alone(seeds[0], only, accuracy.Kinds())
		if err != nil {
			return nil, fmt.Errorf("-only %s: %w", only, err)
		}
		return []accuracy.Plan{plan}, nil
	}
	var plans []accuracy.Plan
	for _, s := range seeds {
		if s == 0 {
			s = uint64(rand.Uint32())
		}
		plans = append(plans, accuracy.NewPlan(s, flows, accuracy.Kinds()))
	}
	return plans, nil
}

// checkReport notices a report that could not be written. It changes no file, and makes
// none.
func checkReport(path string) error {
	if path == "" {
		return nil
	}
	_, err := os.Lstat(path) // a link counts as present, wherever it leads
	isNew := errors.Is(err, os.ErrNotExist)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("-report: %w", err)
	}
	_ = f.Close() // nothing was written
	if isNew {
		_ = os.Remove(path)
	}
	return nil
}

// checkFolder notices a folder in which no book could be written.
func checkFolder(path string) error {
	if path == "" {
		return nil
	}
	f, err := os.CreateTemp(path, "try-*")
	if err != nil {
		return fmt.Errorf("-keep: %w", err)
	}
	_ = f.Close() // nothing was written
	_ = os.Remove(f.Name())
	return nil
}

// reportMark ends the part of a report's file that people wrote.
const reportMark = "<!-- what follows is written by `make accuracy REPORT=` -->\n"

// writeReport replaces what a file has below its mark. Without a mark the file gets only
// the report.
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
