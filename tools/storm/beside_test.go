package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestARunNamesTheProgramsThatItNeeds(t *testing.T) {
	if diff := cmp.Diff([]string{"ss", "bpftrace"}, besides([]size{large, full})); diff != "" {
		t.Errorf("both sizes, -want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ss"}, besides([]size{large})); diff != "" {
		t.Errorf("%d sockets, -want +got:\n%s", large.sockets, diff)
	}
}

func TestAMachineWithoutThemIsRefused(t *testing.T) {
	if err := have("sh"); err != nil {
		t.Error(err)
	}
	const want = "this machine has no unheard-of and no unseen: make storm installs what it lacks"
	if err := have("sh", "unheard-of", "unseen"); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
