package diagnosis_test

import (
	"errors"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

var (
	noon    = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	client  = netip.MustParseAddrPort("192.168.75.2:43580")
	service = netip.MustParseAddrPort("10.96.0.10:8000")
	server  = netip.MustParseAddrPort("192.168.136.2:8000")
	outside = netip.MustParseAddrPort("203.0.113.9:5432")
)

func after(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }

// calico is the case that gave tcpstuck its name: backend deleted at noon,
// write 1 s later, first RTO at 1.4 s, judged at 1.5 s.
func calico() diagnosis.Evidence {
	ours := flow.Tuple{Src: client, Dst: service}
	return diagnosis.Evidence{
		Now: after(1.5), StuckAfter: 10 * time.Second,
		Socket: flow.Socket{
			ID: 0x1f3a, NetNS: 4026532590, Local: client, Remote: service, State: flow.Established, Live: true,
			At: after(1.5), Since: after(1.4), LastAck: after(-4), Timeouts: 1, Retransmits: 1, PacketsOut: 1, RetransOut: 1,
			SendWindow: 65535, Pending: flow.TimerRetransmit, Unacknowledged: 6, RTO: 408 * time.Millisecond,
		},
		Role:  flow.Client,
		Local: flow.Local{Addr: client, Namespace: "default", Pod: "client-1", Workload: "client", WorkloadKind: "Deployment", PID: 4711, Comm: "echo"},
		Peer:  flow.Peer{Class: flow.PeerService, Addr: service, Namespace: "default", Service: "server"},
		Conntrack: diagnosis.Conntrack{At: after(1.5), Entry: &flow.Translation{
			Asked: ours, Orig: ours, Reply: flow.Tuple{Src: server, Dst: client}, State: "ESTABLISHED", Timeout: 298 * time.Second, Assured: true,
		}},
		Backend: cluster.Backend{
			Addr: server, Namespace: "default", Pod: "server-1", Node: "node-b", NodeState: cluster.NodeReady,
			State: flow.BackendDeleted, Since: noon, How: "pod default/server-1 was in the list until 12:00:00",
		},
		Service: &cluster.ServiceAddress{Namespace: "default", Name: "server", Kind: cluster.ClusterIP, Backends: 1},
		Cluster: flow.Health{Source: flow.SourceCluster, Up: true},
		GivesUp: flow.GivesUp{At: after(940)},
	}
}

func headless(e *diagnosis.Evidence) {
	e.Socket.Remote, e.Peer = server, flow.Peer{Class: flow.PeerPod, Addr: server}
	e.Service, e.Conntrack = nil, diagnosis.Conntrack{At: e.Now, Missing: true}
}

func external(e *diagnosis.Evidence) {
	e.Socket.Remote, e.Peer = outside, flow.Peer{Class: flow.PeerExternal, Addr: outside, Name: "orders-db"}
	e.Service, e.Conntrack = nil, diagnosis.Conntrack{At: e.Now, Missing: true}
	e.Backend = cluster.Backend{Addr: outside, State: flow.BackendUnknown}
}

// connecting makes it an attempt to connect to a backend that is listed.
func connecting(e *diagnosis.Evidence) {
	e.Socket.State, e.Socket.LastAck, e.Socket.SendWindow, e.Backend.State = flow.SynSent, time.Time{}, 0, flow.BackendListed
}

// flight has two segments in flight, the first a full one.
func flight(e *diagnosis.Evidence) {
	e.Backend.State, e.Socket.At, e.Now = flow.BackendListed, after(12), after(12)
	e.Socket.MSS, e.Socket.Unacknowledged, e.Socket.PacketsOut = 1448, 1700, 2
}

// refusing is a peer that answers each of four retransmissions, the last one 0.5 s ago.
func refusing(e *diagnosis.Evidence) {
	e.Backend.State, e.Socket.At, e.Now, e.Socket.Tick = flow.BackendListed, after(12), after(12), 4*time.Millisecond
	e.Socket.Timeouts, e.Socket.SegmentsIn, e.Socket.RetransOut = 4, 4, 1
	e.Socket.Sent, e.Socket.LastAck = after(11.5), after(11.504)
}

// withoutErrno is 12 s old and counts nothing as retransmitted.
func withoutErrno(e *diagnosis.Evidence) {
	e.Backend.State, e.Socket.At, e.Now, e.Socket.Tick = flow.BackendListed, after(12), after(12), 4*time.Millisecond
	e.Socket.TimerAt, e.Socket.RetransOut = after(12.2), 0
}

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*diagnosis.Evidence)
		want   flow.Cause
		atOnce bool
		says   string // part of the sentence
	}{
		{"calico", func(*diagnosis.Evidence) {}, flow.StaleConntrack, true,
			"conntrack still sends this connection to 192.168.136.2:8000, the pod default/server-1, which was deleted at 12:00:00"},
		{"headless", headless, flow.PeerDeleted, true, "its peer 192.168.136.2:8000, the pod default/server-1, was deleted"},
		{"the wire first: a segment 1.2 s after the removal", func(e *diagnosis.Evidence) {
			e.Socket.LastAck, e.Socket.Since, e.Socket.At, e.Now = after(1.2), after(1.7), after(2), after(2)
		}, flow.Unknown, false, "but its last segment came at 12:00:01, after that"},
		{"a segment 0.8 s after the removal: still under way", func(e *diagnosis.Evidence) {
			e.Socket.LastAck = after(0.8)
		}, flow.StaleConntrack, true, ""},
		{"silent for stuck-after since its last segment", func(e *diagnosis.Evidence) {
			e.Socket.LastAck, e.Socket.Since, e.Socket.At, e.Now = after(1.2), after(1.7), after(11.2), after(11.2)
		}, flow.StaleConntrack, true, ""},
		{"a segment after the removal when it was last read, long ago", func(e *diagnosis.Evidence) {
			e.Socket.LastAck, e.Socket.Since, e.Socket.At, e.Now = after(1.2), after(1.7), after(2), after(600)
		}, flow.Unknown, false, "but its last segment came at 12:00:01, after that"},
		{"backend listed", func(e *diagnosis.Evidence) { e.Backend.State = flow.BackendListed },
			flow.PeerUnreachable, false, "is silent, although it is listed as alive"},
		{"backend terminating", func(e *diagnosis.Evidence) { e.Backend.State = flow.BackendTerminating },
			flow.PeerTerminating, false, "no longer answers; it is not known to be dead"},
		{"backend terminating, and it answers", func(e *diagnosis.Evidence) {
			e.Backend.State, e.Socket.LastAck, e.Socket.At, e.Now = flow.BackendTerminating, after(3), after(4), after(4)
		}, flow.PathDrop, false, ""},
		{"backend on a node that is unreachable", func(e *diagnosis.Evidence) {
			e.Backend.State, e.Backend.NodeState = flow.BackendListed, cluster.NodeUnreachable
		}, flow.PeerUnreachable, false, "the node node-b"},
		{"backend on a node that went", func(e *diagnosis.Evidence) {
			e.Backend.State, e.Backend.NodeState = flow.BackendUnlisted, cluster.NodeDeleted
		}, flow.PeerUnreachable, false, "the node node-b"},
		{"selective acknowledgements from before its node went down", func(e *diagnosis.Evidence) {
			e.Backend.State, e.Backend.NodeState, e.Socket.SackedOut = flow.BackendListed, cluster.NodeNotReady, 4
		}, flow.PeerUnreachable, false, "the node node-b"},
		{"deleted, one segment after progress stopped, silent since", func(e *diagnosis.Evidence) {
			e.Socket.LastAck, e.Socket.Since, e.Socket.At, e.Now = after(2.5), after(1.4), after(12.6), after(12.6)
		}, flow.StaleConntrack, true, ""},
		{"backend terminating on a node that is down", func(e *diagnosis.Evidence) {
			e.Backend.State, e.Backend.NodeState = flow.BackendTerminating, cluster.NodeNotReady
		}, flow.PeerUnreachable, false, "the node node-b"},
		{"deleted outranks the node", func(e *diagnosis.Evidence) { e.Backend.NodeState = cluster.NodeUnreachable },
			flow.StaleConntrack, true, ""},
		{"backend unlisted", func(e *diagnosis.Evidence) {
			e.Backend.State, e.Backend.Services = flow.BackendUnlisted, []string{"default/server"}
		}, flow.Unknown, false, "no longer a backend of default/server; not known to be dead"},
		{"records out of date", func(e *diagnosis.Evidence) {
			e.Backend.State, e.Backend.How = flow.BackendUnknown, "the API has not answered for 40s"
		}, flow.Unknown, false, "the API has not answered for 40s"},
		{"no record at all", func(e *diagnosis.Evidence) {
			e.Backend = cluster.Backend{Addr: server, State: flow.BackendUnknown}
		}, flow.Unknown, false, "no record names 192.168.136.2:8000"},
		{"a Service address that nothing translates", func(e *diagnosis.Evidence) {
			e.Conntrack, e.Backend = diagnosis.Conntrack{At: e.Now, Missing: true}, cluster.Backend{Addr: service, State: flow.BackendUnknown}
		}, flow.Unknown, false, "no conntrack entry translates this Service address"},
		{"conntrack cannot be asked", func(e *diagnosis.Evidence) {
			e.Conntrack, e.Backend = diagnosis.Conntrack{At: e.Now, Err: errors.New("operation not permitted")}, cluster.Backend{Addr: service}
		}, flow.Unknown, false, "operation not permitted"},
		{"an external database", external, flow.PeerSilent, false, "orders-db (203.0.113.9:5432), and no cluster record names it"},
		{"a client behind a node", func(e *diagnosis.Evidence) {
			headless(e)
			e.Role, e.Peer.Class, e.Backend = flow.Server, flow.PeerNode, cluster.Backend{Addr: server, State: flow.BackendUnknown}
		}, flow.PeerSilent, false, "a client behind the node's SNAT"},
		{"a masqueraded connection is not redirected", func(e *diagnosis.Evidence) {
			external(e)
			ours := flow.Tuple{Src: client, Dst: outside}
			e.Conntrack = diagnosis.Conntrack{At: e.Now, Entry: &flow.Translation{Asked: ours, Orig: ours,
				Reply: flow.Tuple{Src: outside, Dst: netip.MustParseAddrPort("172.18.0.2:43580")}}}
		}, flow.PeerSilent, false, ""},
		{"an accepted connection's peer is the original source", func(e *diagnosis.Evidence) {
			peer := netip.MustParseAddrPort("192.168.75.9:40000")
			mine := netip.MustParseAddrPort("192.168.75.2:8000")
			ours := flow.Tuple{Src: mine, Dst: peer}
			e.Role, e.Socket.Local, e.Socket.Remote = flow.Server, mine, peer
			e.Peer, e.Service = flow.Peer{Class: flow.PeerPod, Addr: peer}, nil
			e.Conntrack = diagnosis.Conntrack{At: e.Now, Entry: &flow.Translation{Asked: ours, Reply: ours,
				Orig: flow.Tuple{Src: peer, Dst: service}}}
			e.Backend = cluster.Backend{Addr: peer, Namespace: "default", Pod: "client-9", State: flow.BackendDeleted, Since: noon}
		}, flow.PeerDeleted, true, "its peer 192.168.75.9:40000, the pod default/client-9, was deleted"},
		{"the peer answers, but the head does not get through", func(e *diagnosis.Evidence) {
			e.Backend.State, e.Socket.LastAck, e.Socket.At, e.Now = flow.BackendListed, after(3), after(4), after(4)
		}, flow.PathDrop, false, "or the path works one way only"},
		{"one segment after the stall, its node unreachable for long", func(e *diagnosis.Evidence) {
			e.Backend.State, e.Backend.NodeState = flow.BackendListed, cluster.NodeUnreachable
			e.Socket.LastAck, e.Socket.At, e.Now = after(3), after(600), after(600)
		}, flow.PeerUnreachable, false, "the node node-b"},
		{"connecting, and a network policy drops the SYN", func(e *diagnosis.Evidence) {
			e.Socket.State, e.Socket.LastAck = flow.SynSent, time.Time{}
			e.Conntrack, e.Backend = diagnosis.Conntrack{At: e.Now, Missing: true, Zones: true}, cluster.Backend{Addr: service, State: flow.BackendUnknown}
			e.Translates = true
		}, flow.Unknown, false, "its SYN is dropped on this node"},
		{"connecting to an address that was given anew long ago", func(e *diagnosis.Evidence) {
			e.Socket.State, e.Socket.LastAck = flow.SynSent, time.Time{}
			e.Backend.State, e.Backend.NodeState = flow.BackendListed, cluster.NodeUnreachable
			e.Backend.CreatedAt, e.Backend.Former = after(-3600), &cluster.Former{Namespace: "default", Pod: "server-0", GoneAt: after(-7200)}
		}, flow.PeerUnreachable, false, ""},
		{"the peer sends, and acknowledges nothing new", func(e *diagnosis.Evidence) {
			e.Backend.State, e.Socket.LastReceive, e.Socket.At, e.Now = flow.BackendListed, after(3), after(4), after(4)
		}, flow.PathDrop, false, "answers (last segment at 12:00:03)"},
		{"the wire first: data received 1.2 s after the removal", func(e *diagnosis.Evidence) {
			e.Socket.LastReceive, e.Socket.Since, e.Socket.At, e.Now = after(1.2), after(1.7), after(2), after(2)
		}, flow.Unknown, false, ""},
		{"the peer answers, but large segments do not get through", func(e *diagnosis.Evidence) {
			e.Backend.State, e.Socket.LastAck, e.Now, e.Socket.Unacknowledged = flow.BackendListed, after(3), after(4), 14480
		}, flow.PathDrop, false, "drops large segments (path MTU)"},
		{"zero window that is answered", func(e *diagnosis.Evidence) {
			e.Socket.SendWindow, e.Socket.PacketsOut, e.Socket.Pending, e.Socket.ProbesOut, e.Socket.Backoff = 0, 0, flow.TimerProbe, 1, 5
		}, flow.SlowReader, false, "receive window of zero"},
		{"zero window whose peer died", func(e *diagnosis.Evidence) {
			e.Socket.SendWindow, e.Socket.PacketsOut, e.Socket.Pending, e.Socket.ProbesOut, e.Socket.Backoff = 0, 0, flow.TimerProbe, 4, 5
		}, flow.StaleConntrack, true, ""},
		{"dropped by a filter on this host", func(e *diagnosis.Evidence) {
			e.Socket.SendErr = int(syscall.EPERM)
		}, flow.LocalFilter, false, "a filter in this host's OUTPUT path refuses what the socket sends (EPERM)"},
		{"routing refuses", func(e *diagnosis.Evidence) {
			e.Socket.SendErr, e.Socket.SoftErr = int(syscall.EHOSTUNREACH), int(syscall.EINVAL)
		}, flow.NoRoute, false, "routing in its own network namespace refuses the way to 10.96.0.10 (EINVAL)"},
		{"routing refuses what the node's own program sends", func(e *diagnosis.Evidence) {
			e.Socket.SendErr, e.Socket.SoftErr, e.Host = int(syscall.EHOSTUNREACH), int(syscall.EINVAL), true
			e.Route = &flow.Route{Src: client.Addr(), Own: true, Type: "blackhole", Err: "EINVAL"}
		}, flow.NoRoute, false, "routing on this host refuses the way to 192.168.136.2 (blackhole, EINVAL)"},
		{"the address that it sends from has left this host", func(e *diagnosis.Evidence) {
			e.Socket.SendErr, e.Socket.SoftErr, e.Host = int(syscall.EHOSTUNREACH), int(syscall.EINVAL), true
			e.Route = &flow.Route{Src: client.Addr(), Type: "unicast"}
		}, flow.AddressLost, false, "its own address 192.168.75.2 is not on this host any more"},
		{"the address that it sends from has left this host, nothing in flight", func(e *diagnosis.Evidence) {
			e.Socket.PacketsOut, e.Socket.Pending, e.Socket.Backoff, e.Host = 0, flow.TimerProbe, 3, true
			e.Route = &flow.Route{Src: client.Addr(), Type: "unicast"}
		}, flow.AddressLost, false, ""},
		{"a transparent proxy sends from an address that this host never had", func(e *diagnosis.Evidence) {
			e.Host, e.Backend.State = true, flow.BackendListed
			e.Route = &flow.Route{Src: client.Addr(), Type: "unicast"}
		}, flow.PeerUnreachable, false, ""},
		{"its interface has no carrier", func(e *diagnosis.Evidence) {
			e.Host, e.Backend.State = true, flow.BackendListed
			e.Route = &flow.Route{Src: client.Addr(), Own: true, Type: "unicast", Interface: "eth0", Dead: "eth0", NoCarrier: true}
		}, flow.LinkDown, false, "the interface eth0 of this host has no carrier"},
		{"its interface is down", func(e *diagnosis.Evidence) {
			e.Socket.SendErr, e.Socket.SoftErr, e.Host = int(syscall.EHOSTUNREACH), int(syscall.ENETUNREACH), true
			e.Route = &flow.Route{Src: client.Addr(), Own: true, Err: "ENETUNREACH", Dead: "eth0"}
		}, flow.LinkDown, false, "the interface eth0 of this host is down"},
		{"its backend is gone, and so is the interface there", func(e *diagnosis.Evidence) {
			e.Route = &flow.Route{Src: client.Addr(), Type: "unicast", In: "cali1", Interface: "cali2", Dead: "cali2", NoCarrier: true}
		}, flow.StaleConntrack, true, ""},
		{"this node does not pass on what the pod sends", func(e *diagnosis.Evidence) {
			e.Backend.State = flow.BackendListed
			e.Route = &flow.Route{Src: client.Addr(), In: "cali1", Type: "blackhole", Err: "EINVAL"}
		}, flow.NoRoute, false, "refuses to pass on what comes from 192.168.75.2 by cali1 to 192.168.136.2 (blackhole, EINVAL)"},
		{"this node does not pass it on, and the backend is gone", func(e *diagnosis.Evidence) {
			e.Route = &flow.Route{Src: client.Addr(), In: "cali1", Type: "blackhole", Err: "EINVAL"}
		}, flow.StaleConntrack, true, ""},
		{"routes refuse an address that nothing translates yet", func(e *diagnosis.Evidence) {
			e.Conntrack, e.Backend = diagnosis.Conntrack{At: e.Now, Missing: true}, cluster.Backend{Addr: service, State: flow.BackendUnknown}
			e.Route = &flow.Route{Src: client.Addr(), In: "cali1", Err: "ENETUNREACH"}
		}, flow.Unknown, false, ""},
		{"routing refuses, on a kernel that does not show the errno", func(e *diagnosis.Evidence) {
			e.Socket.SoftErr, e.Socket.RetransOut = int(syscall.ENETUNREACH), 0
		}, flow.NoRoute, false, ""},
		{"routing refuses, by a route that is called unreachable", func(e *diagnosis.Evidence) {
			e.Socket.SendErr, e.Socket.SoftErr = int(syscall.EHOSTUNREACH), int(syscall.EHOSTUNREACH)
		}, flow.NoRoute, false, "(EHOSTUNREACH)"},
		{"a router says that a network is unreachable, read in the timer's handler", func(e *diagnosis.Evidence) {
			e.Backend.State, e.Socket.SoftErr, e.Socket.Pending, e.Socket.RetransOut = flow.BackendListed, int(syscall.ENETUNREACH), flow.TimerNone, 0
		}, flow.RouterRejects, false, "answers with ICMP, network unreachable"},
		{"a dead neighbour is no refusal of this host", func(e *diagnosis.Evidence) {
			e.Backend.State, e.Socket.At, e.Now = flow.BackendListed, after(30), after(30)
			e.Socket.SendErr, e.Socket.SoftErr = int(syscall.EBUSY), int(syscall.EHOSTUNREACH)
		}, flow.PeerUnreachable, false, ""},
		{"a neighbour is asked, and may not answer", func(e *diagnosis.Evidence) {
			e.Backend.State, e.Socket.SendErr = flow.BackendListed, int(syscall.EBUSY)
		}, flow.PeerUnreachable, false, ""},
		{"the last copy still waits in a queue", func(e *diagnosis.Evidence) {
			e.Backend.State, e.Socket.SendErr, e.Socket.At, e.Now = flow.BackendListed, int(syscall.EBUSY), after(12), after(12)
		}, flow.LocalQueue, false, "still waits in a queue of this host (EBUSY)"},
		{"the last copy still waits for the next hop", func(e *diagnosis.Evidence) {
			e.Backend.State, e.Socket.SendErr, e.Socket.At, e.Now = flow.BackendListed, int(syscall.EBUSY), after(12), after(12)
			e.Route = &flow.Route{Type: "unicast", Neighbour: "INCOMPLETE"}
		}, flow.PeerUnreachable, false, "nor does the next hop"},
		{"a queue drops it", func(e *diagnosis.Evidence) { e.Socket.SendErr = -1 },
			flow.LocalQueue, false, "a queue of this host drops what the socket sends"},
		{"a queue drops all that it sends", func(e *diagnosis.Evidence) {
			e.Socket.PacketsOut, e.Socket.Pending, e.Socket.ProbesOut, e.Socket.Backoff, e.Socket.Retries2 = 0, flow.TimerProbe, 3, 0, 15
		}, flow.LocalQueue, false, "a queue of this host drops what the socket sends"},
		{"connecting, dropped by a filter on this host", func(e *diagnosis.Evidence) {
			connecting(e)
			e.Socket.SendErr = int(syscall.EPERM)
		}, flow.LocalFilter, false, "refuses what the socket sends (EPERM)"},
		{"connecting, and routing refuses", func(e *diagnosis.Evidence) {
			connecting(e)
			e.Socket.SendErr, e.Socket.SoftErr = int(syscall.EHOSTUNREACH), int(syscall.EACCES)
		}, flow.NoRoute, false, "(EACCES)"},
		{"connecting, and the SYN waits in a queue", func(e *diagnosis.Evidence) {
			connecting(e)
			e.Socket.SendErr, e.Socket.At, e.Now = int(syscall.EBUSY), after(12), after(12)
		}, flow.LocalQueue, false, ""},
		{"connecting, and the SYN leaves: nobody answers", func(e *diagnosis.Evidence) {
			connecting(e)
			e.Socket.RetransOut, e.Socket.At, e.Now = 1, after(12), after(12)
		}, flow.PeerUnreachable, false, ""},
		{"a policy of this node drops what it sends", func(e *diagnosis.Evidence) {
			e.Backend.State = flow.BackendListed
			e.Drops = &diagnosis.Drops{Since: noon, Seen: []flow.Drop{{Reason: "NETFILTER_DROP", Place: "nft_do_chain", Count: 7, LastAt: after(1)}}}
		}, flow.LocalFilter, false, "a filter or policy on this node drops what the socket sends: 7 segments since 12:00:00, NETFILTER_DROP in nft_do_chain"},
		{"one segment was dropped", func(e *diagnosis.Evidence) {
			e.Backend.State = flow.BackendListed
			e.Drops = &diagnosis.Drops{Since: noon, Seen: []flow.Drop{{Reason: "NETFILTER_DROP", Place: "nft_do_chain", Count: 1, LastAt: after(1)}}}
		}, flow.PeerUnreachable, false, ""},
		{"a policy of this node drops what goes to a pod that is gone", func(e *diagnosis.Evidence) {
			e.Drops = &diagnosis.Drops{Since: noon, Seen: []flow.Drop{{Reason: "NETFILTER_DROP", Place: "nft_do_chain", Count: 7, LastAt: after(1)}}}
		}, flow.StaleConntrack, true, ""},
		{"a queue of this node drops what it has passed on", func(e *diagnosis.Evidence) {
			e.Backend.State = flow.BackendListed
			e.Drops = &diagnosis.Drops{Since: noon, Seen: []flow.Drop{{Reason: "QDISC_DROP", Place: "tbf_enqueue", Count: 7, LastAt: after(1)}}}
		}, flow.LocalQueue, false, "a queue of this node drops what the socket sends: 7 segments"},
		{"reverse-path filtering drops the answers", func(e *diagnosis.Evidence) {
			e.Backend.State = flow.BackendListed
			e.Drops = &diagnosis.Drops{Since: noon, Seen: []flow.Drop{{Answers: true, Reason: "IP_RPFILTER", Place: "ip_rcv_finish_core", Count: 3, LastAt: after(1)}}}
		}, flow.AnswersDropped, false, "reverse-path filtering here drops them before the socket: 3 segments"},
		{"connecting, and the listener here has no room", func(e *diagnosis.Evidence) {
			connecting(e)
			e.Listener = &diagnosis.Listener{Owner: "python3[42]", PID: 42, Waiting: 2, Most: 1}
		}, flow.AcceptQueueFull, false, "its listener on this node, python3[42], does not accept: 2 connections wait, of 1 allowed"},
		{"the end of its handshake found no room", func(e *diagnosis.Evidence) {
			e.Socket.NeverAcked, e.Backend.State, e.Listener = true, flow.BackendListed, &diagnosis.Listener{Owner: "python3[42]", Waiting: 2, Most: 1}
		}, flow.AcceptQueueFull, false, ""},
		{"its listener has no room for others", func(e *diagnosis.Evidence) {
			e.Backend.State, e.Listener = flow.BackendListed, &diagnosis.Listener{Owner: "python3[42]", Waiting: 2, Most: 1}
		}, flow.PeerUnreachable, false, ""},
		{"conntrack has seen all data acknowledged", func(e *diagnosis.Evidence) {
			e.Backend.State, e.Conntrack.Replied = flow.BackendListed, true
		}, flow.AnswersDropped, false, "has seen the acknowledgement of all that was sent, and the socket has not"},
		{"conntrack has seen the answer to its SYN", func(e *diagnosis.Evidence) {
			connecting(e)
			e.Conntrack.Replied = true
		}, flow.AnswersDropped, false, "has seen the answer to the SYN"},
		{"the peer answers each retransmission", refusing, flow.PeerRefuses, false, "answers each retransmission (4 answers"},
		{"the peer answers each retransmission, and the last answer is under way", func(e *diagnosis.Evidence) {
			refusing(e)
			e.Socket.Sent, e.Socket.LastAck, e.Socket.SegmentsIn = after(11.9), after(9), 3
		}, flow.PeerRefuses, false, ""},
		{"the peer sends data as well", func(e *diagnosis.Evidence) {
			refusing(e)
			e.Socket.LastReceive = after(11)
		}, flow.PathDrop, false, ""},
		{"the peer sends more than answers", func(e *diagnosis.Evidence) {
			refusing(e)
			e.Socket.SegmentsIn = 30
		}, flow.PathDrop, false, ""},
		{"the peer says something, and not when it is sent to", func(e *diagnosis.Evidence) {
			refusing(e)
			e.Socket.LastAck = after(11.9)
		}, flow.PathDrop, false, ""},
		{"the peer repeats its SYN-ACK", func(e *diagnosis.Evidence) {
			e.Backend.State, e.Socket.NeverAcked, e.Socket.SegmentsIn, e.Socket.At, e.Now = flow.BackendListed, true, 4, after(12), after(12)
		}, flow.PathDrop, false, "repeats its answer to the SYN: neither the end of the handshake nor the data gets through"},
		{"a segment was under way when progress stopped", func(e *diagnosis.Evidence) {
			e.Backend.State, e.Socket.SegmentsIn, e.Socket.At, e.Now = flow.BackendListed, 1, after(12), after(12)
		}, flow.PeerUnreachable, false, ""},
		{"the tail of a flight arrived, and its head did not", func(e *diagnosis.Evidence) {
			flight(e)
			e.Socket.SackedOut = 1
		}, flow.PathDrop, false, "has what was sent later (selective acknowledgement at 11:59:56), but not the oldest segment, of 1,448 bytes"},
		{"nothing of a flight arrived", flight, flow.PeerUnreachable, false, "only full segments (1,448 bytes) were sent since"},
		{"a filter on this host, on a kernel that does not show the errno", func(e *diagnosis.Evidence) {
			withoutErrno(e)
			e.Socket.Sent = e.Socket.TimerAt.Add(-e.Socket.RTO)
		}, flow.LocalFilter, false, "drops what the socket sends"},
		{"nothing is repeated, and the kernel does not say why", func(e *diagnosis.Evidence) {
			withoutErrno(e)
			e.Socket.Sent = after(0.9)
		}, flow.Unknown, false, "a filter, a queue or a route there"},
		{"a dead neighbour, on a kernel that does not show the errno", func(e *diagnosis.Evidence) {
			withoutErrno(e)
			e.Socket.SoftErr = int(syscall.EHOSTUNREACH)
		}, flow.PeerUnreachable, false, ""},
		{"it repeats well, on a kernel that does not show the errno", func(e *diagnosis.Evidence) {
			withoutErrno(e)
			e.Socket.Sent, e.Socket.RetransOut = e.Socket.TimerAt.Add(-e.Socket.RTO), 1
		}, flow.PeerUnreachable, false, ""},
		{"nothing left the host's own namespace, which has no route", func(e *diagnosis.Evidence) {
			e.Socket.PacketsOut, e.Socket.Pending, e.Socket.Backoff, e.Host = 0, flow.TimerProbe, 3, true
			e.Route = &flow.Route{Type: "blackhole", Err: "EINVAL"}
		}, flow.NoRoute, false, "(blackhole, EINVAL)"},
		{"nothing left the host's own namespace, which has a route", func(e *diagnosis.Evidence) {
			e.Socket.PacketsOut, e.Socket.Pending, e.Socket.Backoff, e.Host = 0, flow.TimerProbe, 3, true
			e.Route = &flow.Route{Type: "unicast"}
		}, flow.LocalFilter, false, "although there is a route"},
		{"nothing left the host's own namespace, and its timer is just running out", func(e *diagnosis.Evidence) {
			e.Backend.State = flow.BackendListed
			e.Socket.PacketsOut, e.Socket.Unacknowledged, e.Socket.Unsent, e.Socket.Pending, e.Host = 0, 0, 6, flow.TimerNone, true
			e.Route = &flow.Route{Type: "unicast"}
		}, flow.LocalFilter, false, "although there is a route"},
		{"nothing left a pod's namespace, whose routes nobody sees", func(e *diagnosis.Evidence) {
			e.Socket.PacketsOut, e.Socket.Pending, e.Socket.Backoff = 0, flow.TimerProbe, 3
			e.Route = &flow.Route{Type: "unicast"}
		}, flow.Unknown, false, "dropped inside the pod's namespace"},
		{"the address was given to another pod", func(e *diagnosis.Evidence) {
			e.Backend.State, e.Backend.CreatedAt, e.Backend.Since = flow.BackendListed, after(-1), after(-1)
			e.Backend.Former = &cluster.Former{Namespace: "default", Pod: "server-0", GoneAt: after(-2)}
		}, flow.AddressReused, true, "the pod default/server-0, is gone since 11:59:58, and its address 192.168.136.2 now belongs to pod default/server-1"},
		{"given to another pod, within the clocks' error", func(e *diagnosis.Evidence) {
			e.Backend.State, e.Backend.CreatedAt, e.Backend.Since = flow.BackendListed, after(-3), after(-1)
			e.Backend.Former = &cluster.Former{Namespace: "default", Pod: "server-0", GoneAt: after(-2)}
		}, flow.Unknown, false, "which of them the connection was opened to is not certain"},
		{"its pod is younger than the connection, and nobody knows whose the address was", func(e *diagnosis.Evidence) {
			e.Backend.State, e.Backend.CreatedAt = flow.BackendListed, e.Socket.LastAck.Add(time.Minute)
		}, flow.Unknown, false, "which was created after the last segment from the peer; which pod had it before is not known"},
		{"its pod was created when the connection was", func(e *diagnosis.Evidence) {
			e.Backend.State, e.Backend.CreatedAt = flow.BackendListed, e.Socket.LastAck.Add(time.Second)
		}, flow.PeerUnreachable, false, ""},
		{"given to another pod, and seen here before its last segment", func(e *diagnosis.Evidence) {
			e.Backend.State, e.Backend.CreatedAt, e.Backend.Since = flow.BackendListed, after(-1), after(-5)
			e.Backend.Former = &cluster.Former{Namespace: "default", Pod: "server-0", GoneAt: after(-6)}
		}, flow.Unknown, false, ""},
		{"no entry, on a node that translates", func(e *diagnosis.Evidence) {
			e.Conntrack, e.Backend = diagnosis.Conntrack{At: e.Now, Missing: true, Zones: true}, cluster.Backend{Addr: service, State: flow.BackendUnknown}
			e.Translates = true
		}, flow.ConntrackMissing, false, "meet no backend that knows it"},
		{"no entry, and no endpoint", func(e *diagnosis.Evidence) {
			e.Conntrack, e.Backend = diagnosis.Conntrack{At: e.Now, Missing: true, Zones: true}, cluster.Backend{Addr: service, State: flow.BackendUnknown}
			e.Translates, e.Service = true, &cluster.ServiceAddress{Namespace: "default", Name: "server"}
		}, flow.ConntrackMissing, false, "the Service has no ready endpoint"},
		{"no entry in the default zone, the others not asked", func(e *diagnosis.Evidence) {
			e.Conntrack, e.Backend = diagnosis.Conntrack{At: e.Now, Missing: true}, cluster.Backend{Addr: service, State: flow.BackendUnknown}
			e.Translates = true
		}, flow.Unknown, false, ""},
		{"no entry, and a source that is not this node's", func(e *diagnosis.Evidence) {
			e.Conntrack, e.Backend = diagnosis.Conntrack{At: e.Now, Missing: true, Zones: true}, cluster.Backend{Addr: service, State: flow.BackendUnknown}
			e.Translates, e.Local = true, flow.Local{Addr: client}
		}, flow.Unknown, false, ""},
		{"a sidecar that stopped reading", func(e *diagnosis.Evidence) {
			e.Socket.SendWindow, e.Socket.PacketsOut, e.Socket.Pending, e.Socket.Backoff = 0, 0, flow.TimerProbe, 5
			e.Upstream = &diagnosis.Upstream{Owner: "envoy[77]", Peer: "192.168.136.2:8000", Cause: flow.PeerDeleted}
		}, flow.SlowReader, false, "in the same pod envoy[77] is itself stuck on the way to 192.168.136.2:8000 (PeerDeleted)"},
		{"the younger pod is the one that was connected to", func(e *diagnosis.Evidence) {
			e.Backend.State, e.Backend.CreatedAt = flow.BackendListed, after(-100)
			e.Backend.Former = &cluster.Former{Namespace: "default", Pod: "server-0", GoneAt: after(-200)}
		}, flow.PeerUnreachable, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := calico()
			c.change(&e)
			v := diagnosis.Judge(&e)
			if v.Cause != c.want || v.AtOnce != c.atOnce {
				t.Errorf("%s, at once %v; want %s, %v\n%s", v.Cause, v.AtOnce, c.want, c.atOnce, v.Sentence)
			}
			if !strings.Contains(v.Sentence, c.says) {
				t.Errorf("the sentence does not say %q:\n%s", c.says, v.Sentence)
			}
			if len(v.Advice) == 0 || len(v.Evidence) < 2 {
				t.Errorf("%d pieces of advice, %d of evidence", len(v.Advice), len(v.Evidence))
			}
		})
	}
}

func TestSuppress(t *testing.T) {
	accepted := func(from string, more ...func(*diagnosis.Evidence)) diagnosis.Evidence {
		e := calico()
		external(&e)
		e.Role, e.Socket.Remote, e.Peer.Name, e.Peer.Addr = flow.Server, netip.MustParseAddrPort(from), "", netip.MustParseAddrPort(from)
		for _, change := range more {
			change(&e)
		}
		return e
	}
	client := func(s flow.Socket) diagnosis.Evidence {
		e := calico()
		s.SendWindow, s.PacketsOut, s.Timeouts = 1, 1, 1
		e.Socket = s
		return e
	}
	for name, c := range map[string]struct {
		e    diagnosis.Evidence
		want flow.Suppression
	}{
		"data at risk":                          {client(flow.Socket{State: flow.Established, Unacknowledged: 1}), ""},
		"only a FIN, closed by both":            {client(flow.Socket{State: flow.LastAck, FinOutstanding: true}), flow.SuppressedClosing},
		"only a FIN, and nobody has it open":    {client(flow.Socket{State: flow.FinWait1, FinOutstanding: true, Orphan: true}), flow.SuppressedClosing},
		"shut for writing, waits for answer":    {client(flow.Socket{State: flow.FinWait1, FinOutstanding: true}), ""},
		"an orphan with data":                   {client(flow.Socket{State: flow.FinWait1, Orphan: true, Unsent: 1}), ""},
		"the peer has closed, this end is open": {client(flow.Socket{State: flow.CloseWait}), ""},
		"connecting":                            {client(flow.Socket{State: flow.SynSent}), ""},
		"a client of an external database":      {func() diagnosis.Evidence { e := calico(); external(&e); return e }(), ""},
		"a vanished internet client":            {accepted("203.0.113.9:40000"), flow.SuppressedExternalClient},
		"the same over IPv6":                    {accepted("[2001:db8::9]:40000"), flow.SuppressedExternalClient},
		"a client of a private network":         {accepted("10.1.2.3:40000"), ""},
		"a client of a carrier's network":       {accepted("100.64.1.2:40000"), ""},
		"a client of a local network, IPv6":     {accepted("[fd00::9]:40000"), ""},
		"a client that has a name":              {accepted("203.0.113.9:40000", func(e *diagnosis.Evidence) { e.Peer.Name = "partner" }), ""},
		"a laptop that comes and goes":          {accepted("10.1.2.3:40000", func(e *diagnosis.Evidence) { e.Transient = true }), flow.SuppressedExternalClient},
		"a pod of another node":                 {accepted("10.1.2.3:40000", func(e *diagnosis.Evidence) { e.Peer.Class = flow.PeerPod }), ""},
		"an internet client that does not read": {accepted("203.0.113.9:40000", func(e *diagnosis.Evidence) {
			e.Socket.SendWindow, e.Socket.PacketsOut, e.Socket.Pending, e.Socket.ProbesOut, e.Socket.Backoff = 0, 0, flow.TimerProbe, 1, 5
		}), ""},
		"an internet client that left with its window shut": {accepted("203.0.113.9:40000", func(e *diagnosis.Evidence) {
			e.Socket.SendWindow, e.Socket.PacketsOut, e.Socket.Pending, e.Socket.ProbesOut, e.Socket.Backoff = 0, 0, flow.TimerProbe, 4, 5
		}), flow.SuppressedExternalClient},
		"an internet client that is heard": {accepted("203.0.113.9:40000", func(e *diagnosis.Evidence) {
			e.Socket.LastAck, e.Socket.At, e.Now = after(3), after(4), after(4)
		}), ""},
	} {
		if got := diagnosis.Suppress(&c.e); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestAConnectIsNotReportedAtOnce(t *testing.T) {
	e := calico()
	e.Socket.State, e.Socket.LastAck = flow.SynSent, time.Time{}
	if d := diagnosis.Decide(&e); d.Symptom != flow.Connecting || d.Cause != flow.StaleConntrack || d.AtOnce {
		t.Errorf("%+v: records may lag behind an address that was given anew", d)
	}
}

func TestAWindowClosedWithDataInFlight(t *testing.T) {
	for silence, slow := range map[time.Duration]bool{10 * time.Second: true, 60 * time.Second: false} {
		e := calico()
		e.Backend.State = flow.BackendListed
		e.Socket.SendWindow, e.Socket.RTO, e.Socket.Since = 0, 30*time.Second, after(-200)
		e.Socket.LastAck = e.Socket.At.Add(-silence)
		for _, ago := range []time.Duration{0, 10 * time.Minute} {
			e.Now = e.Socket.At.Add(ago)
			if d := diagnosis.Decide(&e); d.Symptom != flow.ZeroWindow || (d.Cause == flow.SlowReader) != slow {
				t.Errorf("silent for %v at an RTO of 30s, read %v ago: %s · %s", silence, ago, d.Symptom, d.Cause)
			}
		}
	}
}

// TestKeepaliveFindsOut: two unanswered probes make an idle flow a finding, whatever the records say.
func TestKeepaliveFindsOut(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*diagnosis.Evidence)
		want   flow.Cause
		says   string
	}{
		"of an external peer":        {func(e *diagnosis.Evidence) { external(e) }, flow.PeerSilent, "; 5 keepalive probes are unanswered"},
		"of a pod that is listed":    {func(e *diagnosis.Evidence) { e.Backend.State = flow.BackendListed }, flow.PeerUnreachable, "; 5 keepalive probes are unanswered"},
		"one probe may be under way": {func(e *diagnosis.Evidence) { external(e); e.Socket.ProbesOut = 1 }, "", ""},
		"no keepalive":               {func(e *diagnosis.Evidence) { external(e); e.Socket.Keepalive = false }, "", ""},
	} {
		e := calico()
		e.Socket.PacketsOut, e.Socket.Retransmits, e.Socket.Timeouts, e.Socket.Unacknowledged, e.Socket.Pending = 0, 0, 0, 0, flow.TimerNone
		e.Socket.Keepalive, e.Socket.ProbesOut, e.Now = true, 5, after(60)
		c.change(&e)
		v := diagnosis.Judge(&e)
		if c.want == "" {
			if !v.Healthy {
				t.Errorf("%s: it is a finding", name)
			}
			continue
		}
		if v.Healthy || v.Symptom != flow.HalfOpen || v.Cause != c.want || v.Suppressed != "" || !strings.Contains(v.Sentence, c.says) {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

// TestItHadBeenIdle: gateways forget idle connections.
func TestItHadBeenIdle(t *testing.T) {
	e := calico()
	external(&e)
	e.Socket.LastAck = e.Socket.Since.Add(-6 * time.Minute)
	v := diagnosis.Judge(&e)
	if !strings.Contains(v.Sentence, "it had been idle for 6m before the first write that nobody acknowledged") || !strings.Contains(v.Advice[len(v.Advice)-1].ForGood, "TCP_KEEPIDLE") {
		t.Errorf("%s %+v", v.Sentence, v.Advice)
	}
	e.Socket.LastAck = e.Socket.Since.Add(-6 * time.Second)
	if v = diagnosis.Judge(&e); strings.Contains(v.Sentence, "idle") {
		t.Errorf("it was not idle: %s", v.Sentence)
	}
}

func TestHalfOpen(t *testing.T) {
	idle := func(change func(*diagnosis.Evidence)) diagnosis.Decision {
		e := calico()
		e.Socket.PacketsOut, e.Socket.Retransmits, e.Socket.Timeouts, e.Socket.Unacknowledged, e.Socket.Pending = 0, 0, 0, 0, flow.TimerNone
		change(&e)
		return diagnosis.Decide(&e)
	}
	for _, c := range []struct {
		name   string
		change func(*diagnosis.Evidence)
		want   diagnosis.Decision
	}{
		{"its backend was just deleted", func(*diagnosis.Evidence) {},
			diagnosis.Decision{Symptom: flow.HalfOpen, Cause: flow.StaleConntrack, AtOnce: true, Suppressed: flow.SuppressedAtRisk}},
		{"and its FIN can no longer come", func(e *diagnosis.Evidence) { e.Now = after(5) },
			diagnosis.Decision{Symptom: flow.HalfOpen, Cause: flow.StaleConntrack, AtOnce: true}},
		{"without a translation", func(e *diagnosis.Evidence) { headless(e); e.Now = after(5) },
			diagnosis.Decision{Symptom: flow.HalfOpen, Cause: flow.PeerDeleted, AtOnce: true}},
		{"and its address was given anew a moment ago", func(e *diagnosis.Evidence) {
			e.Backend.State, e.Backend.CreatedAt, e.Backend.Since, e.Now = flow.BackendListed, after(9), after(9), after(10)
			e.Backend.Former = &cluster.Former{Namespace: "default", Pod: "server-1", GoneAt: after(0)}
		}, diagnosis.Decision{Symptom: flow.HalfOpen, Cause: flow.AddressReused, AtOnce: true}},
		{"its backend lives", func(e *diagnosis.Evidence) { e.Backend.State = flow.BackendListed },
			diagnosis.Decision{Symptom: flow.HalfOpen, Cause: flow.PeerUnreachable, Healthy: true, Suppressed: flow.SuppressedAtRisk}},
		{"its backend is unlisted, not known to be dead", func(e *diagnosis.Evidence) { e.Backend.State, e.Now = flow.BackendUnlisted, after(60) },
			diagnosis.Decision{Symptom: flow.HalfOpen, Cause: flow.Unknown, Healthy: true}},
		{"a segment came just after the removal", func(e *diagnosis.Evidence) { e.Socket.LastAck, e.Now = after(0.3), after(6) },
			diagnosis.Decision{Symptom: flow.HalfOpen, Cause: flow.Unknown, Healthy: true}},
		{"a segment came after the removal, and long silent since", func(e *diagnosis.Evidence) {
			e.Socket.LastReceive, e.Socket.At, e.Now = after(0.3), after(600), after(600)
		}, diagnosis.Decision{Symptom: flow.HalfOpen, Cause: flow.Unknown, Healthy: true}},
		{"a segment came after the removal", func(e *diagnosis.Evidence) { e.Socket.LastAck, e.Socket.Since, e.Now = after(4), after(4), after(6) },
			diagnosis.Decision{Symptom: flow.HalfOpen, Cause: flow.Unknown, Healthy: true}},
	} {
		if diff := cmp.Diff(c.want, idle(c.change)); diff != "" {
			t.Errorf("%s: -want +got\n%s", c.name, diff)
		}
	}
}
