package main

import (
	"errors"
	"time"
)

// runs is how often a kernel program ran while the kernel measured it, and how
// long in all.
type runs struct {
	count uint64
	time  time.Duration
}

// each returns the nanoseconds of one run.
func (r runs) each() float64 {
	if r.count == 0 {
		return 0
	}
	return float64(r.time.Nanoseconds()) / float64(r.count)
}

func (r runs) plus(more runs) runs { return runs{r.count + more.count, r.time + more.time} }

func (r runs) since(before runs) runs {
	return runs{r.count - before.count, r.time - before.time}
}

// course is the runs of programs, by name, in one slice of time after another. The
// kernel's clock goes on while the host runs somebody else, so a single run may seem
// to take milliseconds. That spoils one slice, and no median of slices.
type course []map[string]runs

const (
	// sliceTime is so short that most slices of healthy retransmissions have no timeout. The
	// first timeout of a connection sends a record. It costs as much as a hundred of them.
	sliceTime = 50 * time.Millisecond

	// enoughRuns is how many runs of a program a slice must have to say what one costs.
	enoughRuns = 50
)

// follow reads the runs of programs once in each slice while do runs.
func follow(do func() error, read func() (map[string]runs, error)) (course, error) {
	before, err := read()
	if err != nil {
		return nil, err
	}
	slice := time.NewTicker(sliceTime)
	defer slice.Stop()
	ended := make(chan error, 1)
	go func() { ended <- do() }()
	var c course
	for over := false; !over; {
		select {
		case err := <-ended:
			if err != nil {
				return nil, err
			}
			over = true
		case <-slice.C:
		}
		now, err := read()
		if err != nil {
			if !over {
				err = errors.Join(err, <-ended)
			}
			return nil, err
		}
		c = append(c, difference(now, before))
		before = now
	}
	return c, nil
}

func difference(now, before map[string]runs) map[string]runs {
	d := map[string]runs{}
	for name, r := range now {
		d[name] = r.since(before[name])
	}
	return d
}

// total returns all runs of a program.
func (c course) total(name string) (sum runs) {
	for _, slice := range c {
		sum = sum.plus(slice[name])
	}
	return sum
}

// each returns, for each of these programs, the nanoseconds of one run in slice
// after slice. They are the same slices for all of them: those in which each ran
// often enough. Without such a slice the whole course is one.
func (c course) each(names ...string) [][]float64 {
	costs := make([][]float64, len(names))
	for _, slice := range c {
		if !enough(slice, names) {
			continue
		}
		for i, name := range names {
			costs[i] = append(costs[i], slice[name].each())
		}
	}
	if len(costs[0]) > 0 {
		return costs
	}
	for i, name := range names {
		costs[i] = []float64{c.total(name).each()}
	}
	return costs
}

func enough(slice map[string]runs, names []string) bool {
	for _, name := range names {
		if slice[name].count < enoughRuns {
			return false
		}
	}
	return true
}

// minus subtracts the costs of a program from those of another, slice by slice.
func minus(costs, of []float64) []float64 {
	var more []float64
	for n := range costs {
		more = append(more, costs[n]-of[n])
	}
	return more
}
