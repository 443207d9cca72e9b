package cluster

import (
	"net/netip"
	"slices"
)

// address is who has one address now, by its own record, and who says so.
type address struct {
	pods     []*pod // living ones, not host-network
	claims   claims
	node     *node
	hostPods int // living host-network ones: they tell a node where none is listed
}

func (a *address) empty() bool { return len(a.pods) == 0 && a.claims.empty() && !a.isHost() }

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

// claimed returns what the slices of a namespace say of the address; empty:
// those of every one.
func (a *address) claimed(namespace string) []*claim {
	switch {
	case a == nil:
		return nil
	case namespace == "":
		return a.claims.all()
	}
	return a.claims.in(namespace)
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

// serves reports whether a slice speaks for a port.
func (s *Slice) serves(port uint16) bool { return s.AnyPort || slices.Contains(s.Ports, port) }
