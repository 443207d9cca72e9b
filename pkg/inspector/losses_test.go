package inspector_test

import (
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

// died is the end of the client's socket with bytes in it.
func died(r flow.LossReason) flow.End {
	s := hung()
	s.Live, s.Since, s.At = false, time.Time{}, time.Now()
	s.Unsent, s.Unacknowledged = 2048, 6
	return flow.End{
		ID: s.ID, NetNS: s.NetNS, Local: s.Local, Remote: s.Remote, At: s.At, From: flow.Established,
		Loss: r, Unread: 5, Unsent: s.Unsent, Unacknowledged: s.Unacknowledged, Last: s,
	}
}

func (n *node) ends(e flow.End) { n.kernel.records <- tracer.Record{End: &e} }

func TestBytesLostWithoutASuspicionAreAFinding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil)
		n.ends(died(flow.LostClosedUnread))
		e := n.await(flow.EventDataLost)
		f := *e.Flow
		if verdict(e) != "Truncated · ClosedUnread" || f.Outcome != flow.Closed || !f.Ended() || f.Unsent != 2048 || f.Unacknowledged != 6 {
			t.Errorf("%s, %s, %d unsent and %d unacknowledged, ended at %v", verdict(e), f.Outcome, f.Unsent, f.Unacknowledged, f.EndedAt)
		}
		if f.Local.Pod != "client-1" || f.Local.PID != 4711 || f.Peer.Service != "server" || f.Backend.Addr != server {
			t.Errorf("local %+v, peer %+v, backend %+v: the sources were not asked", f.Local, f.Peer, f.Backend)
		}
		if live, ended := n.findings(), n.ended(); len(live) != 0 || len(ended) != 1 {
			t.Errorf("%d live findings and %d ended, want the one that ended", len(live), len(ended))
		}
	})
}

func TestEndsThatAreReportedOtherwiseOrNotAtAll(t *testing.T) {
	for _, c := range []struct {
		name  string
		given func(n *node)
		end   flow.End
		want  []flow.EventType
	}{
		{"nothing lost", nil, died(""), nil},
		{"an MPTCP subflow", nil, func() flow.End { e := died(flow.LostResetByPeer); e.MPTCP = true; return e }(), nil},
		{"a reset that meets a request", nil, func() flow.End {
			e := died(flow.LostResetByPeer)
			e.Unsent, e.Unread = 0, 0
			return e
		}(), nil},
		{"a suspect that closes unread", suspected, died(flow.LostClosedUnread), []flow.EventType{flow.EventDataLost}},
		{"a suspect that times out", suspected, timedOut(), []flow.EventType{flow.EventStuck, flow.EventEnded}},
		{"a stuck flow that is reset", func(n *node) {
			n.replace(without())
			suspected(n)
			n.await(flow.EventStuck)
		}, died(flow.LostResetByPeer), []flow.EventType{flow.EventEnded}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := start(t, nil)
				if c.given != nil {
					c.given(n)
				}
				n.kernel.change(func() { clear(n.kernel.sockets) })
				n.ends(c.end)
				for _, want := range c.want {
					n.await(want)
				}
				n.quiet()
			})
		})
	}
}

func suspected(n *node) { n.kernel.retransmits(hung()) }

func timedOut() flow.End {
	e := died(flow.LostTimedOut)
	e.Err, e.Unread = int(syscall.ETIMEDOUT), 0
	return e
}
