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
	pod      departed
	tuples   []flow.Tuple // connections to it, as their sockets send them
	searched bool         // conntrack has answered
	// narrow is true where only the connections in tuples are the dead one's:
	// another pod has the address by now, or only slices said that it had it,
	// which counts for what their Service sent there.
	narrow bool
	// claimed is true where only slices said that the pod had the address.
	claimed bool
}

// add takes up connections that are not known yet.
func (p *gonePeer) add(tuples []flow.Tuple) {
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
		if i.noteOne(addr, now) {
			gone = append(gone, addr)
		}
	}
	return gone
}

// noteOne takes up what became of one address, and reports whether a pod is
// newly gone from it.
func (i *Inspector) noteOne(addr netip.Addr, now time.Time) bool {
	b := i.o.Cluster.Backend(netip.AddrPortFrom(addr, 0), now)
	peer, known := i.gone.peers[addr]
	if b.State == flow.BackendDeleted && !b.HostNetwork {
		pod := departed{b.Namespace, b.Pod, b.PodUID, b.Since}
		if known && !peer.narrow && peer.pod.same(pod) && peer.pod.at.Equal(pod.at) {
			return false
		}
		i.gone.makeRoom()
		i.gone.set(addr, gonePeer{pod: pod, tuples: peer.tuples})
		return true
	}
	since, departs := i.o.Cluster.Departed(addr)
	if departs && (!known || peer.claimed && !peer.pod.at.Equal(since)) {
		i.gone.makeRoom()
		i.gone.set(addr, gonePeer{pod: departed{at: since}, tuples: peer.tuples, narrow: true, claimed: true})
		return true
	}
	switch {
	case !known || peer.claimed && departs || !alive(b):
	case peer.claimed, peer.pod.isBack(b):
		delete(i.gone.peers, addr)
		i.gone.pending = true
	case !peer.narrow:
		peer.narrow = true
		peer.add(i.idleAt(addr))
		i.gone.set(addr, peer)
	}
	return false
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
		if !oldest.IsValid() || p.pod.at.Before(g.peers[oldest].pod.at) {
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
		if !peer.narrow {
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
