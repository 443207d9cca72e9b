package evidence

import (
	"cmp"
	"errors"
	"net/netip"
	"strings"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/owner"
)

// Names says whose a socket is and what its peer is. It is safe for concurrent use
// if Owners is.
type Names struct {
	Cluster   Cluster
	Owners    Owners // nil: processes are not looked up
	Places    Places
	HostNetNS uint32
}

// Owned is whose a socket is.
type Owned struct {
	flow.Local
	ProvenUID string // of the pod that was proven to have the socket; empty: none was
	User      string // proven user id of the process that last held the socket; empty: none was proven
}

// Whose returns whose a socket is, given what was known of it before. Its process, a
// proven pod and a proven user stay: a socket outlives its process, the pod outlives
// its record, and another pod may get its address.
func (n Names) Whose(s flow.Socket, before Owned) Owned {
	local := flow.Local{Addr: s.Local, PID: s.PID, Started: s.Started, Comm: s.Comm}
	if s.PID == 0 { // a snapshot from before the file scan
		local.PID, local.Started, local.Comm = before.PID, before.Started, before.Comm
	}
	process, err := n.process(flow.Process{PID: local.PID, Started: local.Started})
	local.Exited = errors.Is(err, owner.ErrGone)
	uid := cmp.Or(process.PodUID, before.ProvenUID, n.Places.Pod(s.NetNS))
	if uid != "" && before.PodUID == uid {
		local.Namespace, local.Pod, local.PodUID = before.Namespace, before.Pod, before.PodUID
		local.Workload, local.WorkloadKind, local.Container = before.Workload, before.WorkloadKind, before.Container
	}
	if pod, ok := n.pod(s, uid); ok && (local.PodUID == "" || local.PodUID == pod.UID) {
		local.Namespace, local.Pod, local.PodUID = pod.Namespace, pod.Name, pod.UID
		local.Workload, local.WorkloadKind = pod.Workload, pod.WorkloadKind
		local.Container = cmp.Or(pod.Container(process.Container), local.Container)
	}
	return Owned{local, uid, cmp.Or(process.User, before.User)}
}

func (n Names) process(p flow.Process) (flow.Owner, error) {
	if p.PID == 0 || n.Owners == nil {
		return flow.Owner{}, nil
	}
	return n.Owners.Lookup(p)
}

// pod returns the pod that a socket is in: the one with uid, if its process or
// its network namespace has proven that. Without proof, its local address names a
// pod, but only in that pod's own network namespace: not in the node's, not if no
// answer can reach the address, and not if the pod lives elsewhere.
func (n Names) pod(s flow.Socket, uid string) (cluster.Pod, bool) {
	if uid != "" {
		if pod, ok := n.Cluster.PodByUID(uid); ok {
			return pod, true
		}
	}
	// No record has this UID. A static pod's is a hash that the API does not
	// know, and a pod that runs a node is in no list of that node.
	if s.NetNS == n.HostNetNS || s.Foreign {
		return cluster.Pod{}, false
	}
	pod, ok := n.Cluster.PodByIP(s.Local.Addr())
	if !ok || n.Places.Elsewhere(pod.UID, s.NetNS) {
		return cluster.Pod{}, false
	}
	return pod, true
}

// Peer returns what the far end of a socket is, as the socket sees it, and the
// Service that its address belongs to. Client is the address that connected to an
// accepted socket, before any SNAT.
func (n Names) Peer(s flow.Socket, role flow.Role, client netip.AddrPort) (flow.Peer, *cluster.ServiceAddress) {
	p, addr := flow.Peer{Addr: s.Remote}, s.Remote
	if role == flow.Server {
		addr = client
	}
	p.Class = n.Cluster.Class(addr)
	if s.Remote.Addr().IsLoopback() || s.Remote.Addr() == s.Local.Addr() {
		p.Class = flow.PeerSelf
	}
	if p.Class == flow.PeerExternal {
		p.Name = n.Cluster.Label(addr.Addr())
	}
	if role != flow.Client {
		return p, nil
	}
	service, ok := n.Cluster.Service(s.Remote)
	if !ok {
		return p, nil
	}
	p.Namespace, p.Service = service.Namespace, service.Name
	return p, &service
}

// Host returns what a peer is if packets go to its address untranslated, even if
// a Service has that address as an external IP.
func (n Names) Host(p flow.Peer) flow.Peer {
	host := flow.Peer{Addr: p.Addr, Class: p.Class}
	if host.Class != flow.PeerSelf {
		host.Class = n.Cluster.Class(netip.AddrPortFrom(p.Addr.Addr(), 0))
	}
	if host.Class == flow.PeerExternal {
		host.Name = n.Cluster.Label(p.Addr.Addr())
	}
	return host
}

// listedBy names the one Service that lists a backend; empty: none, or several.
func listedBy(b cluster.Backend) (namespace, service string) {
	if len(b.Services) != 1 {
		return "", ""
	}
	namespace, service, _ = strings.Cut(b.Services[0], "/")
	return namespace, service
}
