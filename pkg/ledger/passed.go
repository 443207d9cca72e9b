package ledger

import (
	"hash/maphash"
	"net/netip"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// mostPassed bounds how many suppressed flows without room are remembered.
const mostPassed = 1 << 17

// passedOver are suppressed flows that found no room. The agent asks the sources about
// such a flow again only when it moves or is reconsidered. So a flood of them costs only
// what this keeps.
type passedOver struct {
	flows map[flow.ID]passed
	seed  maphash.Seed
}

// passed is where a flow stood, and the hashes of its n addresses.
type passed struct {
	una    uint32
	n      int32
	hashes [mostAddresses]uint32
}

func newPassedOver() passedOver {
	return passedOver{flows: map[flow.ID]passed{}, seed: maphash.MakeSeed()}
}

func (p *passedOver) add(e *Entry) {
	if len(p.flows) >= mostPassed {
		for id := range p.flows { // any one: the sources are only asked about it again
			delete(p.flows, id)
			break
		}
	}
	all, n := addresses(e)
	is := passed{una: e.reading.una, n: int32(n)}
	for i, ip := range all[:n] {
		is.hashes[i] = p.hash(ip)
	}
	p.flows[e.ID()] = is
}

// over reports whether a flow was passed over and has not moved since.
func (p *passedOver) over(s flow.Socket) bool {
	is, ok := p.flows[s.ID]
	if ok && is.una != s.Una {
		delete(p.flows, s.ID)
		return false
	}
	return ok
}

func (p *passedOver) forget(id flow.ID) { delete(p.flows, id) }

// forgetAt forgets the flows that have one of these addresses (nil: all), and reports whether
// there were any. Those of another address with the same hash are forgotten, too.
func (p *passedOver) forgetAt(addrs map[netip.Addr]struct{}) (found bool) {
	if addrs == nil {
		found = len(p.flows) > 0
		clear(p.flows)
		return found
	}
	among := make(map[uint32]struct{}, len(addrs))
	for a := range addrs {
		among[p.hash(a.As16())] = struct{}{}
	}
	for id, is := range p.flows {
		for _, h := range is.hashes[:is.n] {
			if _, ok := among[h]; ok {
				delete(p.flows, id)
				found = true
				break
			}
		}
	}
	return found
}

func (p *passedOver) hash(ip [16]byte) uint32 { return uint32(maphash.Bytes(p.seed, ip[:])) }

// Reconsider has the sources asked again about the passed-over flows that have one of these
// addresses, because the records of an address have changed. Nil means all flows, because
// trust in the records has turned.
func (l *Ledger) Reconsider(addrs map[netip.Addr]struct{}) {
	if l.passed.forgetAt(addrs) {
		l.owed.again()
	}
}
