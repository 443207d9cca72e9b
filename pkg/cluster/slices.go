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

// service returns the service as namespace/name, or the slice where no
// service owns it.
func (s *Slice) service() string {
	if s.Service == "" {
		return "slice " + s.Key().String()
	}
	return s.Namespace + "/" + s.Service
}

func (s *slice) equal(t Slice) bool {
	head := t
	head.Endpoints = nil
	return s.Slice.equal(head) && slices.EqualFunc(s.listings, t.Endpoints, func(l listing, e Endpoint) bool { return l.ep == e })
}

// SetSlice records an EndpointSlice as it is now.
func (s *State) SetSlice(sl Slice, at time.Time) {
	s.write(func() { s.setSlice(sl, at) })
}

// DeleteSlice records that an EndpointSlice went.
func (s *State) DeleteSlice(k Key, at time.Time) {
	s.write(func() { s.deleteSlice(k, at) })
}

func (s *State) setSlice(sl Slice, at time.Time) {
	old := s.slices[sl.Key()]
	if old != nil && old.equal(sl) {
		return
	}
	n := s.newSlice(sl)
	// The new listings first: an endpoint that stays, or that moves between
	// slices, was never unlisted.
	for i := range n.listings {
		s.list(&n.listings[i], at)
	}
	if old != nil {
		if !old.Slice.equal(n.Slice) {
			s.touchListed(n)
		}
		s.dropSlice(old, at)
	}
	s.slices[n.Key()] = n
	s.slicesOf[n.serviceKey()] = append(s.slicesOf[n.serviceKey()], n)
	s.touchService(n.serviceKey())
}

func (s *State) deleteSlice(k Key, at time.Time) {
	old := s.slices[k]
	if old == nil {
		return
	}
	delete(s.slices, k)
	s.dropSlice(old, at)
	s.touchService(old.serviceKey())
}

func (s *State) dropSlice(old *slice, at time.Time) {
	k := old.serviceKey()
	s.slicesOf[k] = slices.DeleteFunc(s.slicesOf[k], func(x *slice) bool { return x == old })
	if len(s.slicesOf[k]) == 0 {
		delete(s.slicesOf, k)
	}
	head := old.Slice // its ports and service outlive its endpoints
	for i := range old.listings {
		s.unlist(&old.listings[i], &head, at)
	}
}

func (s *Slice) serviceKey() Key { return Key{s.Namespace, s.Service} }

func (s *State) newSlice(sl Slice) *slice {
	n := &slice{Slice: sl, listings: make([]listing, 0, len(sl.Endpoints))}
	n.Namespace, n.Service, n.Endpoints = s.interned.of(sl.Namespace), s.interned.of(sl.Service), nil
	for _, e := range sl.Endpoints {
		e.Node = s.interned.of(e.Node)
		l := listing{slice: n, ep: e}
		if p := s.pod(l.pod()); p != nil { // share its strings
			l.ep.Pod, l.ep.PodUID = p.Name, p.UID
		}
		n.listings = append(n.listings, l)
		n.family4 = n.family4 || e.Addr.Is4()
		if e.Ready {
			n.ready++
		}
	}
	return n
}

// list adds a listing to its address. Where the pod is listed there in the
// same condition, nothing is new.
func (s *State) list(l *listing, at time.Time) {
	ip, a := l.ep.Addr, s.at(l.ep.Addr)
	c := a.claims.get(l.pod())
	fresh := c == nil
	if fresh {
		c = &claim{}
	}
	if c.add(l, at) {
		s.touch(ip)
	}
	if fresh {
		a.claims.put(c)
	}
}

// unlist takes a listing from its address, and remembers it unless the pod
// is still listed there.
func (s *State) unlist(l *listing, head *Slice, at time.Time) {
	ip, pod, c, a := l.ep.Addr, l.pod(), l.claim, s.addrs[l.ep.Addr]
	if turned := c.remove(l, at); c.listings > 0 {
		if turned {
			s.touch(ip)
		}
		return
	}
	a.claims.drop(pod, c)
	s.past.unlisted(ip, former{pod: pod, node: l.ep.Node, slice: head, at: at})
	s.askPod(pod, l.ep.Node, ip, false)
	s.touch(ip)
	s.tidy(ip)
}

// touchListed marks every address of a slice: its service or ports changed.
func (s *State) touchListed(sl *slice) {
	for i := range sl.listings {
		s.touch(sl.listings[i].ep.Addr)
	}
}

// ready counts the ready endpoints of a service for an address family.
func (s *State) ready(k Key, family netip.Addr) int {
	n := 0
	for _, sl := range s.slicesOf[k] {
		if sl.family4 == family.Is4() {
			n += sl.ready
		}
	}
	return n
}
