package cluster

import (
	"encoding/binary"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// genlHeader is the size of struct genlmsghdr. The library's own type has half
// of it, and is sent with the bytes that happen to follow it in memory.
const genlHeader = 4

// generic sends a command to a family of generic netlink, in the network
// namespace of the calling thread, and returns the attributes of its answer.
func generic(family uint16, command, version uint8, attr *nl.RtAttr) ([][]byte, error) {
	req := nl.NewNetlinkRequest(int(family), unix.NLM_F_ACK)
	req.AddRawData(append([]byte{command, version, 0, 0}, attr.Serialize()...))
	answers, err := req.Execute(unix.NETLINK_GENERIC, 0)
	if err != nil {
		return nil, err
	}
	for n, a := range answers {
		answers[n] = a[min(genlHeader, len(a)):]
	}
	return answers, nil
}

// genericFamily returns the number of a family.
func genericFamily(name string) (uint16, error) {
	answers, err := generic(unix.GENL_ID_CTRL, unix.CTRL_CMD_GETFAMILY, 1, nl.NewRtAttr(unix.CTRL_ATTR_FAMILY_NAME, nl.ZeroTerminated(name)))
	if err != nil {
		return 0, fmt.Errorf("find %s: %w", name, err)
	}
	for _, a := range answers {
		attrs, err := nl.ParseRouteAttr(a)
		if err != nil {
			return 0, fmt.Errorf("find %s: %w", name, err)
		}
		for _, attr := range attrs {
			if attr.Attr.Type == unix.CTRL_ATTR_FAMILY_ID && len(attr.Value) >= 2 {
				return binary.NativeEndian.Uint16(attr.Value), nil
			}
		}
	}
	return 0, fmt.Errorf("find %s: the kernel does not say its number", name)
}
