// Command scenarios runs the reproducer's scenarios one after the other and
// compares each verdict with the expected one.
//
//	go run ./tools/scenarios [-times N] [-families "4 6 mapped"] [NAME...]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	failed, err := runAll(ctx, os.Args[1:], os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "scenarios:", err)
		os.Exit(2)
	}
	if failed > 0 {
		os.Exit(1)
	}
}

const row = "%-22s %-6s  %-34s  %-34s  %6s  %7s  %s\n"

// runAll runs the command and returns how many runs failed.
func runAll(ctx context.Context, args []string, out io.Writer) (int, error) {
	flags := flag.NewFlagSet("scenarios", flag.ContinueOnError)
	r := reproducer{}
	flags.StringVar(&r.path, "reproducer", "bin/reproducer", "the reproducer's binary")
	flags.DurationVar(&r.timeout, "timeout", 3*time.Minute, "for one run")
	times := flags.Int("times", 1, "how often to run each scenario")
	families := flags.String("families", "4", "address families, parted by blanks: 4, 6, mapped")
	if err := flags.Parse(args); err != nil {
		return 0, err
	}
	names := flags.Args()
	if len(names) == 0 {
		var err error
		if names, err = r.list(ctx); err != nil {
			return 0, err
		}
	}

	passed, failed := 0, 0
	_, _ = fmt.Fprintf(out, row, "SCENARIO", "FAMILY", "EXPECTED", "FOUND", "DETECT", "SECONDS", "OK")
	for range *times {
		for _, name := range names {
			for _, family := range strings.Fields(*families) {
				start := time.Now()
				o, err := r.run(ctx, name, family)
				if ctx.Err() != nil {
					return failed, ctx.Err()
				}
				printRow(out, name, family, o, time.Since(start), err)
				if err != nil {
					failed++
					continue
				}
				passed++
			}
		}
	}
	_, _ = fmt.Fprintf(out, "%d passed, %d failed\n", passed, failed)
	if passed+failed == 0 {
		return failed, errors.New("nothing was run")
	}
	return failed, nil
}

// printRow writes the row of one run and, when it failed, the reason below it.
func printRow(out io.Writer, name, family string, o outcome, took time.Duration, err error) {
	ok, detect := "yes", "-"
	if err != nil {
		ok = "NO"
	}
	if o.DetectSeconds != nil {
		detect = fmt.Sprintf("%.2f", *o.DetectSeconds)
	}
	_, _ = fmt.Fprintf(out, row, name, family, words(o.Expected), words(o.Found), detect, fmt.Sprintf("%.1f", took.Seconds()), ok)
	if err != nil {
		_, _ = fmt.Fprintf(out, "    %s\n", strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "\n    "))
	}
}
