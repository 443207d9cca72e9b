package cluster

import "net/netip"

// changes are the addresses whose answer may have changed since they were
// last taken, and the signal that there is something to take.
type changes struct {
	addrs  map[netip.Addr]struct{}
	signal chan struct{}
}

func newChanges() *changes {
	return &changes{addrs: make(map[netip.Addr]struct{}), signal: make(chan struct{}, 1)}
}

// mark adds addresses.
func (c *changes) mark(addrs ...netip.Addr) {
	for _, a := range addrs {
		c.addrs[a] = struct{}{}
	}
}

// take returns the marked addresses and unmarks them.
func (c *changes) take() map[netip.Addr]struct{} {
	taken := c.addrs
	c.addrs = make(map[netip.Addr]struct{})
	return taken
}

// any reports whether an address is marked.
func (c *changes) any() bool { return len(c.addrs) > 0 }

// notify wakes the reader of the signal. It needs no lock: call it after the
// lock is released, so that the reader does not have to wait for it.
func (c *changes) notify() {
	select {
	case c.signal <- struct{}{}:
	default:
	}
}
