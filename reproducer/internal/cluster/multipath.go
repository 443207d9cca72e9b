package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// The kernel's path manager, as include/uapi/linux/mptcp_pm.h has it.
const (
	mptcpFamily = "mptcp_pm"
	mptcpAdd    = 1 // MPTCP_PM_CMD_ADD_ADDR, version 1

	mptcpAttrAddr   = 1 // MPTCP_PM_ATTR_ADDR, nested
	mptcpAddrFamily = 1
	mptcpAddrID     = 2
	mptcpAddr4      = 3
	mptcpAddr6      = 4
	mptcpAddrFlags  = 6

	mptcpSubflow = 1 << 1 // MPTCP_PM_ADDR_FLAG_SUBFLOW
)

// AddPath gives a pod a second address. The kernel then opens a further subflow from it on
// every MPTCP connection that the pod makes.
func (w *network) AddPath(p *Pod) (netip.Addr, error) {
	p.Node.allocated++
	second := host(p.Node.Block, p.Node.allocated+1)
	err := p.Node.NS.Do(func() error {
		link, err := netlink.LinkByName(p.link)
		if err != nil {
			return err
		}
		return routeTo(single(second), link)
	})
	err = errors.Join(err, p.NS.Do(func() error {
		if _, err := up(uplink, single(second)); err != nil {
			return err
		}
		return addEndpoint(second)
	}))
	if err != nil {
		return second, fmt.Errorf("add a path to pod %s: %w", p.Name, err)
	}
	w.report("pod %s has a second address, %s, and may open subflows from it", p.Name, second)
	return second, nil
}

// addEndpoint lets the path manager of the calling thread's namespace start
// subflows from an address.
func addEndpoint(a netip.Addr) error {
	family, err := genericFamily(mptcpFamily)
	if err != nil {
		return err
	}
	af, attr := uint16(unix.AF_INET6), mptcpAddr6
	if a.Is4() {
		af, attr = unix.AF_INET, mptcpAddr4
	}
	endpoint := nl.NewRtAttr(mptcpAttrAddr|unix.NLA_F_NESTED, nil)
	endpoint.AddRtAttr(mptcpAddrFamily, binary.NativeEndian.AppendUint16(nil, af))
	endpoint.AddRtAttr(mptcpAddrID, []byte{1})
	endpoint.AddRtAttr(attr, a.AsSlice())
	endpoint.AddRtAttr(mptcpAddrFlags, binary.NativeEndian.AppendUint32(nil, mptcpSubflow))

	if _, err := generic(family, mptcpAdd, 1, endpoint); err != nil {
		return fmt.Errorf("add MPTCP endpoint %s: %w", a, err)
	}
	return nil
}
