// Package route asks this host's routing table where packets to an address
// go, and the neighbour table whether the next hop answers. It never changes
// either.
package route

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// timeout bounds one question to the kernel, which answers in microseconds.
const timeout = time.Second

// Table is the routing table of the network namespace in which it was opened. It is
// safe for concurrent use; questions take turns.
//
// An agent opens it in the host's namespace. A pod has routes of its own, whose effect
// on packets before they reach the host does not show here: the answer for a pod
// begins where its packets enter the host.
type Table struct {
	handle *netlink.Handle
}

// Open opens the routing table of the caller's network namespace.
func Open() (*Table, error) {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open routing table: %w", err)
	}
	if err := h.SetSocketTimeout(timeout); err != nil {
		h.Close()
		return nil, fmt.Errorf("open routing table: %w", err)
	}
	return &Table{handle: h}, nil
}

// Close releases the table.
func (t *Table) Close() { t.handle.Close() }

// Lookup returns the route of packets from src to dst: RTM_GETROUTE, which
// runs the kernel's own lookup, policy rules included. Packets of a src that
// is not this host's, and that is directly connected, are looked up as forwarded
// ones that come in where src is reached. For any other src, and for a zero one,
// the choice is the kernel's. IPv4-mapped addresses are unmapped.
//
// Having no usable route is an answer, not an error: Err then has the errno's
// name, and Type is blackhole, unreachable or prohibit; it is empty if no route
// matches. (A forwarded packet that the kernel drops for its source, by reverse
// path filtering, has the errno of a blackhole and reads as one.) Neighbour is
// the state of the next hop's entry, and empty if there is none. Lookup checks
// ctx between its questions, each of which ends within a second.
func (t *Table) Lookup(ctx context.Context, dst, src netip.Addr) (flow.Route, error) {
	r, err := t.lookup(ctx, dst.Unmap().WithZone(""), src.Unmap().WithZone(""))
	if err != nil {
		return flow.Route{}, fmt.Errorf("look up route: %w", err)
	}
	return r, nil
}

func (t *Table) lookup(ctx context.Context, dst, src netip.Addr) (flow.Route, error) {
	if !dst.IsValid() {
		return flow.Route{}, errors.New("no destination")
	}
	if src.IsValid() && src.Is4() != dst.Is4() {
		return flow.Route{}, fmt.Errorf("%s and %s are of different families", src, dst)
	}
	o, err := t.from(ctx, src)
	if err != nil {
		return flow.Route{}, err
	}
	found, out, err := t.get(ctx, dst, o.options)
	if err != nil {
		return flow.Route{}, err
	}
	found.Src, found.Own, found.In = src, o.own, o.in.name
	switch {
	case found.Err != "" && o.own:
		has, err := t.interfaceOf(ctx, src)
		note(&found, o.in, has)
		return found, err
	case out == 0 || found.Type != "unicast":
		note(&found, o.in)
		return found, nil
	}
	by, err := t.link(ctx, out)
	if err != nil {
		return flow.Route{}, err
	}
	found.Interface = by.name
	note(&found, o.in, by)
	nextHop := found.Via
	if !nextHop.IsValid() {
		nextHop = dst
	}
	found.Neighbour, err = t.neighbour(ctx, nextHop, out)
	return found, err
}

// note notes the first interface that does not work.
func note(r *flow.Route, links ...link) {
	for _, l := range links {
		if l.dead && r.Dead == "" {
			r.Dead, r.NoCarrier = l.name, l.up
		}
	}
}

// origin is where packets of an address start, as far as this host is concerned.
type origin struct {
	options *netlink.RouteGetOptions
	own     bool
	in      link
}

func (t *Table) from(ctx context.Context, src netip.Addr) (origin, error) {
	if !src.IsValid() || src.IsUnspecified() {
		return origin{}, nil
	}
	back, out, err := t.get(ctx, src, nil)
	switch {
	case err != nil:
		return origin{}, err
	case back.Type == "local":
		return origin{options: &netlink.RouteGetOptions{SrcAddr: src.AsSlice()}, own: true}, nil
	case back.Type != "unicast" || out == 0 || back.Via.IsValid():
		return origin{}, nil // src has left this host: only the destination can be looked up
	}
	in, err := t.link(ctx, out)
	return origin{options: &netlink.RouteGetOptions{SrcAddr: src.AsSlice(), IifIndex: out}, in: in}, err
}

// get asks for one route and returns it with its interface's index, or 0.
func (t *Table) get(ctx context.Context, dst netip.Addr, options *netlink.RouteGetOptions) (flow.Route, int, error) {
	if err := ctx.Err(); err != nil {
		return flow.Route{}, 0, err
	}
	found := flow.Route{Dst: dst}
	routes, err := t.handle.RouteGetWithOptions(dst.AsSlice(), options)
	if name, kind, ok := refusal(err); ok {
		found.Err, found.Type = name, kind
		return found, 0, nil
	}
	if err != nil {
		return flow.Route{}, 0, fmt.Errorf("%s: %w", dst, err)
	}
	if len(routes) == 0 {
		return flow.Route{}, 0, fmt.Errorf("%s: the kernel answered with nothing", dst)
	}
	r := routes[0]
	found.Type = kinds[r.Type]
	found.Via = gateway(r)
	return found, r.LinkIndex, nil
}

// gateway returns a route's next hop, which may be of the other family
// (RTA_VIA, RFC 5549), or the zero address.
func gateway(r netlink.Route) netip.Addr {
	ip := r.Gw
	if via, ok := r.Via.(*netlink.Via); ok {
		ip = via.Addr
	}
	addr, _ := netip.AddrFromSlice(ip)
	return addr.Unmap()
}
