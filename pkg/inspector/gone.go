package inspector

import (
	"context"
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

const (
	sweepPatience = 2 * time.Second // for one search of the whole conntrack table
	maxGone       = 10_000          // peers that are gone and still watched for
)

// gonePeers are the backends that were deleted, with the connections that
// conntrack sends to each. Idle sockets that point at one would never be seen
// otherwise: the kernel side is told of them, and its sweep finds them.
type gonePeers struct {
	tuples map[netip.Addr][]flow.Tuple
	// reused are those of them whose address has another pod by now: only the
	// connections that conntrack named are the dead one's.
	reused  map[netip.Addr]bool
	pending bool // something changed that no sweep has seen yet
}

// noteGone takes up which of the changed addresses are gone, or back.
func (i *Inspector) noteGone(ctx context.Context, changed map[netip.Addr]struct{}) {
	now := time.Now()
	for addr := range changed {
		b := i.o.Cluster.Backend(netip.AddrPortFrom(addr, 0), now)
		gone := b.State == flow.BackendDeleted && !b.HostNetwork
		_, known := i.gone.tuples[addr]
		switch {
		case gone && !known && len(i.gone.tuples) < maxGone:
			i.gone.tuples[addr] = i.connectionsTo(ctx, addr)
			delete(i.gone.reused, addr)
			i.gone.pending = true
		case !gone && known && b.Former == nil:
			delete(i.gone.tuples, addr)
			i.gone.pending = true
		case !gone && known: // given to another pod, with connections of its own
			i.gone.reused[addr] = true
			i.gone.pending = true
		}
	}
}

// connectionsTo asks conntrack for the connections that it sends to addr.
func (i *Inspector) connectionsTo(ctx context.Context, addr netip.Addr) []flow.Tuple {
	if i.o.Conntrack == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, sweepPatience)
	defer cancel()
	began := time.Now()
	var tuples []flow.Tuple
	err := i.o.Conntrack.ByReplySource(ctx, addr, func(t flow.Translation) error {
		if t.Translated() {
			tuples = append(tuples, t.Orig)
		}
		return nil
	})
	took := time.Since(began)
	i.o.Meter.Sweep("conntrack", took)
	i.o.Meter.Lookup(flow.SourceConntrack, took, err)
	if err != nil {
		i.o.Log.Warn("conntrack could not be searched for the connections to a deleted backend", "backend", addr, "error", err)
	}
	return tuples
}

// seekIdle has the kernel side look for the idle sockets of gone peers. A
// removal may spend a pass over all sockets at once; where the budget for such
// passes is used up, the next regular round makes up for it.
func (i *Inspector) seekIdle(ctx context.Context) {
	if !i.gone.pending || !i.sweeps.allows(time.Now()) {
		return
	}
	i.gone.pending = false
	var tuples []flow.Tuple
	addrs := make([]netip.Addr, 0, len(i.gone.tuples))
	for addr, t := range i.gone.tuples {
		if !i.gone.reused[addr] || len(t) == 0 {
			addrs = append(addrs, addr)
		}
		tuples = append(tuples, t...)
	}
	if err := i.o.Kernel.SetGone(tuples, addrs); err != nil {
		i.o.Log.Warn("idle connections to deleted backends may be missed", "error", err)
	}
	i.sweep()
	i.examine(ctx, i.snapshot(ctx))
}
