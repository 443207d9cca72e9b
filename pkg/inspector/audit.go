package inspector

import (
	"cmp"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/audit"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Connections reads every connection of the node.
type Connections interface {
	Audit() ([]flow.AuditSocket, error)
}

// Auditor answers which connections would hang if their peer vanished now. It
// keeps nothing between two audits.
type Auditor struct {
	Connections Connections
	Cluster     Cluster
	Owners      Owners // nil: owners are known by their process alone
	Places      Places
	Listening   *Listening
	HostNetNS   uint32
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
	if err := a.Places.Refresh(time.Now()); err != nil {
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
		s.Accepted = roleBySocket(s.Socket, a.Listening) == flow.Server
		all[n] = audit.Connection{Socket: s, Owner: owner, Peer: a.peer(s)}
	}
	return audit.New(a.Node, time.Now(), all), nil
}

// holder is what the owner of a socket is found by.
type holder struct {
	process flow.Process
	netns   uint32
	addr    netip.Addr
}

// owner finds the workload that a socket is in, as it does for a flow that is
// stuck.
func (a *Auditor) owner(s flow.Socket) audit.Owner {
	o := audit.Owner{Comm: s.Comm}
	var at flow.Owner
	if a.Owners != nil && s.PID != 0 {
		at, _ = a.Owners.Lookup(s.Process()) // of who went since, its namespace tells
	}
	if pod, ok := podOf(a.Cluster, a.Places, a.HostNetNS, s, cmp.Or(at.PodUID, a.Places.Pod(s.NetNS))); ok {
		o.Namespace, o.Workload, o.WorkloadKind = pod.Namespace, cmp.Or(pod.Workload, pod.Name), pod.WorkloadKind
		o.Container = pod.Container(at.Container)
	}
	return o
}

// peer names the other end so that many connections can share it.
func (a *Auditor) peer(s flow.AuditSocket) audit.Peer {
	p := audit.Peer{Class: a.Cluster.Class(s.Remote), Port: s.Remote.Port()}
	if s.Accepted {
		p.Port = s.Local.Port()
	}
	if s.Remote.Addr().IsLoopback() || s.Remote.Addr() == s.Local.Addr() {
		p.Class = flow.PeerSelf
		return p
	}
	if service, ok := a.Cluster.Service(s.Remote); ok && !s.Accepted {
		p.Namespace, p.Service = service.Namespace, service.Name
		return p
	}
	if pod, ok := a.Cluster.PodByIP(s.Remote.Addr()); ok {
		p.Namespace, p.Workload = pod.Namespace, cmp.Or(pod.Workload, pod.Name)
		return p
	}
	if p.Class == flow.PeerExternal {
		p.Name = a.Cluster.Label(s.Remote.Addr())
	}
	if p.Name == "" && !(s.Accepted && p.Class == flow.PeerExternal) {
		p.Address = s.Remote.Addr()
	}
	return p
}
