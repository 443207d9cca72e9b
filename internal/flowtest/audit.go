package flowtest

import (
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/audit"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Audit returns the audit of a node with a finding of every class.
func Audit() audit.Report {
	client := audit.Owner{Namespace: "default", Workload: "client", WorkloadKind: "Deployment", Container: "main", Comm: "client"}
	gateway := audit.Owner{Namespace: "istio-system", Workload: "gateway", WorkloadKind: "Deployment", Container: "istio-proxy", Comm: "envoy"}
	service := audit.Peer{Class: flow.PeerService, Namespace: "default", Service: "server", Port: 8000}
	outside := audit.Peer{Class: flow.PeerExternal, Port: 8443}
	database := audit.Peer{Class: flow.PeerExternal, Name: "orders-db", Port: 5432}
	host := audit.Peer{Class: flow.PeerExternal, Address: netip.MustParseAddr("2001:db8::7"), Port: 443}
	self := audit.Peer{Class: flow.PeerSelf, Port: 8000}

	all := []audit.Connection{
		{Socket: connection(0x1f3a), Owner: client, Peer: service},
		{Socket: connection(0x1f3b), Owner: client, Peer: service},
		{Socket: bounded(0x2a01, true, 0), Owner: gateway, Peer: service},
		{Socket: bounded(0x2a02, true, 90*time.Second), Owner: client, Peer: service},
		{Socket: bounded(0x2a03, true, 20*time.Second), Owner: client, Peer: service},
		{Socket: bounded(0x2a04, true, 3*time.Minute), Owner: client, Peer: database},
		{Socket: bounded(0x2a05, false, 30*time.Second), Owner: audit.Owner{Comm: "curl"}, Peer: host},
		{Socket: connection(0x2a06), Owner: client, Peer: self},
	}
	waits := connection(0x2b00)
	waits.Comm, waits.ReceiveTimeout = "java", 5*time.Second
	accepted := connection(0x2b01)
	accepted.Comm, accepted.Accepted = "envoy", true
	all = append(all,
		audit.Connection{Socket: waits, Owner: audit.Owner{Comm: "java"}, Peer: database},
		audit.Connection{Socket: accepted, Owner: gateway, Peer: outside},
	)
	return audit.New("node-a", Now(), all)
}

// connection is a socket as the kernel makes it, without any bound.
func connection(id flow.ID) flow.AuditSocket {
	return flow.AuditSocket{Socket: flow.Socket{
		ID: id, State: flow.Established, PID: 4711, Comm: "client", Retries2: 15, RTOMax: 2 * time.Minute,
		Local: netip.MustParseAddrPort("192.168.75.2:43580"), Remote: netip.MustParseAddrPort("10.96.0.10:8000"),
		KeepaliveIdle: 2 * time.Hour, KeepaliveInterval: 75 * time.Second, KeepaliveProbes: 9,
	}}
}

// bounded is one with keepalive of 90 s, or a user timeout, or both.
func bounded(id flow.ID, keepalive bool, userTimeout time.Duration) flow.AuditSocket {
	s := connection(id)
	s.UserTimeout = userTimeout
	if keepalive {
		s.Keepalive, s.KeepaliveIdle, s.KeepaliveInterval, s.KeepaliveProbes = true, time.Minute, 10*time.Second, 3
	}
	return s
}
