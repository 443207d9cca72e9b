package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// outcome is how the plan went on one kernel.
type outcome struct {
	kernel  kernel
	took    time.Duration
	err     error // that it could not be played to its end
	results []result
}

// play runs a plan on a kernel.
func play(ctx context.Context, o options, k kernel, p plan) outcome {
	began := time.Now()
	all, err := runGuest(ctx, o, k, p.programs, p.jobs)
	out := outcome{kernel: k, err: err}
	for _, j := range p.jobs {
		out.results = append(out.results, judge(ctx, j, all)...)
	}
	out.took = time.Since(began)
	return out
}

// story says how it went on one kernel: a line, and what failed.
func (o outcome) story() string {
	count := make(map[verdict]int)
	var failures strings.Builder
	for _, r := range o.results {
		count[r.verdict]++
		if r.bad() {
			fmt.Fprintf(&failures, "--- %s on %s: %s\n%s\n", r.name(), o.kernel.release, r.verdict, strings.TrimSpace(r.said))
		}
	}
	if o.err != nil {
		fmt.Fprintf(&failures, "%v\n", o.err)
	}
	return fmt.Sprintf("%s (%s): %d passed, %d failed, %d skipped, %d missing, in %.0f s\n%s", o.kernel.name, o.kernel.release,
		count[pass], count[fail], count[skip], count[missing], o.took.Seconds(), failures.String())
}

// conclude counts over all kernels, says what was left out, and returns the
// exit status.
func conclude(out io.Writer, outcomes []outcome) int {
	passed, failed, skipped := 0, 0, 0
	for _, o := range outcomes {
		if o.err != nil {
			failed++
		}
		for _, r := range o.results {
			switch {
			case r.bad():
				failed++
			case r.verdict == skip:
				skipped++
			default:
				passed++
			}
		}
	}
	_, _ = fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	if failed > 0 {
		return 1
	}
	return 0
}
