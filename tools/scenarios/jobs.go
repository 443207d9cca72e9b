package main

import (
	"context"
	"iter"
	"slices"
	"time"
)

// job is one scenario to run in one address family.
type job struct{ name, family string }

// result is how a job went. An error means that it did not end as expected.
type result struct {
	job
	outcome outcome
	took    time.Duration
	err     error
}

// plan returns the jobs in order: of the scenarios that are named, or of all,
// each in the families that are asked for, or in its own.
func plan(all []scenario, names, families []string, times int) []job {
	if len(names) == 0 {
		for _, s := range all {
			names = append(names, s.Name)
		}
	}
	var jobs []job
	for range times {
		for _, name := range names {
			for _, family := range familiesOf(all, name, families) {
				jobs = append(jobs, job{name, family})
			}
		}
	}
	return jobs
}

func familiesOf(all []scenario, name string, asked []string) []string {
	if len(asked) > 0 {
		return asked
	}
	i := slices.IndexFunc(all, func(s scenario) bool { return s.Name == name })
	if i < 0 || len(all[i].Families) == 0 {
		return []string{"4"}
	}
	return all[i].Families
}

// runJobs runs the jobs, so many at once, and yields their results in the
// order of the jobs. It returns when all of them have ended.
func (r reproducer) runJobs(ctx context.Context, jobs []job, parallel int) iter.Seq[result] {
	turn := make(chan struct{}, max(parallel, 1))
	results := make([]chan result, len(jobs))
	for i := range results {
		results[i] = make(chan result, 1)
	}
	go func() {
		for i, j := range jobs {
			turn <- struct{}{}
			go func() {
				defer func() { <-turn }()
				results[i] <- r.runJob(ctx, j)
			}()
		}
	}()
	return func(yield func(result) bool) {
		more := true
		for _, c := range results {
			done := <-c
			more = more && yield(done)
		}
	}
}

func (r reproducer) runJob(ctx context.Context, j job) result {
	if err := ctx.Err(); err != nil {
		return result{job: j, err: err}
	}
	start := time.Now()
	o, err := r.run(ctx, j.name, j.family)
	return result{job: j, outcome: o, took: time.Since(start), err: err}
}
