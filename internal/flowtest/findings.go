// Package flowtest gives tests a node's worth of realistic findings.
package flowtest

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Now returns the moment at which the findings of this package are read.
func Now() time.Time { return time.Date(2026, 3, 1, 14, 2, 23, 300e6, time.UTC) }

// Calico returns the case that gave tcpstuck its name.
func Calico() flow.Finding {
	now := Now()
	f := base(0x1f3a)
	f.Local = pod("192.168.75.2:43580", "client", "client-6c9f7d8b5c-x7x2k")
	f.Peer = flow.Peer{Class: flow.PeerService, Addr: netip.MustParseAddrPort("10.96.0.10:8000"), Namespace: "default", Service: "server"}
	f.Backend = deletedBackend()
	f.Symptom, f.Cause = flow.Retransmitting, flow.StaleConntrack
	f.Sentence = "default/client-6c9f7d8b5c-x7x2k sends to default/server, but conntrack on this node still translates it to 192.168.136.2:8000, " +
		"which was pod default/server-7d9c4b6f5-qk2jm until it was deleted at 14:02:11. Nothing has been acknowledged for 12 s. " +
		"The kernel gives up at 14:17:30 at the latest; deleting the conntrack entry makes the next retransmission reach a living backend, which resets it."
	f.Advice = []flow.Advice{
		{Now: "conntrack -D -p tcp --orig-src 192.168.75.2 --orig-dst 10.96.0.10 --sport 43580 --dport 8000"},
		{ForGood: "set TCP_USER_TIMEOUT (for example 30 s) on the client's connections"},
	}
	f.Evidence = []flow.Evidence{
		{Source: "kernel", Asked: "does 192.168.75.2:43580 → 10.96.0.10:8000 make progress?", Answer: "no: 6 timeouts, 6 B unacknowledged since 14:02:11", At: now.Add(-11900 * time.Millisecond)},
		{Source: "conntrack", Asked: "where does 192.168.75.2:43580 → 10.96.0.10:8000 go?", Answer: "to 192.168.136.2:8000 (ESTABLISHED, expires in 298 s)", At: now.Add(-11899 * time.Millisecond)},
		{Source: "cluster", Asked: "who is 192.168.136.2:8000?", Answer: "pod default/server-7d9c4b6f5-qk2jm, deleted 14:02:11", At: now.Add(-11898 * time.Millisecond)},
	}
	f.History = []flow.Step{
		{At: now.Add(-12300 * time.Millisecond), What: "progress stopped at 6 unacknowledged bytes"},
		{At: now.Add(-12100 * time.Millisecond), What: "the backend 192.168.136.2:8000 was deleted"},
		{At: now.Add(-11900 * time.Millisecond), What: "first retransmission timeout: found, Retransmitting · StaleConntrack"},
	}
	f.GivesUp = exactly(time.Date(2026, 3, 1, 14, 17, 30, 0, time.UTC))
	return f
}

// Egress returns a database outside the cluster that went silent.
func Egress() flow.Finding {
	f := base(0x2b01)
	f.Local = pod("192.168.75.9:51004", "orders", "orders-0")
	f.Local.Namespace, f.Local.WorkloadKind, f.Local.Container = "shop", "StatefulSet", "orders"
	f.Peer = flow.Peer{Class: flow.PeerExternal, Addr: netip.MustParseAddrPort("203.0.113.5:5432"), Name: "orders-db"}
	f.Backend = &flow.Backend{Addr: netip.MustParseAddrPort("203.0.113.5:5432"), State: flow.BackendUnknown}
	f.Cause, f.Sentence = flow.PeerSilent, "shop/orders-0 hears nothing from orders-db (203.0.113.5:5432), which is outside the cluster: no record says why."
	f.Since, f.Timeouts, f.RTO = Now().Add(-95*time.Second), 8, 51200*time.Millisecond
	f.Unacknowledged, f.Unsent, f.SendBufferUsed = 1448, 44888, 0.53
	f.UserTimeout, f.GivesUp = 2*time.Minute, exactly(Now().Add(25*time.Second))
	f.Advice = []flow.Advice{{Now: "ask whoever runs orders-db"}, {ForGood: "keep TCP_USER_TIMEOUT, it works here"}}
	return f
}

// Unknown returns a flow for which evidence is missing.
func Unknown() flow.Finding {
	f := base(0x2b7c)
	f.Local = flow.Local{Addr: netip.MustParseAddrPort("172.18.0.3:39122"), PID: 812, Comm: "kubelet"}
	f.Peer = flow.Peer{Class: flow.PeerNode, Addr: netip.MustParseAddrPort("172.18.0.2:6443")}
	f.Cause, f.Sentence = flow.Unknown, "kubelet[812] hears nothing from 172.18.0.2:6443. The cause is not known: the cluster source is 2 minutes behind."
	f.Since, f.Timeouts, f.RTO = Now().Add(-3*time.Minute), 9, 102400*time.Millisecond
	f.Unacknowledged, f.GivesUp = 517, flow.GivesUp{}
	return f
}

// Never returns a zero window that is answered for ever, over IPv6.
func Never() flow.Finding {
	f := base(0x31d4)
	f.Family = 6
	f.Local = pod("[fd00:10:244:1::5]:40022", "exporter", "exporter-5f6d-9xwzp")
	f.Local.Namespace = "batch"
	f.Peer = flow.Peer{Class: flow.PeerPod, Addr: netip.MustParseAddrPort("[fd00:10:244:2::7]:9000"), Namespace: "batch"}
	f.Backend = &flow.Backend{Addr: f.Peer.Addr, Namespace: "batch", Pod: "sink-0", Node: "node-b", State: flow.BackendListed}
	f.Symptom, f.Cause, f.ZeroWindow = flow.ZeroWindow, flow.SlowReader, true
	f.Sentence = "batch/exporter-5f6d-9xwzp has 65,536 B that batch/sink-0 does not read: it answers every probe with a closed window."
	f.Since, f.Timeouts, f.RTO = Now().Add(-2*time.Hour-5*time.Minute), 0, 2*time.Minute
	f.Unacknowledged, f.Unsent, f.SendBufferUsed = 0, 65536, 1
	f.Keepalive, f.GivesUp = true, flow.GivesUp{Never: true}
	return f
}

// Ended returns a flow that the kernel aborted.
func Ended() flow.Finding {
	f := Calico()
	f.ID = 0x1e00
	f.Local.Addr = netip.MustParseAddrPort("192.168.75.2:43111")
	f.Since, f.EndedAt = Now().Add(-20*time.Minute), Now().Add(-4*time.Minute)
	f.At = f.EndedAt
	f.Backend.Since = f.Since
	f.Outcome, f.Err, f.Unsent, f.Timeouts = flow.TimedOut, "ETIMEDOUT", 2048, 15
	f.GivesUp = exactly(f.EndedAt)
	f.Sentence = "default/client-6c9f7d8b5c-x7x2k sent to default/server through a conntrack entry of a deleted backend until the kernel gave up."
	f.Evidence = nil
	f.History = []flow.Step{
		{At: f.EndedAt, What: "the kernel gave up: ETIMEDOUT"}, // shown last, whatever its place
		{At: f.Since, What: "progress stopped at 6 unacknowledged bytes"},
	}
	return f
}

// Accepted returns an accepted socket whose client pod was deleted.
func Accepted() flow.Finding {
	f := base(0x4400)
	f.Role = flow.Server
	f.Local = pod("192.168.75.20:8443", "gateway", "gateway-77b8-2l5xd")
	f.Local.Namespace = "edge"
	f.Peer = flow.Peer{Class: flow.PeerPod, Addr: netip.MustParseAddrPort("192.168.136.30:60044"), Namespace: "default"}
	f.Backend = &flow.Backend{Addr: f.Peer.Addr, Namespace: "default", Pod: "crawler-1", Node: "node-b", State: flow.BackendDeleted, Since: Now().Add(-40 * time.Second)}
	f.Symptom, f.Cause = flow.HalfOpen, flow.PeerDeleted
	f.Sentence = "edge/gateway-77b8-2l5xd waits for default/crawler-1, which was deleted; without keepalive it waits for ever."
	f.Since, f.Timeouts, f.RTO, f.Unacknowledged, f.GivesUp = Now().Add(-40*time.Second), 0, 0, 0, flow.GivesUp{Never: true}
	return f
}

// Crowd returns n findings of the given number of workloads that all point
// at the backend of Calico. The soonest abort deadline is in 11m40s.
func Crowd(n, workloads int) []flow.Finding {
	fs := make([]flow.Finding, 0, n)
	for i := range n {
		f := Calico()
		f.ID = flow.ID(0x9000 + i)
		name := fmt.Sprintf("client-%02d", i%workloads)
		f.Local = pod(fmt.Sprintf("192.168.75.%d:%d", 30+i%workloads, 33000+i), name, name+"-5b7f9c-zq4rt")
		f.GivesUp = exactly(Now().Add(11*time.Minute + 40*time.Second + time.Duration(i)*time.Second))
		fs = append(fs, f)
	}
	return fs
}

// Suppressed returns n suppressed accepted sockets of vanished external clients, and
// one that has only its FIN outstanding.
func Suppressed(n int) []flow.Finding {
	fs := make([]flow.Finding, 0, n+1)
	for i := range n {
		f := Accepted()
		f.ID = flow.ID(0xa000 + i)
		f.Peer = flow.Peer{Class: flow.PeerExternal, Addr: netip.AddrPortFrom(netip.MustParseAddr("198.51.100.7"), uint16(20000+i))}
		f.Backend, f.Symptom, f.Cause, f.Suppressed = nil, flow.Retransmitting, flow.PeerSilent, flow.SuppressedExternalClient
		f.Unacknowledged, f.GivesUp = 100, exactly(Now().Add(time.Hour))
		fs = append(fs, f)
	}
	f := Calico()
	f.ID, f.State, f.Suppressed = 0xb000, flow.LastAck, flow.SuppressedClosing
	f.Unacknowledged = 0
	return append(fs, f)
}

// Findings returns one live finding of every kind, none of them suppressed.
func Findings() []flow.Finding {
	return []flow.Finding{Calico(), Egress(), Unknown(), Never(), Accepted()}
}

func base(id flow.ID) flow.Finding {
	return flow.Finding{
		ID: id, BootID: "6b8f7b4e-4d0f-4a5e-9a55-0d9a2f0f5d10", Node: "node-a", NetNS: 4026532590,
		Role: flow.Client, State: flow.Established, Family: 4, Symptom: flow.Retransmitting,
		At: Now(), Since: Now().Add(-12300 * time.Millisecond), Timeouts: 6, RTO: 12800 * time.Millisecond,
		Unacknowledged: 6, SendBufferUsed: 0.01,
	}
}

func pod(addr, workload, name string) flow.Local {
	return flow.Local{
		Addr: netip.MustParseAddrPort(addr), Namespace: "default", Pod: name, PodUID: "uid-" + name,
		Workload: workload, WorkloadKind: "Deployment", Container: "main", PID: 4711, Comm: "echo",
	}
}

func deletedBackend() *flow.Backend {
	return &flow.Backend{
		Addr: netip.MustParseAddrPort("192.168.136.2:8000"), Namespace: "default", Pod: "server-7d9c4b6f5-qk2jm",
		Node: "node-b", State: flow.BackendDeleted, Since: Now().Add(-12100 * time.Millisecond),
	}
}

// exactly is a time that is known.
func exactly(at time.Time) flow.GivesUp { return flow.GivesUp{At: at, By: at} }
