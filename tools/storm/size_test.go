package main

import (
	"strings"
	"testing"
)

func TestSizesAreChosenByTheirSockets(t *testing.T) {
	for text, want := range map[string][]int{
		"15000": {15_000}, "100000": {100_000}, "15000,100000": {15_000, 100_000}, "100000 15000": {100_000, 15_000},
	} {
		sizes, err := parseSizes(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		var got []int
		for _, s := range sizes {
			got = append(got, s.sockets)
		}
		if len(got) != len(want) || got[0] != want[0] || got[len(got)-1] != want[len(want)-1] {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	}
	for text, says := range map[string]string{"": "no size", " ,": "no size", "1000": "neither 15000 nor 100000", "15000,many": `"many"`} {
		if _, err := parseSizes(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want an error that says %q", text, err, says)
		}
	}
}

// A process may have 20,000 descriptors, and a backend is one process's.
func TestSizesAreSpreadOverProcesses(t *testing.T) {
	for _, s := range []size{full, large} {
		if s.sockets%(2*s.backends) != 0 || s.backends%s.processes != 0 {
			t.Errorf("%d sockets of %d backends in %d processes: some are left over", s.sockets, s.backends, s.processes)
		}
		if each := s.sockets / 2 / s.processes; each > 15_000 {
			t.Errorf("%d sockets in one process", each)
		}
		w := world{size: s}
		listens := map[string]bool{}
		for n := range s.processes {
			for _, l := range w.listens(n) {
				if listens[l] {
					t.Errorf("%q twice", l)
				}
				listens[l] = true
			}
		}
		if s.processes > 1 && len(listens) != s.backends {
			t.Errorf("%d backends are listened for, want %d", len(listens), s.backends)
		}
	}
}
