package inspector_test

import (
	"net/netip"
	"testing"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

func TestRoleAndMutedFlows(t *testing.T) {
	outside := netip.MustParseAddrPort("203.0.113.9:50123")
	mine := netip.AddrPortFrom(local.Addr(), 8443)
	n := start(t, func(n *node) {
		n.kernel.listeners = []flow.Listener{{NetNS: 7, Local: netip.MustParseAddrPort("[::]:8443")}}
	})
	s := hung()
	s.Local, s.Remote = mine, outside
	n.kernel.retransmits(s)
	n.quiet()
	all := n.findings()
	if len(all) != 1 || all[0].Role != flow.Server || all[0].Peer.Class != flow.PeerExternal || all[0].Mute != flow.MuteExternalClient {
		t.Errorf("findings %+v, want one muted server flow", all)
	}
}

func TestRole(t *testing.T) {
	mine := netip.AddrPortFrom(local.Addr(), 8443)
	for _, c := range []struct {
		name     string
		listener string
		netns    uint32
		accepted bool
		want     flow.Role
	}{
		{"a listener on every address", "[::]:8443", 7, false, flow.Server},
		{"a listener on this address", "192.168.75.2:8443", 7, false, flow.Server},
		{"a listener on another address", "192.168.75.3:8443", 7, false, flow.Client},
		{"a listener on another port", "[::]:8444", 7, false, flow.Client},
		{"a listener in another namespace", "[::]:8443", 8, false, flow.Client},
		{"accepted, the listener closed since", "", 7, true, flow.Server},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := start(t, func(n *node) {
				if c.listener != "" {
					n.kernel.listeners = []flow.Listener{{NetNS: c.netns, Local: netip.MustParseAddrPort(c.listener)}}
				}
			})
			s := hung()
			s.Local, s.Remote, s.Accepted = mine, server, c.accepted
			n.kernel.retransmits(s)
			e := n.await(flow.EventStuck)
			if e.Flow.Role != c.want {
				t.Errorf("role %s, want %s", e.Flow.Role, c.want)
			}
			if c.want == flow.Server && e.Flow.Peer.Service != "" {
				t.Errorf("the Service %s is the peer of an accepted connection", e.Flow.Peer.Service)
			}
		})
	}
}

func TestThePeerOfAnAcceptedConnectionIsWhoConnected(t *testing.T) {
	// The client comes from outside; SNAT hides it behind a node's address.
	mine, behind := netip.AddrPortFrom(local.Addr(), 8443), netip.MustParseAddrPort("172.18.0.3:50123")
	outside := netip.MustParseAddrPort("203.0.113.9:50123")
	n := start(t, func(n *node) {
		n.table.entries[flow.Tuple{Src: mine, Dst: behind}] = flow.Translation{
			Orig: flow.Tuple{Src: outside, Dst: mine}, Reply: flow.Tuple{Src: mine, Dst: behind},
		}
	})
	s := hung()
	s.Local, s.Remote, s.Accepted = mine, behind, true
	n.kernel.retransmits(s)
	n.quiet()
	if all := n.findings(); len(all) != 1 || all[0].Peer.Class != flow.PeerExternal || all[0].Mute != flow.MuteExternalClient {
		t.Errorf("findings %+v, want one of an external client, muted", all)
	}
}

func TestTheOwnerComesWithTheReport(t *testing.T) {
	n := start(t, func(n *node) {
		n.kernel.unowned = true
		n.owners = owners{flow.Owner{PID: 4711, Comm: "echo"}}
	})
	n.kernel.change(func() { n.kernel.swept = false })
	s := hung()
	s.PID, s.Comm = 0, ""
	n.kernel.records <- tracer.Record{Suspect: &s}
	n.kernel.set(hung())
	if e := n.await(flow.EventStuck); e.Flow.Local.PID != 4711 || e.Flow.Local.Comm != "echo" {
		t.Errorf("owner %+v", e.Flow.Local)
	}
}

func TestADeadOwnerIsNotNamed(t *testing.T) {
	for name, process := range map[string]flow.Owner{
		"it is gone":                      {PID: 1},
		"its number is another process's": {PID: 4711, Comm: "postgres", PodUID: "uid-2"},
	} {
		t.Run(name, func(t *testing.T) {
			n := start(t, func(n *node) { n.owners = owners{process} })
			n.kernel.retransmits(hung())
			if e := n.await(flow.EventStuck); e.Flow.Local.PID != 0 || e.Flow.Local.Comm != "" {
				t.Errorf("owner %+v", e.Flow.Local)
			}
		})
	}
}

func TestOnlyAFINOutstandingIsMuted(t *testing.T) {
	n := start(t, nil)
	n.replace(without())
	s := hung()
	s.State, s.FinOutstanding, s.Unacknowledged, s.Orphan, s.PID = flow.LastAck, true, 0, true, 0
	n.kernel.retransmits(s)
	n.quiet()
	if all := n.findings(); len(all) != 1 || all[0].Mute != flow.MuteClosing {
		t.Errorf("findings %+v, want one muted closing flow", all)
	}
}
