package inspector

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/conntrack"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// seekGone returns the steps in which the connections to peers that have just
// gone are looked for: the searches of conntrack, then those that are idle.
func (i *Inspector) seekGone(gone []netip.Addr) []step {
	var steps []step
	for _, addrs := range conntrack.Searches(gone) {
		steps = append(steps, func(ctx context.Context) { _ = i.search(ctx, addrs) })
	}
	return append(steps, i.seekIdle()...)
}

// seekAgain returns the steps that make up for searches that failed. After one
// that fails anew the others wait for the next round. They mind the budget:
// where the table is so large that a search never ends in time, the loop would
// do nothing else.
func (i *Inspector) seekAgain() []step {
	var failed []netip.Addr
	for addr, peer := range i.gone.peers {
		if !peer.searched && (!peer.narrow || peer.claimed) {
			failed = append(failed, addr)
		}
	}
	var steps []step
	answered := true
	for _, addrs := range conntrack.Searches(failed) {
		steps = append(steps, func(ctx context.Context) {
			if answered && i.removals.allows(time.Now()) {
				answered = i.search(ctx, addrs)
			}
		})
	}
	return steps
}

// search asks conntrack, once, for the connections that it sends to these gone
// peers. One that fails leaves all of them to a later round, and is not answered.
func (i *Inspector) search(ctx context.Context, addrs []netip.Addr) (answered bool) {
	addrs = slices.DeleteFunc(addrs, func(addr netip.Addr) bool {
		peer, ok := i.gone.peers[addr]
		return !ok || peer.searched
	})
	if len(addrs) == 0 {
		return true
	}
	found, err := i.connectionsTo(ctx, addrs)
	if err != nil {
		i.o.Log.Warn("conntrack could not be searched for the connections to deleted backends; it is asked again", "backends", addrs, "error", err)
		return false
	}
	for _, addr := range addrs {
		peer := i.gone.peers[addr]
		peer.add(found[addr])
		peer.searched = true
		i.gone.set(addr, peer)
	}
	return true
}

// connectionsTo returns the translated connections to each of the addresses.
// What it takes is spent although a removal does not wait for the budget: what
// has to be asked again waits instead. The budget is the removals' own, so that
// a hundred of them do not keep a verdict from its search.
func (i *Inspector) connectionsTo(ctx context.Context, addrs []netip.Addr) (map[netip.Addr][]flow.Tuple, error) {
	if i.o.Conntrack == nil {
		return nil, nil
	}
	ctx, cancel := lookup(ctx, searchPatience)
	defer cancel()
	found := map[netip.Addr][]flow.Tuple{}
	began := time.Now()
	err := i.o.Conntrack.ByReplySource(ctx, addrs, func(t flow.Translation) error {
		if to := t.Reply.Src.Addr(); t.Translated() && i.deadEnd(t) {
			found[to] = append(found[to], t.Orig)
		}
		return nil
	})
	took := time.Since(began)
	i.removals.spend(took, time.Now())
	i.o.Meter.Sweep("conntrack", took)
	i.o.Meter.Lookup(flow.SourceConntrack, took, err)
	return found, err
}

// deadEnd reports whether an entry leads to a pod that is gone. Where only
// slices said that the pod had the address, that differs from one Service to
// the other.
func (i *Inspector) deadEnd(t flow.Translation) bool {
	if peer := i.gone.peers[t.Reply.Src.Addr().Unmap()]; !peer.claimed {
		return true
	}
	return i.o.Cluster.BackendVia(t.Reply.Src, t.Orig.Dst, time.Now()).State == flow.BackendDeleted
}
