package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// size is how large a run is.
type size struct {
	sockets   int // that stick; half of them connected, half accepted
	processes int // that hold each half: a process may have 20,000 descriptors
	backends  int // that they lead to
	patience  time.Duration
	memory    float64 // MB that the agent may take at most
	asks      int     // how often each question is asked in the storm

	// The rest is measured only with the first size.
	entries  int           // of the conntrack table
	singles  int           // flows that stick one by one during the storm, of each kind
	pairs    int           // of windows in which CPU is compared
	window   time.Duration // of each; the agent makes a file scan in most of them
	idle     time.Duration
	bpftrace bool
	traffic  traffic
}

// full is the storm in which everything is measured.
var full = size{
	sockets: 15_000, processes: 1, backends: 15, patience: 40 * time.Second, memory: 70, asks: 9,
	entries: 200_000, singles: 120, pairs: 5, window: 20 * time.Second, idle: time.Minute, bpftrace: true,
	traffic: traffic{window: 40 * time.Millisecond, least: 8, longest: 140 * time.Second, weighed: 3 * time.Second},
}

// large is the storm that has to fit.
var large = size{
	sockets: 100_000, processes: 5, backends: 20, patience: 3 * time.Minute, memory: 250, asks: 3,
}

// onlyFits reports whether a run of this size asks only whether it fits.
func (s size) onlyFits() bool { return s.singles == 0 }

// name names a figure of a run. If everything is measured, the name has no size.
func (s size) name(what string) string {
	if !s.onlyFits() {
		return what
	}
	return fmt.Sprintf("%s, %d sockets", what, s.sockets)
}

// parseSizes reads sizes as numbers of sockets, separated by commas.
func parseSizes(text string) ([]size, error) {
	var sizes []size
next:
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		for _, s := range []size{full, large} {
			if word == strconv.Itoa(s.sockets) {
				sizes = append(sizes, s)
				continue next
			}
		}
		return nil, fmt.Errorf("size %q is neither %d nor %d", word, full.sockets, large.sockets)
	}
	if len(sizes) == 0 {
		return nil, fmt.Errorf("no size: want %d, %d or both", full.sockets, large.sockets)
	}
	return sizes, nil
}
