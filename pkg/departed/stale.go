package departed

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

const (
	staleLookups   = 250 // entries looked at, and shown, in one slow round
	lookupPatience = 200 * time.Millisecond
)

// Stale looks at the entries that led to a backend when it was deleted. Those
// that still lead there and whose flow is not held have outlived it. It does not
// look again for an entry that is gone or leads elsewhere. The backends take
// turns, so that one with many connections hides none. False: the context ended
// first. Stale calls held once: it returns which of the given connections have a flow
// in the ledger.
func (p *Peers) Stale(ctx context.Context, held func(of map[flow.Tuple]struct{}) map[flow.Tuple]struct{}) ([]flow.StaleEntry, bool) {
	if p.o.Conntrack == nil || len(p.peers) == 0 {
		return nil, true
	}
	flows := held(p.led())
	over := map[netip.Addr]map[flow.Tuple]bool{}
	var stale []flow.StaleEntry
	lookups := 0
	for addr, t := range inTurn(p.tuples()) {
		if lookups >= staleLookups {
			break
		}
		if ctx.Err() != nil {
			return nil, false
		}
		if _, ok := flows[t]; ok {
			continue
		}
		lookups++
		if entry, ok := p.leadsTo(ctx, t, addr); ok {
			stale = append(stale, p.staleEntry(entry))
			continue
		}
		if over[addr] == nil {
			over[addr] = map[flow.Tuple]bool{}
		}
		over[addr][t] = true
	}
	for addr, tuples := range over {
		at := p.peers[addr]
		at.tuples = slices.DeleteFunc(at.tuples, func(t flow.Tuple) bool { return tuples[t] })
		p.peers[addr] = at
	}
	return stale, true
}

// led returns the connections that led to any peer.
func (p *Peers) led() map[flow.Tuple]struct{} {
	all := map[flow.Tuple]struct{}{}
	for _, at := range p.peers {
		for _, t := range at.tuples {
			all[t] = struct{}{}
		}
	}
	return all
}

func (p *Peers) leadsTo(ctx context.Context, t flow.Tuple, addr netip.Addr) (flow.Translation, bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupPatience)
	defer cancel()
	entry, err := p.o.Conntrack.Lookup(ctx, t)
	return entry, err == nil && entry.Backend().Addr() == addr
}

func (p *Peers) staleEntry(entry flow.Translation) flow.StaleEntry {
	now := time.Now()
	b := p.o.Cluster.BackendVia(entry.Backend(), entry.Orig.Dst, now)
	return flow.StaleEntry{
		Client: entry.Orig.Src, Service: entry.Orig.Dst, Backend: entry.Backend(), Namespace: b.Namespace, Pod: b.Pod,
		DeletedAt: b.Since, ExpiresAt: now.Add(entry.Timeout), Command: entry.DeleteCommand(),
	}
}
