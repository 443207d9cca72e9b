package departed

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/conntrack"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// patience is the time limit of one search of the whole conntrack table.
const patience = 2 * time.Second

// Searches groups addresses by the search that finds their connections.
func Searches(gone []netip.Addr) [][]netip.Addr { return conntrack.Searches(gone) }

// Unsearched returns the addresses whose search failed or was not made.
func (p *Peers) Unsearched() []netip.Addr {
	var failed []netip.Addr
	for addr, at := range p.peers {
		if !at.searched && (!at.narrow || at.claimed) {
			failed = append(failed, addr)
		}
	}
	return failed
}

// MaySearch reports whether the budget allows to repeat a search that failed.
// Without it, if the table is so large that a search never ends in time, the
// loop would do nothing else.
func (p *Peers) MaySearch() bool { return p.o.Removals.Allows(time.Now()) }

// Search asks conntrack once for the connections that it sends to these gone
// peers. If it fails, all of them wait for a later round.
func (p *Peers) Search(ctx context.Context, addrs []netip.Addr) (answered bool) {
	addrs = slices.DeleteFunc(slices.Clone(addrs), func(addr netip.Addr) bool {
		at, ok := p.peers[addr]
		return !ok || at.searched
	})
	if len(addrs) == 0 {
		return true
	}
	found, err := p.connectionsTo(ctx, addrs)
	if err != nil {
		p.o.Log.Warn("conntrack could not be searched for the connections to deleted backends; it is asked again", "backends", addrs, "error", err)
		return false
	}
	for _, addr := range addrs {
		at := p.peers[addr]
		at.add(found[addr])
		at.searched = true
		p.set(addr, at)
	}
	return true
}

// connectionsTo returns the translated connections to each of the addresses. The
// budget pays for the search, although a removal does not wait for the budget:
// repeated searches wait instead. The budget is only for removals, so that a
// hundred of them do not delay the search for a verdict.
func (p *Peers) connectionsTo(ctx context.Context, addrs []netip.Addr) (map[netip.Addr][]flow.Tuple, error) {
	if p.o.Conntrack == nil {
		return nil, nil
	}
	// A search that has begun is finished, even if the agent is to end.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	found := map[netip.Addr][]flow.Tuple{}
	began := time.Now()
	err := p.o.Conntrack.ByReplySource(ctx, addrs, func(t flow.Translation) error {
		if to := t.Reply.Src.Addr(); t.Translated() && p.deadEnd(t) {
			found[to] = append(found[to], t.Orig)
		}
		return nil
	})
	took := time.Since(began)
	p.o.Removals.Charge(took, time.Now())
	p.o.Meter.Scan("conntrack", took)
	p.o.Meter.Lookup(flow.SourceConntrack, took, err)
	return found, err
}

// deadEnd reports whether an entry leads to a pod that is gone. If only slices
// said that the pod had the address, the answer depends on the Service.
func (p *Peers) deadEnd(t flow.Translation) bool {
	if at := p.peers[t.Reply.Src.Addr().Unmap()]; !at.claimed {
		return true
	}
	return p.o.Cluster.BackendVia(t.Reply.Src, t.Orig.Dst, time.Now()).State == flow.BackendDeleted
}
