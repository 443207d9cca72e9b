package main

import (
	"errors"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"
)

// counted is a program that ran so often.
type counted ebpf.ProgramStats

func (c counted) Stats() (*ebpf.ProgramStats, error) { s := ebpf.ProgramStats(c); return &s, nil }
func (c counted) Close() error                       { return nil }

type unreadable struct{ counted }

func (unreadable) Stats() (*ebpf.ProgramStats, error) { return nil, errors.New("no such program") }

// TestRunsOfOneName: the witness loads a copy of the comparator's program and does
// not attach it.
func TestRunsOfOneName(t *testing.T) {
	attached, copied := counted{RunCount: 4, Runtime: 400}, counted{}
	want := map[string]runs{"record_each": {4, 400}, "empty": {5, 500}}
	for _, all := range []map[string][]program{
		{"record_each": {attached, copied}, "empty": {counted{RunCount: 5, Runtime: 500}}},
		{"record_each": {copied, attached}, "empty": {copied, counted{RunCount: 5, Runtime: 500}}},
	} {
		got, err := readRuns(all)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(runs{})); diff != "" {
			t.Errorf("runs (-want +got):\n%s", diff)
		}
	}
	if each := want["empty"].each(); each != 100 || want["empty"].time != 500*time.Nanosecond {
		t.Errorf("a run takes %g ns, want 100", each)
	}
}

func TestRunsThatCannotBeRead(t *testing.T) {
	if got, err := readRuns(map[string][]program{"empty": {counted{}, unreadable{}}}); err == nil {
		t.Errorf("runs %v, want an error", got)
	}
}
