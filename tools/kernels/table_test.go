package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var outcomes = []outcome{
	{kernel: kernel{release: "6.1.0-1"}, results: []result{
		{job: "tracer", test: "TestA", verdict: pass},
		{job: "tracer", test: "TestB", verdict: pass},
		{job: "tracer", test: "TestB/x", verdict: skip, said: "=== RUN\n    b_test.go:1: this kernel has no tcp_rto_max_ms\n--- SKIP"},
		{job: "scenario calico", verdict: pass},
	}},
	{kernel: kernel{release: "6.12.2"}, results: []result{
		{job: "tracer", test: "TestB", verdict: fail},
		{job: "tracer", test: "TestA", verdict: missing},
		{job: "tracer", test: "TestB/x", verdict: skip, said: "this kernel has no tcp_rto_max_ms"},
	}},
}

const table = `| test | 6.1.0-1 | 6.12.2 |
|---|---|---|
| tracer TestA | pass | MISSING |
| tracer TestB | pass (1) | FAIL (1) |
| scenario calico | pass | – |

1. tracer TestB/x: this kernel has no tcp_rto_max_ms
`

func TestTable(t *testing.T) {
	if diff := cmp.Diff(table, markdown(outcomes)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	path := filepath.Join(t.TempDir(), "kernels.md")
	before := "# Kernels\n\n" + tableBegins
	after := tableEnds + "\nWords.\n"
	if err := os.WriteFile(path, []byte(before+"old\n"+after), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time over the first
		if err := writeTable(path, outcomes); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before+"\n"+table+"\n"+after, string(got)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestConclude(t *testing.T) {
	good := outcomes[:1]
	for _, c := range []struct {
		name     string
		outcomes []outcome
		status   int
		says     string
	}{
		{"all well", good, 0, "3 passed, 0 failed, 1 skipped\n"},
		{"a failure and a missing result", outcomes, 1, "3 passed, 2 failed, 2 skipped\n"},
		{"a guest that did not finish", []outcome{{kernel: good[0].kernel, results: good[0].results, err: errors.New("boom")}}, 1, "3 passed, 1 failed, 1 skipped\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			if status := conclude(&out, c.outcomes); status != c.status || out.String() != c.says {
				t.Errorf("status %d, %q", status, out.String())
			}
		})
	}
}
