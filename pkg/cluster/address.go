package cluster

import (
	"net/netip"
	"slices"
	"time"
)

// address is who has, or lists, one address now.
type address struct {
	pods     []*pod // living ones, not host-network
	listings []*listing
	node     *node
	hostPods int // living host-network ones: they tell a node where none is listed
}

func (a *address) empty() bool { return len(a.pods) == 0 && len(a.listings) == 0 && !a.isHost() }

// isHost reports whether the address is a node's.
func (a *address) isHost() bool { return a != nil && (a.node != nil || a.hostPods > 0) }

// holder returns the pod that the address belongs to: the newest, where a
// reused one is seen before its last holder was seen to go.
func (a *address) holder() *pod {
	if a == nil || len(a.pods) == 0 {
		return nil
	}
	return slices.MaxFunc(a.pods, func(p, q *pod) int {
		if c := p.CreatedAt.Compare(q.CreatedAt); c != 0 {
			return c
		}
		return p.seen.Compare(q.seen)
	})
}

// at returns the record of an address, made if there is none.
func (s *State) at(ip netip.Addr) *address {
	a := s.addrs[ip]
	if a == nil {
		a = new(address)
		s.addrs[ip] = a
	}
	return a
}

// tidy drops the record of an address that nobody has or lists any more.
func (s *State) tidy(ip netip.Addr) {
	if a := s.addrs[ip]; a != nil && a.empty() {
		delete(s.addrs, ip)
	}
}

// former is somebody who had, or listed, an address and does not any more.
// What became of the pod is not in here: see State.fate.
type former struct {
	id      string // of the pod; empty: no targetRef named one
	pod     Key
	uid     string
	node    string
	created time.Time
	slice   *Slice // whose listing ended, without its endpoints; nil: the pod itself went
	at      time.Time
}

// formersPerAddress bounds what is remembered of one address.
const formersPerAddress = 8

// remember records that somebody left an address. Of one pod and service only
// the last time counts.
func (s *State) remember(ip netip.Addr, f former) {
	old, _ := s.formers.get(ip)
	list := make([]former, 0, len(old)+1)
	for _, o := range old {
		if o.id != f.id || o.service() != f.service() {
			list = append(list, o)
		}
	}
	list = append(list, f)
	s.formers.put(ip, list[max(0, len(list)-formersPerAddress):])
}

func (f former) service() string {
	if f.slice == nil {
		return ""
	}
	return f.slice.Service
}

// serves reports whether a slice speaks for a port.
func (s *Slice) serves(port uint16) bool { return s.AnyPort || slices.Contains(s.Ports, port) }
