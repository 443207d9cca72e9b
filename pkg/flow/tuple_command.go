package flow

import "fmt"

// DeleteCommand returns the conntrack(8) command that deletes this entry and
// no other, for an operator to paste as root into a shell of the network
// namespace that holds the entry.
func (t Translation) DeleteCommand() string {
	src, dst := t.Orig.Src.Addr().Unmap(), t.Orig.Dst.Addr().Unmap()
	family := "ipv4"
	if src.Is6() {
		family = "ipv6"
	}
	return fmt.Sprintf("conntrack -D -f %s -p tcp --orig-src %s --orig-dst %s --sport %d --dport %d -w %d",
		family, src, dst, t.Orig.Src.Port(), t.Orig.Dst.Port(), t.Zone)
}
