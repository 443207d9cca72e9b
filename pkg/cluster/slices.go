package cluster

import (
	"net/netip"
	"slices"
	"time"
)

// slice is an EndpointSlice in the list. Its endpoints are its listings.
type slice struct {
	Slice    // Endpoints is nil
	listings []listing
	ready    int
	family4  bool
}

// listing is one endpoint of a slice.
type listing struct {
	slice      *slice
	ep         Endpoint
	claim      *claim
	prev, next *listing // of the same claim
}

// pod returns what targetRef names: a pod of the slice's own namespace.
func (l *listing) pod() ref {
	if l.ep.Pod == "" {
		return ref{Key: Key{Namespace: l.slice.Namespace}}
	}
	return ref{Key{l.slice.Namespace, l.ep.Pod}, l.ep.PodUID}
}

func (s *slice) equal(t Slice) bool {
	head := t
	head.Endpoints = nil
	return s.Slice.equal(head) && slices.EqualFunc(s.listings, t.Endpoints, func(l listing, e Endpoint) bool { return l.ep == e })
}

// endpointSlices are the EndpointSlices in the list. What they list stands as
// claims in the index of addresses.
type endpointSlices struct {
	byKey     map[Key]*slice
	byService map[Key][]*slice
	addrs     *addresses
	pods      *pods
	past      *past
	changes   *changes
	interned  interner
	asker     asker
}

// set records an EndpointSlice as it is now. It reports whether that changed
// anything.
func (s *endpointSlices) set(sl Slice, at time.Time) (changed bool) {
	old := s.byKey[sl.Key()]
	if old != nil && old.equal(sl) {
		return false
	}
	fresh := s.build(sl)
	// The new listings come first: an endpoint that stays, or that moves to
	// another slice, must not look as if it had left.
	for i := range fresh.listings {
		s.list(&fresh.listings[i], at)
	}
	if old != nil {
		if !old.Slice.equal(fresh.Slice) { // its Service or its ports changed
			for i := range fresh.listings {
				s.changes.mark(fresh.listings[i].ep.Addr)
			}
		}
		s.remove(old, at)
	}
	s.byKey[fresh.Key()] = fresh
	s.byService[fresh.serviceKey()] = append(s.byService[fresh.serviceKey()], fresh)
	return true
}

// delete records that an EndpointSlice was deleted. It returns the Service
// that the slice belonged to.
func (s *endpointSlices) delete(k Key, at time.Time) (service Key, deleted bool) {
	old := s.byKey[k]
	if old == nil {
		return Key{}, false
	}
	delete(s.byKey, k)
	s.remove(old, at)
	return old.serviceKey(), true
}

func (s *endpointSlices) remove(old *slice, at time.Time) {
	k := old.serviceKey()
	s.byService[k] = slices.DeleteFunc(s.byService[k], func(x *slice) bool { return x == old })
	if len(s.byService[k]) == 0 {
		delete(s.byService, k)
	}
	head := old.Slice // the past keeps its ports and Service, without its endpoints
	for i := range old.listings {
		s.unlist(&old.listings[i], &head, at)
	}
}

// build returns the record of a slice. It shares strings with other records.
func (s *endpointSlices) build(sl Slice) *slice {
	fresh := &slice{Slice: sl, listings: make([]listing, 0, len(sl.Endpoints))}
	fresh.Namespace, fresh.Service, fresh.Endpoints = s.interned.of(sl.Namespace), s.interned.of(sl.Service), nil
	for _, e := range sl.Endpoints {
		e.Node = s.interned.of(e.Node)
		l := listing{slice: fresh, ep: e}
		if p := s.pods.get(l.pod()); p != nil {
			l.ep.Pod, l.ep.PodUID = p.Name, p.UID
		}
		fresh.listings = append(fresh.listings, l)
		fresh.family4 = fresh.family4 || e.Addr.Is4()
		if e.Ready {
			fresh.ready++
		}
	}
	return fresh
}

// list adds a listing to the claims of its address. Where the pod is listed
// there already, in the same condition, nothing changes.
func (s *endpointSlices) list(l *listing, at time.Time) {
	ip, entry := l.ep.Addr, s.addrs.at(l.ep.Addr)
	c := entry.claims.get(l.pod())
	fresh := c == nil
	if fresh {
		c = &claim{}
	}
	if c.add(l, at) {
		s.changes.mark(ip)
	}
	if fresh {
		entry.claims.add(c)
	}
}

// unlist takes a listing from the claims of its address. The past keeps the
// claim if that was its last listing.
func (s *endpointSlices) unlist(l *listing, head *Slice, at time.Time) {
	ip, pod, c, entry := l.ep.Addr, l.pod(), l.claim, s.addrs.of(l.ep.Addr)
	if turned := c.remove(l, at); c.listings > 0 {
		if turned {
			s.changes.mark(ip)
		}
		return
	}
	entry.claims.remove(pod, c)
	s.past.addClaim(ip, former{pod: pod, node: l.ep.Node, slice: head, at: at})
	s.asker.pod(pod, l.ep.Node, ip, false)
	s.changes.mark(ip)
	s.addrs.tidy(ip)
}

// ready counts the ready endpoints of a Service for an address family.
func (s *endpointSlices) ready(service Key, family netip.Addr) int {
	n := 0
	for _, sl := range s.byService[service] {
		if sl.family4 == family.Is4() {
			n += sl.ready
		}
	}
	return n
}
