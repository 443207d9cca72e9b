package cluster

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Socket is what the kernel says of one socket of a pod.
type Socket struct {
	State          flow.TCPState
	Unacknowledged uint32        // bytes written and not acknowledged
	Unsent         uint32        // of these, bytes that never left
	Retransmitted  uint32        // segments, since the connection was made
	HeldBack       time.Duration // by the peer's receive window, in all
	PeerWindow     uint32        // bytes that the peer may be sent
	RTO            time.Duration
}

// Socket looks up the pod's socket with this local address. Found is false
// where there is none.
func (c *Cluster) Socket(p *Pod, local netip.AddrPort) (s Socket, found bool, err error) {
	err = p.NS.Do(func() error {
		for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
			all, err := netlink.SocketDiagTCPInfo(family)
			if err != nil {
				return fmt.Errorf("list sockets of %s: %w", p.Name, err)
			}
			for _, d := range all {
				addr, _ := netip.AddrFromSlice(d.InetDiagMsg.ID.Source)
				if netip.AddrPortFrom(addr.Unmap(), d.InetDiagMsg.ID.SourcePort) != local || d.TCPInfo == nil {
					continue
				}
				found = true
				s = Socket{
					PeerWindow: d.TCPInfo.Snd_wnd,
					State:      flow.TCPState(d.InetDiagMsg.State), Unacknowledged: d.InetDiagMsg.WQueue, Unsent: d.TCPInfo.Notsent_bytes,
					Retransmitted: d.TCPInfo.Total_retrans, HeldBack: time.Duration(d.TCPInfo.Rwnd_limited) * time.Microsecond,
					RTO: time.Duration(d.TCPInfo.Rto) * time.Microsecond,
				}
			}
		}
		return nil
	})
	return s, found, err
}
