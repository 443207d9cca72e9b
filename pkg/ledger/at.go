package ledger

import "net/netip"

// At returns the held flows that have one of these addresses: as their own, as their
// peer's, or as the one that conntrack has for either. It visits every flow, and
// makes nothing for those that it does not return.
func (l *Ledger) At(addrs map[netip.Addr]struct{}) []*Entry {
	among := make(ips, len(addrs))
	for a := range addrs {
		among[a.As16()] = struct{}{}
	}
	var found []*Entry
	for _, s := range l.table.slots {
		if s.entry.isAt(among) {
			found = append(found, s.entry)
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

func (e *Entry) isAt(among ips) bool {
	if among.has(e.reading.remote) || among.has(e.reading.local) {
		return true
	}
	t := e.facts.conntrack.entry
	return t != nil && (among.has(t.reply[0]) || among.has(t.orig[0]))
}
