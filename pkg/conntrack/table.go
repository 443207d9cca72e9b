// Package conntrack asks the kernel's connection tracking table how it
// translates a TCP connection: lookups by the socket's own tuple, one or many at a
// time, and searches that the kernel filters. It never changes the table.
package conntrack

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Table is the connection tracking table of one network namespace. Its methods are
// safe for concurrent use: lookups take turns on a few netlink sockets, and every
// search has a socket of its own.
//
// The table is that of the namespace in which Open was called. Sockets that
// are opened later belong to the calling thread's namespace; a thread that
// has moved to another one gets an error, never another table's answer.
type Table struct {
	namespace string

	sockets chan *socket // those that no lookup uses; nil: the next lookup dials
	closed  atomic.Bool
}

// lookupsAtOnce is how many lookups run side by side. The kernel answers each on
// the caller's core.
const lookupsAtOnce = 2

// Open opens the table of the caller's network namespace and asks it once, so that
// a missing kernel feature or privilege shows here as ErrUnavailable. It needs
// CAP_NET_ADMIN and nf_conntrack_netlink. The kernel filters searches from Linux
// 5.8 on.
func Open() (*Table, error) {
	t := &Table{namespace: namespace(), sockets: make(chan *socket, lookupsAtOnce)}
	var failed error
	for range lookupsAtOnce {
		conn, err := t.dial()
		failed = errors.Join(failed, err)
		t.sockets <- conn
	}
	if failed != nil {
		return nil, errors.Join(fmt.Errorf("open conntrack: %w", failed), t.Close())
	}
	nowhere := netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	_, err := t.Lookup(context.Background(), flow.Tuple{Src: nowhere, Dst: nowhere})
	if err == nil || errors.Is(err, ErrNotFound) {
		return t, nil
	}
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) {
		err = fmt.Errorf("%w: the kernel has no nf_conntrack_netlink: %w", ErrUnavailable, err)
	}
	return nil, errors.Join(fmt.Errorf("open conntrack: %w", err), t.Close())
}

// Close releases the table once running lookups have ended. Later lookups and
// searches fail.
func (t *Table) Close() error {
	if t.closed.Swap(true) {
		return nil
	}
	var failed error
	for range cap(t.sockets) {
		if conn := <-t.sockets; conn != nil {
			failed = errors.Join(failed, conn.Close())
		}
	}
	for range cap(t.sockets) {
		t.sockets <- nil // lookups that wait see that it is closed
	}
	return failed
}

// borrow returns a socket that no other lookup uses until it is given back.
func (t *Table) borrow() (*socket, error) {
	s := <-t.sockets
	err := os.ErrClosed
	if !t.closed.Load() {
		if s != nil {
			return s, nil
		}
		if s, err = t.dial(); err == nil {
			return s, nil
		}
	}
	t.sockets <- s
	return nil, err
}

// giveBack returns a socket. If an answer was not read to its end, the socket is
// closed, so that no later request can read the rest.
func (t *Table) giveBack(s *socket, read bool) (err error) {
	if !read {
		err = s.Close()
		s = nil
	}
	t.sockets <- s
	return err
}

// ask sends one request.
func (t *Table) ask(ctx context.Context, req netlink.Message) ([]netlink.Message, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := t.borrow()
	if err != nil {
		return nil, err
	}
	msgs, err := s.query(ctx, req)
	return msgs, errors.Join(explain(err), t.giveBack(s, answered(err)))
}

// askAll sends one request that the kernel answers with any number of
// messages, on a socket of its own: the kernel refuses a second dump on a
// socket before the first is read.
func (t *Table) askAll(ctx context.Context, req netlink.Message) ([]netlink.Message, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	conn, err := t.dial()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() {
		_ = conn.SetReadDeadline(time.Unix(1, 0)) // fails only when closed
	})
	defer stop()
	msgs, err := conn.Execute(req)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return msgs, explain(err)
}

func (t *Table) dial() (*socket, error) {
	if ns := namespace(); ns != t.namespace {
		return nil, fmt.Errorf("%w: opened in %s, asked from %s", ErrUnavailable, t.namespace, ns)
	}
	s, err := dial()
	if err != nil {
		return nil, fmt.Errorf("open netfilter socket: %w", explain(err))
	}
	return s, nil
}

// namespace names the calling thread's network namespace.
func namespace() string {
	name, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		return "unknown"
	}
	return name
}
