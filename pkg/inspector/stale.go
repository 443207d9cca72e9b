package inspector

import (
	"context"
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

const (
	staleLookups = 250 // entries looked at in one slow round
	staleKept    = 500 // entries shown
)

// checkStale looks at the entries that led to a backend when it was deleted:
// those that still do, and whose flow is none of the stuck ones, have outlived
// it. An entry that is gone, or leads elsewhere, is not asked for again.
func (i *Inspector) checkStale(ctx context.Context) {
	if i.o.Conntrack == nil || len(i.gone.peers) == 0 {
		i.store.setStale(nil)
		return
	}
	held := make(map[flow.Tuple]bool, len(i.files))
	for _, f := range i.files {
		held[f.evidence.Socket.Tuple()] = true
	}
	var stale []flow.StaleEntry
	lookups := 0
	for addr, peer := range i.gone.peers {
		var left []flow.Tuple
		for _, t := range peer.tuples {
			if ctx.Err() != nil {
				return
			}
			if held[t] || lookups >= staleLookups {
				left = append(left, t)
				continue
			}
			lookups++
			entry, ok := i.leadsTo(ctx, t, addr)
			if !ok {
				continue
			}
			left = append(left, t)
			if len(stale) < staleKept {
				stale = append(stale, i.staleEntry(entry))
			}
		}
		peer.tuples = left
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
