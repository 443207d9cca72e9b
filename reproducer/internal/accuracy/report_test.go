package accuracy

import (
	"bytes"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/internal/golden"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// TestReport: what people read of a run that found something, and of one that
// did not.
func TestReport(t *testing.T) {
	dead := &Truth{Died: after(12), Lag: 2 * time.Millisecond, Errno: "ETIMEDOUT", Steady: true, Unsent: 7, Unacknowledged: 5, Missing: 9}
	named := func(l Label, name, kind, family string, role flow.Role) Label {
		l.Flow, l.Kind, l.Family, l.Role = name, kind, family, role
		return l
	}
	stale := label(flow.Retransmitting, flow.StaleConntrack, ends(flow.TimedOut))
	right := []flow.Event{
		said(flow.EventStuck, 0.5, flow.Retransmitting, flow.StaleConntrack),
		said(flow.EventEnded, 12, flow.Retransmitting, flow.StaleConntrack, died(flow.TimedOut, "ETIMEDOUT", 7, 5)),
	}
	judge := func(c Case) Score {
		if c.Up, c.Over = up, after(30); c.Truth == nil {
			c.Truth = &Truth{Alive: true, Missing: -1}
		}
		s := Judge(c)
		s.Seed = 42
		return s
	}
	good := Result{Seeds: []uint64{42}, Scores: []Score{
		judge(Case{Label: named(stale, "1/calico-1/1.1", "calico", "4", flow.Client), Truth: dead, Events: right}),
		judge(Case{Label: named(Label{}, "1/healthy-2/1.1", "healthy", "mapped", flow.Server)}),
		judge(Case{Label: named(label(flow.Retransmitting, flow.StaleConntrack, withheld(0, 30)), "2/calico-1/1.1", "calico", "6", flow.Client), Events: []flow.Event{
			said(flow.EventStuck, 3.2, flow.Retransmitting, flow.Unknown),
		}}),
		judge(Case{Label: named(label(flow.Retransmitting, flow.PeerUnreachable), "2/node-down-2/1.1", "node-down", "6", flow.Client), Events: []flow.Event{
			said(flow.EventStuck, 3.2, flow.Retransmitting, flow.PeerSilent), said(flow.EventRevised, 4, flow.Retransmitting, flow.PeerUnreachable),
			said(flow.EventRevised, 5, flow.Retransmitting, flow.PathDrop), said(flow.EventRevised, 6, flow.Retransmitting, flow.PeerUnreachable),
		}}),
	}}
	bad := Result{Seeds: []uint64{42}, Scores: []Score{
		judge(Case{Label: named(stale, "1/calico-1/1.2", "calico", "4", flow.Client), Truth: dead}),
		judge(Case{Label: named(Label{}, "1/healthy-2/1.2", "healthy", "4", flow.Client), Events: right[:1]}),
	}}
	bad.Add(good)
	bad.Strangers = []string{stranger(42, 3, "10.0.0.1:1 to 10.0.0.2:2, which nobody labelled: Connecting · Unknown: …")}
	for path, r := range map[string]Result{"testdata/good.golden": good, "testdata/bad.golden": bad} {
		var out bytes.Buffer
		if err := r.Write(&out); err != nil {
			t.Fatal(err)
		}
		golden.Check(t, path, out.Bytes())
	}
}
