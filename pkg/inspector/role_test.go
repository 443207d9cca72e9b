package inspector_test

import (
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/tcpstuck/tcpstuck/pkg/evidence"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

func TestRoleAndSuppressedFlows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
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
		if len(all) != 1 || all[0].Role != flow.Server || all[0].Peer.Class != flow.PeerExternal || all[0].Suppressed != flow.SuppressedExternalClient {
			t.Errorf("findings %+v, want one suppressed server flow", all)
		}
	})
}

func TestRole(t *testing.T) {
	mine := netip.AddrPortFrom(local.Addr(), 8443)
	opens := flow.Tuple{Src: mine, Dst: server}
	connects := &flow.Translation{Orig: opens, Reply: opens.Reverse()}
	serves := &flow.Translation{Orig: opens.Reverse(), Reply: opens}
	for _, c := range []struct {
		name     string
		listener string
		netns    uint32
		closed   bool // the listener, since
		accepted bool // the kernel's mark
		entry    *flow.Translation
		want     flow.Role
	}{
		{"a listener on every address", "[::]:8443", 7, false, false, nil, flow.Server},
		{"a listener on this address", "192.168.75.2:8443", 7, false, true, nil, flow.Server},
		{"a listener on another address", "192.168.75.3:8443", 7, false, true, nil, flow.Client},
		{"a listener on another port", "[::]:8444", 7, false, true, nil, flow.Client},
		{"a listener in another namespace", "[::]:8443", 8, false, true, nil, flow.Client},
		{"the kernel's mark alone", "", 7, false, true, nil, flow.Client},
		{"the mark, conntrack saw it connect", "", 7, false, true, connects, flow.Client},
		{"conntrack saw it accept", "", 7, false, true, serves, flow.Server},
		{"conntrack saw it accept, a backlog of 0", "", 7, false, false, serves, flow.Server},
		{"accepted, the listener has closed", "[::]:8443", 7, true, true, nil, flow.Server},
		{"accepted, the listener on this address has closed", "192.168.75.2:8443", 7, true, true, nil, flow.Server},
		{"it was given the port of a listener that has closed", "[::]:8443", 7, true, false, nil, flow.Client},
		{"it was the listener that has closed", "[::]:8443", 7, true, true, connects, flow.Client},
		{"a listener of another namespace has closed", "[::]:8443", 8, true, true, nil, flow.Client},
		{"conntrack picked it up in the middle", "[::]:8443", 7, false, true, connects, flow.Server},
		{"it connects from a port that it listens on", "[::]:8443", 7, false, false, connects, flow.Client},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := evidence.NewListening()
				if c.listener != "" {
					l.Set([]flow.Listener{{NetNS: c.netns, Local: netip.MustParseAddrPort(c.listener)}})
				}
				if c.closed {
					l.Set(nil)
				}
				n := start(t, func(n *node) {
					n.listening = l
					if !c.closed && c.listener != "" {
						n.kernel.listeners = []flow.Listener{{NetNS: c.netns, Local: netip.MustParseAddrPort(c.listener)}}
					}
					if c.entry != nil {
						n.table.entries[opens] = *c.entry
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
		})
	}
}

// A client outside the cluster that looks accepted is not suppressed.
func TestTheKernelsMarkSuppressesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil)
		s := hung()
		s.Remote, s.Accepted = netip.MustParseAddrPort("203.0.113.9:5432"), true
		n.kernel.retransmits(s)
		if e := n.await(flow.EventStuck); e.Flow.Role != flow.Client || e.Flow.Suppressed != "" {
			t.Errorf("role %s, suppressed %q", e.Flow.Role, e.Flow.Suppressed)
		}
	})
}

func TestThePeerOfAnAcceptedConnectionIsWhoConnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The client comes from outside; SNAT hides it behind a node's address.
		mine, behind := netip.AddrPortFrom(local.Addr(), 8443), netip.MustParseAddrPort("172.18.0.3:50123")
		outside := netip.MustParseAddrPort("203.0.113.9:50123")
		n := start(t, func(n *node) {
			n.table.entries[flow.Tuple{Src: mine, Dst: behind}] = flow.Translation{
				Orig: flow.Tuple{Src: outside, Dst: mine}, Reply: flow.Tuple{Src: mine, Dst: behind},
			}
		})
		s := hung()
		s.Local, s.Remote = mine, behind
		n.kernel.retransmits(s)
		n.quiet()
		if all := n.findings(); len(all) != 1 || all[0].Peer.Class != flow.PeerExternal || all[0].Suppressed != flow.SuppressedExternalClient {
			t.Errorf("findings %+v, want one of an external client, suppressed", all)
		}
	})
}

func TestTheOwnerComesWithTheReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, func(n *node) {
			n.kernel.unowned = true
			n.owners = living(echo, flow.Owner{})
		})
		n.kernel.change(func() { n.kernel.scanned = false })
		s := hung()
		s.PID, s.Started, s.Comm = 0, 0, ""
		n.kernel.records <- tracer.Record{Suspect: &s}
		n.kernel.set(hung())
		if e := n.await(flow.EventStuck); e.Flow.Local.PID != 4711 || e.Flow.Local.Comm != "echo" {
			t.Errorf("owner %+v", e.Flow.Local)
		}
	})
}

func TestOnlyAFINOutstandingIsSuppressed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil)
		n.replace(without())
		s := hung()
		s.State, s.FinOutstanding, s.Unacknowledged, s.Orphan, s.PID = flow.LastAck, true, 0, true, 0
		n.kernel.retransmits(s)
		n.quiet()
		if all := n.findings(); len(all) != 1 || all[0].Suppressed != flow.SuppressedClosing {
			t.Errorf("findings %+v, want one suppressed closing flow", all)
		}
	})
}
