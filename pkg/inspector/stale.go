package inspector

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

const staleLookups = 250 // entries looked at, and shown, in one slow round

// checkStale looks at the entries that led to a backend when it was deleted:
// those that still do, and whose flow is none of the stuck ones, have outlived
// it. An entry that is gone, or leads elsewhere, is not asked for again. The
// backends take turns, so that one with many connections hides none.
func (i *Inspector) checkStale(ctx context.Context) {
	if i.o.Conntrack == nil || len(i.gone.peers) == 0 {
		i.store.setStale(nil)
		return
	}
	held := make(map[flow.Tuple]bool, len(i.files))
	for _, f := range i.files {
		held[f.evidence.Socket.Tuple()] = true
	}
	over := map[netip.Addr]map[flow.Tuple]bool{}
	var stale []flow.StaleEntry
	lookups := 0
	for addr, t := range inTurn(i.gone.tuples()) {
		if lookups >= staleLookups {
			break
		}
		if ctx.Err() != nil {
			return
		}
		if held[t] {
			continue
		}
		lookups++
		if entry, ok := i.leadsTo(ctx, t, addr); ok {
			stale = append(stale, i.staleEntry(entry))
			continue
		}
		if over[addr] == nil {
			over[addr] = map[flow.Tuple]bool{}
		}
		over[addr][t] = true
	}
	for addr, tuples := range over {
		peer := i.gone.peers[addr]
		peer.tuples = slices.DeleteFunc(peer.tuples, func(t flow.Tuple) bool { return tuples[t] })
		i.gone.peers[addr] = peer
	}
	i.store.setStale(stale)
}

func (i *Inspector) leadsTo(ctx context.Context, t flow.Tuple, addr netip.Addr) (flow.Translation, bool) {
	ctx, cancel := lookup(ctx, patience)
	defer cancel()
	entry, err := i.o.Conntrack.Lookup(ctx, t)
	return entry, err == nil && entry.Backend().Addr() == addr
}

func (i *Inspector) staleEntry(entry flow.Translation) flow.StaleEntry {
	now := time.Now()
	b := i.o.Cluster.BackendVia(entry.Backend(), entry.Orig.Dst, now)
	return flow.StaleEntry{
		Client: entry.Orig.Src, Service: entry.Orig.Dst, Backend: entry.Backend(), Namespace: b.Namespace, Pod: b.Pod,
		DeletedAt: b.Since, ExpiresAt: now.Add(entry.Timeout), Command: entry.DeleteCommand(),
	}
}
