package cluster

import (
	"net/netip"
	"time"
)

// AddressKind tells what kind of service address an address is.
type AddressKind string

// The kinds of service address.
const (
	ClusterIP      AddressKind = "ClusterIP"
	ExternalIP     AddressKind = "external IP"
	LoadBalancerIP AddressKind = "load-balancer IP"
	NodePort       AddressKind = "NodePort"
)

// ServiceAddress is what a service address leads to.
type ServiceAddress struct {
	Namespace, Name string
	Kind            AddressKind
	Backends        int       // ready endpoints of the address's family
	Deleted         bool      // the service is gone, or gave this address up, and no other has it
	DeletedAt       time.Time // when that was seen
}

// service is a Service in the list, and what it holds.
type service struct {
	Service
	holds map[netip.AddrPort]*hold
}

// wants returns what a service claims. A ClusterIP is the service's whatever
// the port (port 0 says so); a NodePort has no address of its own.
func (s *service) wants() map[netip.AddrPort]AddressKind {
	c := make(map[netip.AddrPort]AddressKind)
	for _, port := range s.NodePorts {
		c[netip.AddrPortFrom(netip.Addr{}, port)] = NodePort
	}
	add := func(ips []netip.Addr, kind AddressKind) {
		for _, ip := range ips {
			for _, port := range s.Ports {
				c[netip.AddrPortFrom(ip, port)] = kind
			}
		}
	}
	add(s.ExternalIPs, ExternalIP)
	add(s.LoadBalancerIPs, LoadBalancerIP)
	add(s.ClusterIPs, ClusterIP)
	for _, ip := range s.ClusterIPs {
		c[netip.AddrPortFrom(ip, 0)] = ClusterIP
	}
	return c
}

// SetService records a Service as it is now.
func (s *State) SetService(svc Service, at time.Time) {
	s.write(func() { s.setService(svc, at) })
}

// DeleteService records that a Service went. Its addresses are remembered.
func (s *State) DeleteService(k Key, at time.Time) {
	s.write(func() { s.deleteService(k, at) })
}

func (s *State) setService(svc Service, at time.Time) {
	old := s.services[svc.Key()]
	if old != nil && old.equal(svc) {
		return
	}
	n := &service{svc, make(map[netip.AddrPort]*hold)}
	s.services[n.Key()] = n
	for addr, kind := range n.wants() {
		n.holds[addr] = &hold{owner: n, kind: kind}
		s.take(addr, n.holds[addr])
	}
	if old != nil {
		s.release(old, at)
	}
}

func (s *State) deleteService(k Key, at time.Time) {
	old := s.services[k]
	if old == nil {
		return
	}
	delete(s.services, k)
	s.release(old, at)
}

// release ends what a service holds: a ClusterIP may have been given again
// before its last owner was seen to go.
func (s *State) release(old *service, at time.Time) {
	for addr, h := range old.holds {
		s.loosen(addr, h, at)
	}
}

func (s *State) touchService(k Key) {
	if svc := s.services[k]; svc != nil {
		s.touch(svc.ClusterIPs...)
		s.touch(svc.ExternalIPs...)
		s.touch(svc.LoadBalancerIPs...)
	}
}

// Service returns the service that an address belongs to: a ClusterIP
// whatever the port, an external or load-balancer IP at a port of the
// service, a NodePort at an address of a node. Of several that claim it, it is
// the one that holds it most firmly (see holds). A deleted service is
// remembered until its address is given again.
func (s *State) Service(addr netip.AddrPort) (ServiceAddress, bool) {
	addr = unmap(addr)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.service(addr)
}

func (s *State) service(addr netip.AddrPort) (ServiceAddress, bool) {
	places := []netip.AddrPort{addr, netip.AddrPortFrom(addr.Addr(), 0)}
	if s.addrs[addr.Addr()].isHost() {
		places = append(places, netip.AddrPortFrom(netip.Addr{}, addr.Port()))
	}
	var best *hold
	for _, place := range places {
		if list := s.holds[place]; len(list) > 0 && (best == nil || list[0].before(best)) {
			best = list[0]
		}
	}
	var past *formerHold
	for _, place := range places {
		if f, ok := s.goneServices.get(place); ok && (past == nil || f.kind.strength() < past.kind.strength()) {
			past = &f
		}
	}
	switch {
	case best != nil && (past == nil || best.kind.strength() <= past.kind.strength()):
		k := best.owner.Key()
		return ServiceAddress{Namespace: k.Namespace, Name: k.Name, Kind: best.kind, Backends: s.ready(k, addr.Addr())}, true
	case past != nil:
		return ServiceAddress{
			Namespace: past.service.Namespace, Name: past.service.Name, Kind: past.kind, Deleted: true, DeletedAt: past.at,
		}, true
	}
	return ServiceAddress{}, false
}
