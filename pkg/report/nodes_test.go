package report_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/internal/flowtest"
	"github.com/tcpstuck/tcpstuck/internal/golden"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/report"
)

// on returns a node's view of flows.
func on(node string, fs ...flow.Finding) report.View {
	for n := range fs {
		fs[n].Node = node
	}
	v := past(fs...)
	v.Node = node
	return v
}

// nodes is a cluster in which three nodes talk to one dead backend.
func nodes() []report.View {
	quiet := on("node-c")
	quiet.Sources[2].Up = true
	quiet.Suspects, quiet.Counted = 2, map[flow.Suppression]int{flow.SuppressedExternalClient: 7}
	a := on("node-a", flowtest.Findings()...)
	a.Counted = map[flow.Suppression]int{flow.SuppressedExternalClient: 5}
	return []report.View{a, on("node-b", flowtest.Crowd(3, 1)...), quiet}
}

func TestNodes(t *testing.T) {
	now := flowtest.Now()
	var quiet []report.View
	for n := range 14 {
		v := on(fmt.Sprintf("node-%02d", n))
		v.Sources = nil
		quiet = append(quiet, v)
	}
	past := []report.View{on("node-a", endings()...), on("node-b"), on("node-c", flowtest.Ended())}
	past[1].Started = now.Add(-time.Hour)
	var out bytes.Buffer
	for name, err := range map[string]func() error{
		"dump":       func() error { return report.DumpNodes(&out, nodes(), 3, now, 100) },
		"dump-wide":  func() error { return report.DumpNodesWide(&out, nodes(), 3, now, 100) },
		"quiet":      func() error { return report.DumpNodes(&out, quiet, 15, now, 100) },
		"quiet-wide": func() error { return report.DumpNodesWide(&out, quiet, 15, now, 100) },
		"ended":      func() error { return report.EndedNodes(&out, past, now, time.Time{}, 100) },
		"ended-wide": func() error { return report.EndedNodesWide(&out, past, now, time.Time{}, 100) },
	} {
		t.Run(name, func(t *testing.T) {
			out.Reset()
			if err := err(); err != nil {
				t.Fatal(err)
			}
			golden.Check(t, "testdata/nodes-"+name+".golden", out.Bytes())
		})
	}
}
