// Command scenarios runs the reproducer's scenarios, several at once, and
// compares each verdict with the expected one.
//
//	go run ./tools/scenarios [-times N] [-families "4 6 mapped"] [-parallel N] [NAME...]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tcpstuck/tcpstuck/tools/internal/command"
)

func main() {
	command.Main("scenarios", func(ctx context.Context, args []string, out io.Writer) (int, error) {
		failed, err := runAll(ctx, args, out)
		return min(failed, 1), err
	})
}

const row = "%-24s %-6s  %-59s  %-59s  %6s  %7s  %s\n"

// runAll runs the command and returns how many runs failed.
func runAll(ctx context.Context, args []string, out io.Writer) (int, error) {
	flags := flag.NewFlagSet("scenarios", flag.ContinueOnError)
	r := reproducer{}
	flags.StringVar(&r.path, "reproducer", "bin/reproducer", "the reproducer's binary")
	flags.DurationVar(&r.timeout, "timeout", 3*time.Minute, "for one run")
	times := flags.Int("times", 1, "how often to run each scenario")
	families := flags.String("families", "", "address families, parted by blanks: 4, 6, mapped; empty: each scenario's own")
	// They mostly wait, each in a cluster of its own; with more, two cores
	// begin to show in the times.
	parallel := flags.Int("parallel", 4, "how many to run at once")
	if err := flags.Parse(args); err != nil {
		return 0, err
	}
	all, err := r.list(ctx)
	if err != nil {
		return 0, err
	}
	jobs := plan(all, flags.Args(), strings.Fields(*families), *times)
	if len(jobs) == 0 {
		return 0, errors.New("nothing to run")
	}
	_, _ = fmt.Fprintf(out, row, "SCENARIO", "FAMILY", "EXPECTED", "FOUND", "DETECT", "SECONDS", "OK")
	failed := 0
	for done := range r.runJobs(ctx, jobs, *parallel) {
		if ctx.Err() != nil {
			continue // they clean up
		}
		printRow(out, done)
		if done.err != nil {
			failed++
		}
	}
	if ctx.Err() != nil {
		return failed, ctx.Err()
	}
	_, _ = fmt.Fprintf(out, "%d passed, %d failed\n", len(jobs)-failed, failed)
	return failed, nil
}

// printRow writes the row of one run and, when it failed, the reason below it.
func printRow(out io.Writer, r result) {
	o, ok, detect := r.outcome, "yes", "-"
	if r.err != nil {
		ok = "NO"
	}
	if o.DetectSeconds != nil {
		detect = fmt.Sprintf("%.2f", *o.DetectSeconds)
	}
	_, _ = fmt.Fprintf(out, row, r.name, r.family, words(o.Expected), words(o.Found), detect, fmt.Sprintf("%.1f", r.took.Seconds()), ok)
	if r.err != nil {
		_, _ = fmt.Fprintf(out, "    %s\n", strings.ReplaceAll(strings.TrimSpace(r.err.Error()), "\n", "\n    "))
	}
}
