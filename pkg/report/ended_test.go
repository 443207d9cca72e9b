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

// endings is one of each kind.
func endings() []flow.Finding {
	recovered, unseen := flowtest.Egress(), flowtest.Accepted()
	recovered.Outcome, recovered.EndedAt = flow.Recovered, flowtest.Now().Add(-time.Minute)
	unseen.EndedAt = flowtest.Now().Add(-5 * time.Minute)
	return []flow.Finding{flowtest.Truncated(), recovered, flowtest.Ended(), unseen}
}

func past(fs ...flow.Finding) report.View {
	v := view(fs...)
	v.Started = flowtest.Now().Add(-26 * time.Hour)
	return v
}

func TestEnded(t *testing.T) {
	now := flowtest.Now()
	var many []flow.Finding
	for range 60 {
		many = append(many, flowtest.Ended())
	}
	fresh := view()
	for _, c := range []struct {
		name  string
		view  report.View
		since time.Time
		write func(*bytes.Buffer, report.View, time.Time) error
	}{
		{"all", past(endings()...), time.Time{}, endedTable},
		{"since", past(endings()...), now.Add(-time.Hour), endedTable},
		{"none", past(), now.Add(-time.Hour), endedTable},
		{"none-known", fresh, time.Time{}, endedTable},
		{"many", past(many...), time.Time{}, endedTable},
		{"wide", past(endings()...), time.Time{}, endedWide},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			if err := c.write(&out, c.view, c.since); err != nil {
				t.Fatal(err)
			}
			golden.Check(t, fmt.Sprintf("testdata/ended-%s.golden", c.name), out.Bytes())
		})
	}
}

func endedTable(b *bytes.Buffer, v report.View, since time.Time) error {
	return report.Ended(b, v, since, 100)
}

func endedWide(b *bytes.Buffer, v report.View, since time.Time) error {
	return report.EndedWide(b, v, since, 100)
}
