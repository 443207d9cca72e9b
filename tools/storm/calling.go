package main

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// calling is the time of one call of a kernel program that does nothing, in nanoseconds.
type calling struct {
	costs    float64 // the way into the program and the program
	measured float64 // by the kernel's statistics: the program and most of the kernel's clock
}

const (
	idlePrograms = 16
	callSlices   = 15
	callsInSlice = 10_000
)

// measureCalling attaches programs that do nothing to the tracepoint of all system calls. It
// measures how much longer a system call takes, and what the kernel's statistics have.
func measureCalling() (c calling, err error) {
	spec, err := loadComparator()
	if err != nil {
		return c, fmt.Errorf("read the comparator: %w", err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	one, err := attachIdle(spec.Programs["idle_call"], 1)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, one.end()) }()
	less := one.call()
	more, err := attachIdle(spec.Programs["idle_call"], idlePrograms)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, more.end()) }()
	c.costs = (more.call() - less) / idlePrograms
	c.measured, err = more.measured()
	return c, err
}

// tare returns how much the kernel's statistics overstate each run of a program.
func (c calling) tare() float64 { return c.measured - c.costs }

// idle is some attached programs that do nothing.
type idle struct {
	programs []*ebpf.Program
	links    []link.Link
}

func attachIdle(spec *ebpf.ProgramSpec, n int) (*idle, error) {
	all := &idle{}
	for range n {
		p, err := ebpf.NewProgram(spec)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("load an idle program: %w", err), all.end())
		}
		all.programs = append(all.programs, p)
		l, err := link.AttachTracing(link.TracingOptions{Program: p})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("attach an idle program: %w", err), all.end())
		}
		all.links = append(all.links, l)
	}
	return all, nil
}

func (i *idle) end() (err error) {
	for _, l := range i.links {
		err = errors.Join(err, l.Close())
	}
	for _, p := range i.programs {
		err = errors.Join(err, p.Close())
	}
	return err
}

// call returns the nanoseconds of a system call.
func (i *idle) call() float64 {
	var slices []float64
	for range callSlices {
		began := time.Now()
		makeCalls()
		slices = append(slices, float64(time.Since(began).Nanoseconds())/callsInSlice)
	}
	return median(slices)
}

func makeCalls() {
	for range callsInSlice {
		unix.Getppid()
	}
}

// measured returns what the kernel's statistics have for a run.
func (i *idle) measured() (float64, error) {
	statistics, err := ebpf.EnableStats(statsRunTime)
	if err != nil {
		return 0, fmt.Errorf("measure kernel programs: %w", err)
	}
	defer statistics.Close()
	var slices []float64
	before, err := i.runs()
	for range callSlices {
		makeCalls()
		now, more := i.runs()
		err = errors.Join(err, more)
		slices = append(slices, now.since(before).each())
		before = now
	}
	return median(slices), err
}

func (i *idle) runs() (runs, error) {
	var all []program
	for _, p := range i.programs {
		all = append(all, p)
	}
	sum, err := readRuns(map[string][]program{"": all})
	return sum[""], err
}
