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
	slice *slice
	ep    Endpoint
	since time.Time // when it came into its condition: listed, or terminating
}

func (l *listing) pod() Key { return Key{l.slice.Namespace, l.ep.Pod} }

// id identifies the pod that targetRef names; empty: there is none.
func (l *listing) id() string {
	if l.ep.Pod == "" {
		return ""
	}
	return podID(l.pod(), l.ep.PodUID)
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
	n := s.newSlice(sl, at)
	// The new listings first: an endpoint that stays, or that moves between
	// slices, was never unlisted.
	for i := range n.listings {
		s.list(&n.listings[i])
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

func (s *slice) serviceKey() Key { return Key{s.Namespace, s.Service} }

func (s *State) newSlice(sl Slice, at time.Time) *slice {
	n := &slice{Slice: sl, listings: make([]listing, 0, len(sl.Endpoints))}
	n.Namespace, n.Service, n.Endpoints = s.interned.of(sl.Namespace), s.interned.of(sl.Service), nil
	for _, e := range sl.Endpoints {
		e.Node = s.interned.of(e.Node)
		l := listing{slice: n, ep: e, since: at}
		if p := s.podsByID[l.id()]; p != nil { // share its strings
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
// same condition, that is since when it is.
func (s *State) list(l *listing) {
	a := s.at(l.ep.Addr)
	inherited := false
	for _, o := range a.listings {
		if o.id() == l.id() && o.ep.Terminating == l.ep.Terminating {
			l.since, inherited = o.since, true
		}
	}
	a.listings = append(a.listings, l)
	if !inherited {
		s.touch(l.ep.Addr)
	}
}

// unlist takes a listing from its address, and remembers it unless the pod
// is still listed there.
func (s *State) unlist(l *listing, head *Slice, at time.Time) {
	ip := l.ep.Addr
	a := s.addrs[ip]
	stays := false
	kept := a.listings[:0]
	for _, o := range a.listings {
		if o == l {
			continue
		}
		stays = stays || o.id() == l.id()
		kept = append(kept, o)
	}
	clear(a.listings[len(kept):])
	a.listings = kept
	if stays {
		return
	}
	f := former{id: l.id(), uid: l.ep.PodUID, node: l.ep.Node, slice: head, at: at}
	if l.ep.Pod != "" {
		f.pod = l.pod()
	}
	if p := s.podsByID[l.id()]; p != nil {
		f.created = p.CreatedAt
	}
	s.askPod(f.pod, f.uid, f.node, false)
	s.remember(ip, f)
	s.touch(ip)
	s.tidy(ip)
}

// touchListed marks every address of a slice: its service or ports changed.
func (s *State) touchListed(sl *slice) {
	for i := range sl.listings {
		s.touch(sl.listings[i].ep.Addr)
	}
}

// services returns the services that list an address at a port, sorted.
func (a *address) services(port uint16, of func(*listing) bool) []string {
	if a == nil {
		return nil
	}
	var names []string
	for _, l := range a.listings {
		if l.slice.Service != "" && l.slice.serves(port) && of(l) {
			names = append(names, l.slice.service())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
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
