package audit

import (
	"cmp"
	"slices"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Connection is one socket, its owner, and its peer.
type Connection struct {
	Socket flow.AuditSocket
	Owner  Owner
	Peer   Peer
}

// New returns the report on the connections of a node.
func New(node string, at time.Time, all []Connection) Report {
	r := Report{APIVersion: flow.APIVersion, Node: node, At: at, Connections: len(all), Findings: []Finding{}, NotSeen: notSeen()}
	index := map[Edge]int{}
	for _, c := range all {
		if c.Peer.Class == flow.PeerSelf {
			r.Local++
			continue
		}
		e := Edge{Class: Classify(c.Socket.Socket), Role: role(c.Socket), Owner: c.Owner, Peer: c.Peer, Settings: settings(c.Socket)}
		if e.Class == Bounded {
			r.Bounded++
			continue
		}
		i, ok := index[e]
		if !ok {
			i = len(r.Findings)
			index[e] = i
			r.Findings = append(r.Findings, newFinding(e, c))
		}
		r.Findings[i].Connections++
	}
	slices.SortStableFunc(r.Findings, worse)
	return r
}

func role(s flow.AuditSocket) flow.Role {
	if s.Accepted {
		return flow.Server
	}
	return flow.Client
}

// worse orders by class, then by how many connections there are.
func worse(a, b Finding) int {
	rank := func(f Finding) int { return slices.Index(Classes(), f.Class) }
	return cmp.Or(
		cmp.Compare(rank(a), rank(b)),
		cmp.Compare(b.Connections, a.Connections),
		cmp.Compare(a.Owner.Namespace, b.Owner.Namespace),
		cmp.Compare(a.Owner.Workload, b.Owner.Workload),
		cmp.Compare(a.Owner.Comm, b.Owner.Comm),
		cmp.Compare(a.Peer.Service, b.Peer.Service),
		a.Peer.Address.Compare(b.Peer.Address),
		cmp.Compare(a.Peer.Port, b.Peer.Port),
	)
}

func notSeen() []string {
	return []string{
		"Time-outs that an application keeps itself (poll, epoll, the deadlines of its runtime, Java's setSoTimeout): a connection listed here may be bounded by one.",
		"SO_RCVTIMEO and SO_SNDTIMEO bound calls that block in read and write only, so they do not take a connection off this list.",
		"MPTCP connections, sockets that the kernel itself owns (NFS, iSCSI), and those that no file descriptor names.",
	}
}
