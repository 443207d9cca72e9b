package cluster

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
)

const (
	heldBurst = 200 // bytes that leave a shaped pod at once; then a byte a second does
	// A burst of the last size lets neighbour discovery through, and no segment with data.
	tinyBurst4, tinyBurst6 = 60, 90
)

// HoldSent lets what a pod sends wait in a queue of its own interface, for a minute at least.
func (f *ownSide) HoldSent(p *Pod) error {
	f.net.report("a shaper holds what pod %s sends", p.Name)
	return f.shape(p, heldBurst, spendBurst)
}

// SlowSent lets what a pod sends wait for a fraction of a second each.
func (f *ownSide) SlowSent(p *Pod) error {
	f.net.report("a shaper slows down what pod %s sends", p.Name)
	return f.onUplink(p, func(link netlink.Link) error { return netlink.QdiscReplace(tokenBucket(link, 2000, heldBurst)) })
}

// QueueNothing lets a queue of a pod's own interface drop every segment with data.
func (f *ownSide) QueueNothing(p *Pod) error {
	f.net.report("a queue drops what pod %s sends", p.Name)
	burst := tinyBurst6
	if p.Addr.Is4() {
		burst = tinyBurst4
	}
	return f.shape(p, burst, func(netip.Addr) error { return nil })
}

// shape replaces the queue of a pod's interface, and then does something.
func (f *ownSide) shape(p *Pod, burst int, then func(from netip.Addr) error) error {
	return f.onUplink(p, func(link netlink.Link) error {
		if err := netlink.QdiscReplace(tokenBucket(link, 1, burst)); err != nil {
			return err
		}
		if err := keepNeighbours(link); err != nil {
			return err
		}
		return then(p.Addr)
	})
}

// keepNeighbours makes what is known of a link's neighbours last: questions for them would wait in
// the queue, too.
func keepNeighbours(link netlink.Link) error {
	known, err := netlink.NeighList(link.Attrs().Index, netlink.FAMILY_ALL)
	if err != nil {
		return err
	}
	for _, n := range known {
		if len(n.HardwareAddr) == 0 {
			continue
		}
		n.State = netlink.NUD_PERMANENT
		if err := netlink.NeighSet(&n); err != nil {
			return err
		}
	}
	return nil
}

func (f *ownSide) onUplink(p *Pod, do func(netlink.Link) error) error {
	err := p.NS.Do(func() error {
		link, err := netlink.LinkByName(uplink)
		if err != nil {
			return err
		}
		return do(link)
	})
	if err != nil {
		return fmt.Errorf("queue of pod %s: %w", p.Name, err)
	}
	return nil
}

// tokenBucket lets a burst through, in bytes, and then so many bytes a second.
func tokenBucket(link netlink.Link, rate, burst int) *netlink.Tbf {
	const perSecond = 1_000_000_000 / 64 // ticks of the packet scheduler
	return &netlink.Tbf{
		QdiscAttrs: netlink.QdiscAttrs{LinkIndex: link.Attrs().Index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT},
		Rate:       uint64(rate), Buffer: uint32(burst * perSecond / rate), Limit: 1 << 20,
	}
}

// spendBurst sends a datagram of the burst's size to nobody, from the calling thread's
// namespace.
func spendBurst(from netip.Addr) error {
	nobody, headers := "192.0.2.1:9", 14+20+8
	if !from.Is4() {
		nobody, headers = "[2001:db8:ffff::1]:9", 14+40+8
	}
	conn, err := net.Dial("udp", nobody)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write(make([]byte, heldBurst-headers-1))
	return err
}
