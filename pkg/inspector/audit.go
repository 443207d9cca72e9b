package inspector

import (
	"cmp"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/audit"
	"github.com/tcpstuck/tcpstuck/pkg/evidence"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Connections reads every connection of the node.
type Connections interface {
	Audit() ([]flow.AuditSocket, error)
}

// Auditor finds the connections that would hang if their peer vanished now. It
// keeps nothing between two audits.
type Auditor struct {
	Connections Connections
	Names       evidence.Names // the same as for stuck flows
	Listening   *evidence.Listening
	Node        string

	mu sync.Mutex // an audit costs a pass over all sockets: one at a time
}

// Audit makes one audit. It may be called from any goroutine.
func (a *Auditor) Audit() (audit.Report, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	sockets, err := a.Connections.Audit()
	if err != nil {
		return audit.Report{}, fmt.Errorf("read every connection: %w", err)
	}
	if err := a.Names.Places.Refresh(time.Now()); err != nil {
		return audit.Report{}, err
	}
	owners := map[holder]audit.Owner{}
	all := make([]audit.Connection, len(sockets))
	for n, s := range sockets {
		h := holder{s.Process(), s.NetNS, s.Local.Addr()}
		owner, ok := owners[h]
		if !ok {
			owner = a.owner(s.Socket)
			owners[h] = owner
		}
		role := evidence.RoleBySocket(s.Socket, a.Listening)
		s.Accepted = role == flow.Server
		all[n] = audit.Connection{Socket: s, Owner: owner, Peer: a.peer(s, role)}
	}
	return audit.New(a.Node, time.Now(), all), nil
}

// holder is the key by which the owner of a socket is found.
type holder struct {
	process flow.Process
	netns   uint32
	addr    netip.Addr
}

// owner returns the workload that a socket is in.
func (a *Auditor) owner(s flow.Socket) audit.Owner {
	whose := a.Names.Whose(s, evidence.Owned{})
	return audit.Owner{
		Namespace: whose.Namespace, Workload: cmp.Or(whose.Workload, whose.Pod), WorkloadKind: whose.WorkloadKind,
		Container: whose.Container, Comm: s.Comm,
	}
}

// peer names the other end so that many connections can share it.
func (a *Auditor) peer(s flow.AuditSocket, role flow.Role) audit.Peer {
	seen, service := a.Names.Peer(s.Socket, role, s.Remote)
	p := audit.Peer{Class: seen.Class, Port: s.Remote.Port()}
	if s.Accepted {
		p.Port = s.Local.Port()
	}
	if p.Class == flow.PeerSelf {
		return p
	}
	if service != nil {
		p.Namespace, p.Service = seen.Namespace, seen.Service
		return p
	}
	if pod, ok := a.Names.Cluster.PodByIP(s.Remote.Addr()); ok {
		p.Namespace, p.Workload = pod.Namespace, cmp.Or(pod.Workload, pod.Name)
		return p
	}
	p.Name = seen.Name
	if p.Name == "" && !(s.Accepted && p.Class == flow.PeerExternal) {
		p.Address = s.Remote.Addr()
	}
	return p
}
