package departed

import (
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/budget"
	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/ledger"
)

// Kernel takes the connections and addresses of backends that are gone.
type Kernel interface {
	SetGone(tuples []flow.Tuple, addrs []netip.Addr) error
}

// Conntrack finds the entries that lead to backends, and the entry of a
// connection.
type Conntrack interface {
	Lookup(ctx context.Context, tuple flow.Tuple) (flow.Translation, error)
	ByReplySource(ctx context.Context, addrs []netip.Addr, fn func(flow.Translation) error) error
}

// Cluster is what is known of backends.
type Cluster interface {
	Backend(addr netip.AddrPort, now time.Time) cluster.Backend
	BackendVia(addr, service netip.AddrPort, now time.Time) cluster.Backend
	Departed(addr netip.Addr) (since time.Time, ok bool)
}

// Meter measures the searches. Its methods must not block.
type Meter interface {
	Lookup(source flow.Source, took time.Duration, err error)
	Scan(kind string, took time.Duration)
}

// Options of Peers. All are required but Conntrack: nil is not searched.
type Options struct {
	Kernel    Kernel
	Conntrack Conntrack
	Cluster   Cluster
	Meter     Meter
	Removals  *budget.Budget // pays for searches
	Log       *slog.Logger
}

const maxGone = 10_000 // gone peers that are remembered

// Peers are the backends that were deleted, with the connections that led to
// each. It is for one goroutine.
type Peers struct {
	o       Options
	peers   map[netip.Addr]peer
	pending bool                    // the kernel side lacks a change
	unsure  map[netip.Addr]struct{} // addresses that changed while the records were out of date
}

// New returns Peers without a gone one.
func New(o Options) *Peers {
	return &Peers{o: o, peers: map[netip.Addr]peer{}, unsure: map[netip.Addr]struct{}{}}
}

// peer is one address whose pod was deleted.
type peer struct {
	pod      ledger.Departed
	tuples   []flow.Tuple // connections to it, as their sockets send them
	searched bool         // conntrack has answered
	// narrow is true if only the connections in tuples belonged to the gone pod:
	// another pod has the address by now, or only slices said that the gone one
	// had it, which counts for connections that their Service sent there.
	narrow bool
	// claimed is true if only slices said that the pod had the address.
	claimed bool
}

// add adds connections that are not known yet.
func (p *peer) add(tuples []flow.Tuple) {
	known := make(map[flow.Tuple]struct{}, len(p.tuples))
	for _, t := range p.tuples {
		known[t] = struct{}{}
	}
	for _, t := range tuples {
		if _, ok := known[t]; !ok {
			known[t] = struct{}{}
			p.tuples = append(p.tuples, t)
		}
	}
}

// Note records which of the changed addresses are gone, belong to another pod,
// or are back. It returns the addresses to search conntrack for. Records that
// are out of date prove none of this: a change meanwhile, also while the source
// reads them again, waits until they can be trusted. Idle returns the idle
// connections to an address that were found.
func (p *Peers) Note(changed map[netip.Addr]struct{}, outOfDate bool, idle func(netip.Addr) []flow.Tuple) (gone []netip.Addr) {
	if outOfDate {
		maps.Copy(p.unsure, changed)
		return nil
	}
	all := maps.Clone(changed)
	if all == nil {
		all = map[netip.Addr]struct{}{}
	}
	maps.Copy(all, p.unsure)
	clear(p.unsure)
	now := time.Now()
	for addr := range all {
		if p.note(addr, now, idle) {
			gone = append(gone, addr)
		}
	}
	return gone
}

// note records what became of one address, and reports whether a pod is newly
// gone from it.
func (p *Peers) note(addr netip.Addr, now time.Time, idle func(netip.Addr) []flow.Tuple) bool {
	b := p.o.Cluster.Backend(netip.AddrPortFrom(addr, 0), now)
	at, known := p.peers[addr]
	if b.State == flow.BackendDeleted && !b.HostNetwork {
		pod := ledger.Departed{Namespace: b.Namespace, Pod: b.Pod, UID: b.PodUID, At: b.Since}
		if known && !at.narrow && at.pod.Same(pod) && at.pod.At.Equal(pod.At) {
			return false
		}
		p.makeRoom()
		p.set(addr, peer{pod: pod, tuples: at.tuples})
		return true
	}
	since, departs := p.o.Cluster.Departed(addr)
	if departs && (!known || at.claimed && !at.pod.At.Equal(since)) {
		p.makeRoom()
		p.set(addr, peer{pod: ledger.Departed{At: since}, tuples: at.tuples, narrow: true, claimed: true})
		return true
	}
	switch {
	case !known || at.claimed && departs || !ledger.Alive(b):
	case at.claimed, at.pod.IsBack(b):
		delete(p.peers, addr)
		p.pending = true
	case !at.narrow: // once another pod has the address, only these belonged to the gone one
		at.narrow = true
		at.add(idle(addr))
		p.set(addr, at)
	}
	return false
}

func (p *Peers) set(addr netip.Addr, at peer) {
	p.peers[addr] = at
	p.pending = true
}

// tuples returns the connections that led to each peer.
func (p *Peers) tuples() map[netip.Addr][]flow.Tuple {
	all := make(map[netip.Addr][]flow.Tuple, len(p.peers))
	for addr, at := range p.peers {
		all[addr] = at.tuples
	}
	return all
}

// makeRoom forgets the peer that has been gone for longest, if there are too
// many.
func (p *Peers) makeRoom() {
	if len(p.peers) < maxGone {
		return
	}
	var oldest netip.Addr
	for addr, at := range p.peers {
		if !oldest.IsValid() || at.pod.At.Before(p.peers[oldest].pod.At) {
			oldest = addr
		}
	}
	delete(p.peers, oldest)
}

// Pending reports whether the kernel side lacks the latest changes.
func (p *Peers) Pending() bool { return p.pending }

// Give gives the kernel side the gone peers, before every file scan. The kernel
// side has room for a bounded number of connections: the peers take turns.
func (p *Peers) Give() {
	if !p.pending {
		return
	}
	p.pending = false
	var tuples []flow.Tuple
	addrs := make([]netip.Addr, 0, len(p.peers))
	for addr, at := range p.peers {
		if !at.narrow {
			addrs = append(addrs, addr)
		}
	}
	for _, t := range inTurn(p.tuples()) {
		tuples = append(tuples, t)
	}
	if err := p.o.Kernel.SetGone(tuples, addrs); err != nil {
		p.o.Log.Warn("idle connections to deleted backends may be missed", "error", err)
	}
}
