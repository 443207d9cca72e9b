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

func (s ips) has(a address) bool {
	_, ok := s[a.ip]
	return ok
}

func (s ips) have(e *Entry) bool {
	if s.has(e.reading.remote) || s.has(e.reading.local) {
		return true
	}
	t := e.facts.conntrack.entry
	return t != nil && (s.has(t.reply[0]) || s.has(t.orig[0]))
}
