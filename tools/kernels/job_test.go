package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestScriptAndSplit runs the guest's script in this machine's shell.
func TestScriptAndSplit(t *testing.T) {
	jobs := []job{
		{name: "one", args: []string{"printf", `it's %s\n@@ almost\n`, "$HOME"}},
		{name: "scenario two", args: []string{"sh", "-c", "echo no newline at the end | tr -d '\\n'; exit 3"}},
		{name: "silent", args: []string{"true"}},
	}
	out, err := exec.Command("sh", "-c", script(jobs)).Output()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]said{
		"one":          {text: "it's $HOME\n@@ almost\n"},
		"scenario two": {text: "no newline at the end", status: 3},
		"silent":       {},
	}
	got, finished := split(string(out))
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(said{})); diff != "" || !finished {
		t.Errorf("finished: %t, -want +got\n%s", finished, diff)
	}
	// A guest that died on its way.
	cut, _, _ := strings.Cut(string(out), began+"silent")
	got, finished = split(cut)
	if finished || len(got) != 2 {
		t.Errorf("of a guest that died: %v, finished: %t", got, finished)
	}
}
