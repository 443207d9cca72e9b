package cluster

import (
	"net/netip"
	"time"
)

// AddressKind is the kind of a service address.
type AddressKind string

// The kinds of service address.
const (
	ClusterIP      AddressKind = "ClusterIP"
	ExternalIP     AddressKind = "external IP"
	LoadBalancerIP AddressKind = "load-balancer IP"
	NodePort       AddressKind = "NodePort"
)

// ServiceAddress is the Service that an address belongs to.
type ServiceAddress struct {
	Namespace, Name string
	Kind            AddressKind
	Backends        int       // ready endpoints of the address's family
	Deleted         bool      // the Service was deleted, or gave this address up, and no other one has it
	DeletedAt       time.Time // when that was seen
}

// service is a Service in the list, and its addresses.
type service struct {
	Service
	bindings map[netip.AddrPort]*binding
}

// addresses returns the addresses in the Service's record. A ClusterIP is the
// Service's whatever the port: port 0 says so. A NodePort has no address of its
// own.
func (s Service) addresses() map[netip.AddrPort]AddressKind {
	all := make(map[netip.AddrPort]AddressKind)
	for _, port := range s.NodePorts {
		all[netip.AddrPortFrom(netip.Addr{}, port)] = NodePort
	}
	add := func(ips []netip.Addr, kind AddressKind) {
		for _, ip := range ips {
			for _, port := range s.Ports {
				all[netip.AddrPortFrom(ip, port)] = kind
			}
		}
	}
	add(s.ExternalIPs, ExternalIP)
	add(s.LoadBalancerIPs, LoadBalancerIP)
	add(s.ClusterIPs, ClusterIP)
	for _, ip := range s.ClusterIPs {
		all[netip.AddrPortFrom(ip, 0)] = ClusterIP
	}
	return all
}

// services are the Services in the list, the addresses that they bind, and the
// addresses that lost their Service.
type services struct {
	byKey   map[Key]*service
	bound   map[netip.AddrPort]bindings
	ended   *fifo[netip.AddrPort, endedBinding]
	changes *changes
}

// set records a Service as it is now.
func (s *services) set(svc Service, at time.Time) {
	old := s.byKey[svc.Key()]
	if old != nil && old.equal(svc) {
		return
	}
	fresh := &service{svc, make(map[netip.AddrPort]*binding)}
	s.byKey[fresh.Key()] = fresh
	for addr, kind := range svc.addresses() {
		fresh.bindings[addr] = &binding{owner: fresh, kind: kind}
		s.bind(addr, fresh.bindings[addr])
	}
	if old != nil {
		s.release(old, at)
	}
}

// delete records that a Service was deleted.
func (s *services) delete(k Key, at time.Time) {
	if old := s.byKey[k]; old != nil {
		delete(s.byKey, k)
		s.release(old, at)
	}
}

// release ends the bindings of a Service's old record.
func (s *services) release(old *service, at time.Time) {
	for addr, b := range old.bindings {
		s.unbind(addr, b, at)
	}
}

func (s *services) bind(addr netip.AddrPort, b *binding) {
	s.bound[addr] = s.bound[addr].add(b)
	// A weaker binding does not take the past of an address whose Service was
	// deleted.
	if e, ok := s.ended.get(addr); ok && b.kind.rank() <= e.kind.rank() {
		s.ended.drop(addr)
	}
	s.changes.mark(addr.Addr())
}

// unbind ends a binding. It is remembered if the address was this Service's,
// and no other Service has it as firmly.
func (s *services) unbind(addr netip.AddrPort, b *binding, when time.Time) {
	first := b.at == 0
	left := s.bound[addr].remove(b)
	if s.bound[addr] = left; len(left) == 0 {
		delete(s.bound, addr)
	}
	if first && (len(left) == 0 || left[0].kind.rank() > b.kind.rank()) {
		key := b.owner.Key()
		s.ended.put(key.Namespace, addr, endedBinding{service: key, kind: b.kind, at: when})
	}
	s.changes.mark(addr.Addr())
}

// mark marks the addresses of a Service: the number of its backends changed.
func (s *services) mark(k Key) {
	if svc := s.byKey[k]; svc != nil {
		s.changes.mark(svc.ClusterIPs...)
		s.changes.mark(svc.ExternalIPs...)
		s.changes.mark(svc.LoadBalancerIPs...)
	}
}

// at returns the Service that an address belongs to, without the number of its
// backends. With nodePorts the address is a node's.
func (s *services) at(addr netip.AddrPort, nodePorts bool) (ServiceAddress, bool) {
	places := []netip.AddrPort{addr, netip.AddrPortFrom(addr.Addr(), 0)}
	if nodePorts {
		places = append(places, netip.AddrPortFrom(netip.Addr{}, addr.Port()))
	}
	best, ended := s.firstBound(places), s.firstEnded(places)
	switch {
	case best != nil && (ended == nil || best.kind.rank() <= ended.kind.rank()):
		k := best.owner.Key()
		return ServiceAddress{Namespace: k.Namespace, Name: k.Name, Kind: best.kind}, true
	case ended != nil:
		return ServiceAddress{
			Namespace: ended.service.Namespace, Name: ended.service.Name, Kind: ended.kind, Deleted: true, DeletedAt: ended.at,
		}, true
	}
	return ServiceAddress{}, false
}

func (s *services) firstBound(places []netip.AddrPort) (best *binding) {
	for _, place := range places {
		if list := s.bound[place]; len(list) > 0 && (best == nil || list[0].before(best)) {
			best = list[0]
		}
	}
	return best
}

func (s *services) firstEnded(places []netip.AddrPort) (best *endedBinding) {
	for _, place := range places {
		if e, ok := s.ended.get(place); ok && (best == nil || e.kind.rank() < best.kind.rank()) {
			best = &e
		}
	}
	return best
}

// clusterIPs returns the ClusterIPs of at most limit Services.
func (s *services) clusterIPs(limit int) []netip.Addr {
	var ips []netip.Addr
	for _, svc := range s.byKey {
		if len(ips) >= limit {
			break
		}
		ips = append(ips, svc.ClusterIPs...)
	}
	return ips
}
