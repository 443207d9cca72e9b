package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/accuracy"
)

// measure runs the labelled mix and reports how often the agent was right.
func measure(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("reproducer accuracy", flag.ContinueOnError)
	seed := flags.Uint64("seed", 0, "what decides everything; 0: draw one")
	flows := flags.Int("flows", 2000, "at least so many connections")
	only := flags.String("only", "", "play the round of this flow alone, and tell its story")
	parallel := flags.Int("parallel", 3, "rounds at once")
	report := flags.String("report", "", "write the report to this `file`, too")
	bin := flags.String("bin", "", "directory of the programs (default: where this one is)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	opts, err := options(*bin, "4", out)
	if err != nil {
		return err
	}
	if *seed == 0 {
		*seed = uint64(rand.Uint32())
	}
	plan := accuracy.NewPlan(*seed, *flows, accuracy.Kinds())
	fmt.Fprintf(out, "seed %d: %d flows in %d rounds\n", *seed, plan.Flows(), len(plan.Rounds))
	result, err := accuracy.Run(ctx, accuracy.Options{Bin: opts.Bin, Base: opts.Base, Parallel: *parallel, Out: out, Only: *only}, plan)
	if err != nil {
		return err
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

func writeReport(path string, result accuracy.Result) error {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	defer file.Close()
	return result.Write(file)
}
