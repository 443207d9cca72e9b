package cluster

import (
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Options of a State.
type Options struct {
	// MaxStaleness is how long the source may be down before its records
	// prove nothing any more.
	MaxStaleness time.Duration
	// Names are labels for addresses outside the cluster.
	Names []Name
	// Clients are prefixes of clients that come and go; IPv4-mapped ones are unmapped.
	Clients []netip.Prefix
	// Node is the name of this node; empty: not known.
	Node string
	// Memory bounds each record of the past (pods, endpoints, services and
	// nodes that were deleted), in entries; 0: 10,000.
	Memory int
}

const defaultMemory = 10_000

// State is what is known of the cluster. It may be used from any goroutine.
//
// It takes over the slices in what it is given, and shares those in what it
// returns: neither may be changed.
type State struct {
	guarded
	outside
}

// New returns a State that knows nothing yet: until the first
// SetHealth(true, …) every backend is unknown.
func New(opts Options) *State {
	return &State{guarded: guarded{records: newRecords(opts)}, outside: outside{newNames(opts.Names), newClients(opts.Clients)}}
}

// Changed receives when TakeChanged or Health may have something new. Several
// changes may give one signal.
func (s *State) Changed() <-chan struct{} { return s.records.changes.signal }

// TakeChanged returns the backend and service addresses whose answer may
// have changed since the last call. It is empty when only the health of the
// source changed, which concerns every address.
func (s *State) TakeChanged() map[netip.Addr]struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records.changes.take()
}

// Backend judges the address that packets go to. Only flow.BackendDeleted
// means that the backend is gone: a pod that had this very address, by its own
// record, was deleted, was replaced by another one of its name, or finished. A
// host-network address is never gone while its node is in the list. If the
// source is out of date at now, the state is flow.BackendUnknown, and How says
// why.
//
// With port 0 it judges the address whatever the port. Only a judgement for a
// flow, with its port, asks the source for more (see Lookups).
func (s *State) Backend(addr netip.AddrPort, now time.Time) Backend {
	return s.BackendVia(addr, netip.AddrPort{}, now)
}

// BackendVia is Backend for connections that were opened to a Service's
// address and translated. kube-proxy went by the Service's own slices. So their
// claim that the pod was there counts, even if the source has not read the pod's
// record. If the address belongs to no Service, it makes no difference.
func (s *State) BackendVia(addr, service netip.AddrPort, now time.Time) Backend {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.records.backend(unmap(addr), unmap(service), now)
}

// Departed returns since when a pod is gone for which only slices claim, or
// claimed, the address. Whether the pod had it depends on the connection:
// BackendVia says.
func (s *State) Departed(ip netip.Addr) (since time.Time, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.records.departed(ip.Unmap())
}

// NotePeers records that this node has connections to these addresses. If only
// slices say which pod has one, it asks for that pod, but not urgently: once the
// pod is gone, nothing can prove that it had the address.
func (s *State) NotePeers(ips map[netip.Addr]struct{}) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	s.records.notePeers(ips)
}

// Class returns what kind of peer an address is. It never returns
// flow.PeerSelf: only the socket shows that. With port 0 it leaves out the
// Services that have the address as an external or load-balancer IP.
func (s *State) Class(addr netip.AddrPort) flow.PeerClass {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.records.class(unmap(addr))
}

// Service returns the Service that an address belongs to: a ClusterIP
// whatever the port, an external or load-balancer IP at a port of the
// Service, a NodePort at an address of a node. If several Services have it,
// the one with the strongest claim counts (see bindings). A deleted Service is
// remembered until another one has its address.
func (s *State) Service(addr netip.AddrPort) (ServiceAddress, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.records.service(unmap(addr))
}

// ClusterIPs returns the ClusterIPs of at most limit Services in the list, in
// no particular order: each call may return others.
func (s *State) ClusterIPs(limit int) []netip.Addr {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.records.services.clusterIPs(limit)
}

// PodByIP returns the living pod that an address belongs to, never a
// host-network or a finished one.
func (s *State) PodByIP(ip netip.Addr) (Pod, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.records.addrs.of(ip.Unmap()).holder()
	if p == nil {
		return Pod{}, false
	}
	return p.Pod, true
}

// PodByUID returns the pod with that UID, if it is in the list.
func (s *State) PodByUID(uid string) (Pod, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.records.pods.byUID[uid]
	if p == nil {
		return Pod{}, false
	}
	return p.Pod, true
}

// KnowsNode reports whether the records use that name for a node. Pods say
// which node they run on, but an agent may have been given another name.
func (s *State) KnowsNode(name string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.records.nodes.byName[name] != nil || s.records.source.limited && s.records.source.podsOf == name
}

// Health returns how far the source can be trusted.
func (s *State) Health(now time.Time) flow.Health {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.records.source.health(now)
}

// OutOfDate reports whether the records, or the absence of a pod, prove
// nothing any more. Earlier conclusions then have to be drawn again.
func (s *State) OutOfDate(now time.Time) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.records.source.distrust(now) != "" || s.records.source.podlessTooLong(now)
}
