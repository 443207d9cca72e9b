package ledger

import "net/netip"

// At returns the flows that have one of these addresses: as their own, as their
// peer's, or as the one that conntrack has for either. It visits every flow, and
// unpacks none.
func At(entries []*Entry, addrs map[netip.Addr]struct{}) (found []*Entry) {
	among := make(ips, len(addrs))
	for a := range addrs {
		among[a.As16()] = struct{}{}
	}
	for _, e := range entries {
		if among.have(e) {
			found = append(found, e)
		}
	}
	return found
}

// ips are addresses in the form in which entries have them.
type ips map[[16]byte]struct{}

func (s ips) have(e *Entry) bool {
	all, n := addresses(e)
	for _, ip := range all[:n] {
		if _, ok := s[ip]; ok {
			return true
		}
	}
	return false
}

const mostAddresses = 4

// addresses returns a flow's n addresses: the socket's two, and conntrack's.
func addresses(e *Entry) (all [mostAddresses][16]byte, n int) {
	all[0], all[1] = e.reading.remote.ip, e.reading.local.ip
	t := e.facts.conntrack.entry
	if t == nil {
		return all, 2
	}
	all[2], all[3] = t.reply[0].ip, t.orig[0].ip
	return all, mostAddresses
}
