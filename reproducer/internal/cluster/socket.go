package cluster

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Socket is the kernel's state of one socket of a pod.
type Socket struct {
	State          flow.TCPState
	Unacknowledged uint32        // bytes written and not acknowledged
	Acknowledged   uint64        // bytes, since the connection was made
	Unsent         uint32        // of these, bytes that never left
	Retransmitted  uint32        // segments, since the connection was made
	HeldBack       time.Duration // by the peer's receive window, in all
	PeerWindow     uint32        // bytes that the peer may be sent
	RTO            time.Duration
}

// Socket looks up the pod's socket with this local address. Found is false if there is
// none.
func (p *Pod) Socket(local netip.AddrPort) (s Socket, found bool, err error) {
	all, err := sockets(p, func(a netip.AddrPort) bool { return a == local })
	if len(all) > 0 {
		s, found = all[0], true
	}
	return s, found, err
}

// SocketsAt returns the pod's sockets with this local address, on any port.
func (p *Pod) SocketsAt(local netip.Addr) ([]Socket, error) {
	return sockets(p, func(a netip.AddrPort) bool { return a.Addr() == local })
}

func sockets(p *Pod, match func(local netip.AddrPort) bool) (matching []Socket, err error) {
	err = p.NS.Do(func() error {
		for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
			all, err := netlink.SocketDiagTCPInfo(family)
			if err != nil {
				return fmt.Errorf("list sockets of %s: %w", p.Name, err)
			}
			for _, d := range all {
				addr, _ := netip.AddrFromSlice(d.InetDiagMsg.ID.Source)
				if d.TCPInfo != nil && match(netip.AddrPortFrom(addr.Unmap(), d.InetDiagMsg.ID.SourcePort)) {
					matching = append(matching, readSocket(d))
				}
			}
		}
		return nil
	})
	return matching, err
}

func readSocket(d *netlink.InetDiagTCPInfoResp) Socket {
	const unit = time.Microsecond
	return Socket{
		State: flow.TCPState(d.InetDiagMsg.State), Unacknowledged: d.InetDiagMsg.WQueue, Unsent: d.TCPInfo.Notsent_bytes,
		Acknowledged: d.TCPInfo.Bytes_acked, Retransmitted: d.TCPInfo.Total_retrans, PeerWindow: d.TCPInfo.Snd_wnd,
		HeldBack: time.Duration(d.TCPInfo.Rwnd_limited) * unit, RTO: time.Duration(d.TCPInfo.Rto) * unit,
	}
}
