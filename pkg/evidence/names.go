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

// Names answers whose a socket is and what its peer is. It may be used from any
// goroutine if Owners may.
type Names struct {
	Cluster   Cluster
	Owners    Owners // nil: processes are not looked up
	Places    Places
	HostNetNS uint32
}

// Owned is whose a socket is.
type Owned struct {
	flow.Local
	ProvenUID string // of the pod that the socket was proven to be in; empty: not proven
	User      string // of the process that last held the socket, a user id that was proven; empty: not proven
}

// Whose returns whose a socket is, given what was known of it before. Once it is
// proven which pod a socket is in, that stays so: a socket outlives its process,
// the pod its record, and its address may be another pod's by then. So does the user.
func (n Names) Whose(s flow.Socket, before Owned) Owned {
	local := flow.Local{Addr: s.Local, PID: s.PID, Started: s.Started, Comm: s.Comm}
	if s.PID == 0 { // a snapshot from before the file scan
		local.PID, local.Started, local.Comm = before.PID, before.Started, before.Comm
	}
	process, err := n.process(flow.Process{PID: local.PID, Started: local.Started})
	if errors.Is(err, owner.ErrGone) {
		local.PID, local.Started, local.Comm = 0, 0, ""
	}
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

// pod returns the pod that a socket is in: the one with uid, which its process or
// its network namespace has proven. Without a proof, its local address names a
// pod in that pod's own network namespace: not in the node's, not where it is no
// address at all, and not where the pod does not live.
func (n Names) pod(s flow.Socket, uid string) (cluster.Pod, bool) {
	if uid != "" {
		if pod, ok := n.Cluster.PodByUID(uid); ok {
			return pod, true
		}
	}
	// No record has this UID: a static pod's is a hash that the API does not
	// know, and what runs a node in a pod is in no list of that node.
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

// Host returns what a peer is where packets go to its address as it is, whatever
// Service has that as an external IP.
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
