package report_test

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/tcpstuck/tcpstuck/internal/flowtest"
	"github.com/tcpstuck/tcpstuck/internal/golden"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/report"
)

func TestNotes(t *testing.T) {
	loopback := flowtest.Unknown()
	loopback.Peer.Class, loopback.Local.Comm = flow.PeerSelf, ""
	perhaps := flowtest.Ended()
	perhaps.Unsent = 0
	either := flowtest.Accepted()
	either.Role = ""
	var b strings.Builder
	for _, c := range []struct {
		kind flow.EventType
		f    flow.Finding
	}{
		{flow.EventStuck, flowtest.Calico()},
		{flow.EventStuck, flowtest.Egress()},
		{flow.EventRevised, flowtest.Unknown()},
		{flow.EventStuck, flowtest.Never()},
		{flow.EventStuck, flowtest.Accepted()},
		{flow.EventStuck, flowtest.Suppressed(1)[0]},
		{flow.EventStuck, loopback},
		{flow.EventStuck, either},
		{flow.EventRecovered, flowtest.Egress()},
		{flow.EventDataLost, flowtest.Truncated()},
		{flow.EventEnded, flowtest.Ended()},
		{flow.EventEnded, perhaps},
	} {
		b.WriteString(report.Note(c.kind, c.f) + "\n")
	}
	golden.Check(t, "testdata/notes.golden", []byte(b.String()))
	if address := regexp.MustCompile(`\d+\.\d+\.\d+|[0-9a-f]*::`).FindString(b.String()); address != "" {
		t.Errorf("there is an address, %s", address)
	}
}

// TestNotesOfAnUnknownRoleHaveNoPort: each of the two may be the ephemeral
// one.
func TestNotesOfAnUnknownRoleHaveNoPort(t *testing.T) {
	a := flowtest.Accepted()
	a.Role = ""
	b := a
	b.Peer.Addr = netip.AddrPortFrom(a.Peer.Addr.Addr(), a.Peer.Addr.Port()+1)
	b.Local.Addr = netip.AddrPortFrom(a.Local.Addr.Addr(), a.Local.Addr.Port()+1)
	if x, y := report.Note(flow.EventStuck, a), report.Note(flow.EventStuck, b); x != y {
		t.Errorf("%s\n%s", x, y)
	}
}

// TestNotesOfOneOwnerAreEqual: nothing in them tells one connection from the next.
func TestNotesOfOneOwnerAreEqual(t *testing.T) {
	a, b := flowtest.Calico(), flowtest.Ended()
	b.Backend.Pod, b.Backend.Addr = "server-7d9c4b6f5-another", flowtest.Never().Backend.Addr
	b.Local.PID, b.Unacknowledged = 9, 77
	if x, y := report.Note(flow.EventStuck, a), report.Note(flow.EventStuck, b); x != y {
		t.Errorf("%s\n%s", x, y)
	}
}
