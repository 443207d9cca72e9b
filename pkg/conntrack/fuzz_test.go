package conntrack

import (
	"net/netip"
	"testing"

	"github.com/mdlayher/netlink"
	"github.com/ti-mo/netfilter"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// FuzzDecode reads what no kernel would send: nothing may crash the agent,
// and what is read is an entry of TCP.
func FuzzDecode(f *testing.F) {
	for _, addrs := range [][2]string{{"192.168.75.2:43580", "10.96.0.10:8000"}, {"[fd00::2]:43580", "[fd00::10]:8000"}} {
		t := flow.Tuple{Src: netip.MustParseAddrPort(addrs[0]), Dst: netip.MustParseAddrPort(addrs[1])}
		msg, err := request(t.Src.Addr(), netlink.Request,
			tupleAttribute(attrTupleOrig, t), tupleAttribute(attrTupleReply, t.Reverse()),
			netfilter.Attribute{Type: 3, Data: []byte{0, 0, 0, 0x0e}},           // CTA_STATUS
			netfilter.Attribute{Type: 7, Data: []byte{0, 0, 1, 0x2c}},           // CTA_TIMEOUT
			nested(4, nested(1, netfilter.Attribute{Type: 1, Data: []byte{3}})), // CTA_PROTOINFO, its state
			netfilter.Attribute{Type: 18, Data: []byte{0, 9}},                   // CTA_ZONE
		)
		if err != nil {
			f.Fatal(err)
		}
		if e, err := decode(newEntry(msg.Data)); err != nil || e.Orig != t || e.State != "ESTABLISHED" || e.Zone != 9 {
			f.Fatalf("the seed is %+v, %v", e, err)
		}
		f.Add(msg.Data)
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := decode(newEntry(data))
		if err == nil && e.Timeout < 0 {
			t.Errorf("timeout %v", e.Timeout)
		}
	})
}

// newEntry is the kernel's message about an entry (IPCTNL_MSG_CT_NEW).
func newEntry(data []byte) netlink.Message {
	return netlink.Message{Header: netlink.Header{Type: netlink.HeaderType(uint16(netfilter.NFSubsysCTNetlink) << 8)}, Data: data}
}
