package evidence

import (
	"net/netip"
	"slices"
	"sync"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

const (
	closedListeners = 64   // the latest, remembered for one network namespace
	closedSpaces    = 1024 // network namespaces with remembered listeners
)

// Listening knows the listeners, and those that have closed lately: a server
// that ends closes its listener first and then drains its accepted connections.
// It is safe for concurrent use.
type Listening struct {
	mu     sync.RWMutex
	now    map[listenKey]struct{}
	full   []flow.Listener
	closed map[uint32][]netip.AddrPort // by network namespace, the latest last
}

type listenKey struct {
	netns uint32
	local netip.AddrPort
}

// NewListening returns a Listening of nothing.
func NewListening() *Listening {
	return &Listening{now: map[listenKey]struct{}{}, closed: map[uint32][]netip.AddrPort{}}
}

// anyAddr stands for a listener on every address of either family.
func anyAddr(port uint16) netip.AddrPort { return netip.AddrPortFrom(netip.Addr{}, port) }

// Set takes all listeners of the node, and replaces those of the last call.
func (l *Listening) Set(all []flow.Listener) {
	now := make(map[listenKey]struct{}, len(all))
	var full []flow.Listener
	for _, one := range all {
		if one.Full() {
			full = append(full, one)
		}
		local := one.Local
		if local.Addr().IsUnspecified() {
			local = anyAddr(local.Port())
		}
		now[listenKey{one.NetNS, local}] = struct{}{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for key := range l.now {
		if _, still := now[key]; !still {
			l.close(key)
		}
	}
	l.now, l.full = now, full
}

// Full returns the listeners for which no more connections may wait. The slice is not to be
// changed.
func (l *Listening) Full() []flow.Listener {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.full
}

// close remembers a listener that has closed.
func (l *Listening) close(key listenKey) {
	kept, known := l.closed[key.netns]
	if !known && len(l.closed) >= closedSpaces {
		l.forget()
	}
	kept = slices.DeleteFunc(kept, func(local netip.AddrPort) bool { return local == key.local })
	kept = append(kept, key.local)
	l.closed[key.netns] = kept[max(0, len(kept)-closedListeners):]
}

// forget drops what is remembered of any one network namespace.
func (l *Listening) forget() {
	for netns := range l.closed {
		delete(l.closed, netns)
		return
	}
}

// Now reports whether a listener accepts on a socket's local address.
func (l *Listening) Now(s flow.Socket) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	_, here := l.now[listenKey{s.NetNS, s.Local}]
	_, everywhere := l.now[listenKey{s.NetNS, anyAddr(s.Local.Port())}]
	return here || everywhere
}

// Before reports whether a listener that has closed since did.
func (l *Listening) Before(s flow.Socket) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.ContainsFunc(l.closed[s.NetNS], func(local netip.AddrPort) bool {
		return local == s.Local || local == anyAddr(s.Local.Port())
	})
}
