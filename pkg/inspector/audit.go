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
	owners := map[process]audit.Owner{}
	all := make([]audit.Connection, len(sockets))
	for n, s := range sockets {
		p := process{s.PID, s.Comm, s.Local.Addr()}
		owner, ok := owners[p]
		if !ok {
			owner = a.owner(p)
			owners[p] = owner
		}
		all[n] = audit.Connection{Socket: s, Owner: owner, Peer: a.peer(s)}
	}
	return audit.New(a.Node, time.Now(), all), nil
}

// process is what the owner of a socket is found by.
type process struct {
	pid  uint32
	comm string
	addr netip.Addr
}

// owner finds the workload of a process: by its control group or, where that
// tells nothing, by its address.
func (a *Auditor) owner(p process) audit.Owner {
	owner := audit.Owner{Comm: p.comm}
	pod, ok := a.Cluster.PodByIP(p.addr)
	if a.Owners != nil && p.pid != 0 {
		if at, err := a.Owners.Lookup(p.pid); err == nil && at.PodUID != "" {
			if known, found := a.Cluster.PodByUID(at.PodUID); found {
				pod, ok = known, true
				owner.Container = known.Container(at.Container)
			}
		}
	}
	if ok {
		owner.Namespace, owner.Workload, owner.WorkloadKind = pod.Namespace, cmp.Or(pod.Workload, pod.Name), pod.WorkloadKind
	}
	return owner
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
