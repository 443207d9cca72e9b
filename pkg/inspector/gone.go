package inspector

import (
	"context"
	"maps"
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

const maxGone = 10_000 // peers that are gone and still watched for

// gonePeers are the backends that were deleted, with the connections that led
// to each. Idle sockets that point at one would never be seen otherwise: the
// kernel side is told of them, and its sweep finds them.
type gonePeers struct {
	peers   map[netip.Addr]gonePeer
	pending bool                    // something changed that the kernel side was not told
	unsure  map[netip.Addr]struct{} // addresses that changed while the records were out of date
}

// gonePeer is one address whose pod was deleted.
type gonePeer struct {
	since    time.Time
	tuples   []flow.Tuple // connections to it, as their sockets send them
	searched bool         // conntrack has answered
	// reused is true once another pod has the address: only the connections
	// in tuples are the dead one's.
	reused bool
}

// noteGone takes up which of the changed addresses are gone, given to another
// pod, or back, and returns those whose connections conntrack is to be searched
// for. Records that are out of date tell nothing of the kind: what changes
// meanwhile, also while they are being read anew, waits until they are trusted.
func (i *Inspector) noteGone(changed map[netip.Addr]struct{}) (gone []netip.Addr) {
	if i.outOfDate {
		maps.Copy(i.gone.unsure, changed)
		return nil
	}
	for addr := range i.gone.unsure {
		changed[addr] = struct{}{}
	}
	clear(i.gone.unsure)
	now := time.Now()
	for addr := range changed {
		b := i.o.Cluster.Backend(netip.AddrPortFrom(addr, 0), now)
		dead := b.State == flow.BackendDeleted && !b.HostNetwork
		peer, known := i.gone.peers[addr]
		switch {
		case dead && (!known || peer.reused || !peer.since.Equal(b.Since)):
			i.gone.makeRoom()
			i.gone.set(addr, gonePeer{since: b.Since, tuples: peer.tuples})
			gone = append(gone, addr)
		case dead || !known:
		case b.Former == nil:
			delete(i.gone.peers, addr)
			i.gone.pending = true
		case !peer.reused:
			peer.reused = true
			peer.tuples = append(peer.tuples, i.idleAt(addr)...)
			i.gone.set(addr, peer)
		}
	}
	return gone
}

func (g *gonePeers) set(addr netip.Addr, p gonePeer) {
	g.peers[addr] = p
	g.pending = true
}

// tuples returns the connections that led to each peer.
func (g *gonePeers) tuples() map[netip.Addr][]flow.Tuple {
	all := make(map[netip.Addr][]flow.Tuple, len(g.peers))
	for addr, peer := range g.peers {
		all[addr] = peer.tuples
	}
	return all
}

// makeRoom forgets the peer that has been gone for longest when there are too
// many.
func (g *gonePeers) makeRoom() {
	if len(g.peers) < maxGone {
		return
	}
	var oldest netip.Addr
	for addr, p := range g.peers {
		if !oldest.IsValid() || p.since.Before(g.peers[oldest].since) {
			oldest = addr
		}
	}
	delete(g.peers, oldest)
}

// idleAt returns the idle connections to addr that were found: once another
// pod has the address, they alone are the dead one's.
func (i *Inspector) idleAt(addr netip.Addr) []flow.Tuple {
	var tuples []flow.Tuple
	for _, f := range i.files {
		if f.evidence.Target().Addr() == addr && diagnosis.Symptom(f.evidence.Socket) == flow.HalfOpen {
			tuples = append(tuples, f.evidence.Socket.Tuple())
		}
	}
	return tuples
}

// tellGone tells the kernel side which peers are gone; it goes before every
// sweep. There is room for so many connections: the peers take turns.
func (i *Inspector) tellGone() {
	if !i.gone.pending {
		return
	}
	i.gone.pending = false
	var tuples []flow.Tuple
	addrs := make([]netip.Addr, 0, len(i.gone.peers))
	for addr, peer := range i.gone.peers {
		if !peer.reused {
			addrs = append(addrs, addr)
		}
	}
	for _, t := range inTurn(i.gone.tuples()) {
		tuples = append(tuples, t)
	}
	if err := i.o.Kernel.SetGone(tuples, addrs); err != nil {
		i.o.Log.Warn("idle connections to deleted backends may be missed", "error", err)
	}
}

// seekIdle returns the steps in which the kernel side looks for the idle
// sockets of gone peers. A removal may spend a pass over all sockets at once;
// where the budget for such passes is used up, the next regular round makes up
// for it.
func (i *Inspector) seekIdle() []step {
	swept := false
	return []step{
		func(ctx context.Context) {
			if swept = i.gone.pending && i.sweeps.allows(time.Now()); swept {
				i.sweep(ctx)
			}
		},
		func(ctx context.Context) {
			if swept {
				i.examine(ctx, i.lookAt(ctx, nil))
			}
		},
	}
}
