package flow

import (
	"net/netip"
	"strconv"
	"time"
)

// Translation is a conntrack entry as one socket sees it.
type Translation struct {
	Asked       Tuple // the socket's own tuple
	Orig, Reply Tuple
	State       string        // conntrack's TCP state: ESTABLISHED, SYN_SENT, …
	Timeout     time.Duration // until the entry expires if nothing refreshes it
	Assured     bool
	Unreplied   bool
	Zone        uint16
}

// Accepted reports whether the socket is the one that was connected to: its
// own packets are the entry's reply direction.
func (t Translation) Accepted() bool { return t.Asked == t.Reply && t.Asked != t.Orig }

// Translated reports whether the entry rewrites an address or a port.
func (t Translation) Translated() bool { return t.Reply != t.Orig.Reverse() }

// Backend returns where the socket's packets really go: the source of the
// reply tuple or, for an accepted socket, the source of the original one.
func (t Translation) Backend() netip.AddrPort {
	if t.Accepted() {
		return t.Orig.Src
	}
	return t.Reply.Src
}

// DeleteCommand returns the conntrack(8) command that deletes this entry and
// no other, for an operator to paste as root into a shell of the network
// namespace that holds the entry.
func (t Translation) DeleteCommand() string {
	src, dst := t.Orig.Src.Addr().Unmap(), t.Orig.Dst.Addr().Unmap()
	family := "ipv4"
	if src.Is6() {
		family = "ipv6"
	}
	return "conntrack -D -f " + family + " -p tcp --orig-src " + src.String() + " --orig-dst " + dst.String() +
		" --sport " + decimal(t.Orig.Src.Port()) + " --dport " + decimal(t.Orig.Dst.Port()) + " -w " + decimal(t.Zone)
}

func decimal(n uint16) string { return strconv.FormatUint(uint64(n), 10) }
