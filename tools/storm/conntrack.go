package main

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	timo "github.com/ti-mo/conntrack"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/pkg/conntrack"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

const perBackend = 10 // entries that lead to one backend

// entries is a connection tracking table with many entries, in a namespace of its own.
type entries struct {
	ns    *namespace
	table *conntrack.Table
	size  size
}

func newEntries(s size) (e *entries, err error) {
	e = &entries{size: s}
	if e.ns, err = newNamespace(); err != nil {
		return nil, err
	}
	err = e.ns.do(func() (err error) {
		if err := fill(s.entries); err != nil {
			return fmt.Errorf("fill conntrack: %w", err)
		}
		e.table, err = conntrack.Open()
		return err
	})
	if err != nil {
		e.ns.close()
		return nil, err
	}
	return e, nil
}

func (e *entries) close() error {
	defer e.ns.close()
	return e.table.Close()
}

// lookups returns how long one lookup for each socket of the storm takes, without
// other work. It asks on any thread, as the agent does: the table's socket is open.
func (e *entries) lookups(ctx context.Context) (time.Duration, error) {
	const rounds = 3
	var took [rounds]time.Duration
	for i := range took {
		d, err := timeOf(func() error { return lookUpAll(ctx, e.size, e.table) })
		if err != nil {
			return 0, err
		}
		took[i] = d
	}
	return quantile(took[:], 0.5), nil
}

// measureConntrack compares the agent's questions with a dump of the whole table.
func measureConntrack(ctx context.Context, b *bench) (err error) {
	if b.entries, err = newEntries(b.size); err != nil {
		return err
	}
	var dump time.Duration
	if err := b.entries.ns.do(func() (err error) { dump, err = timeOf(dumpAll); return err }); err != nil {
		return err
	}
	lookups, err := b.entries.lookups(ctx)
	if err != nil {
		return err
	}
	b.report.share(fmt.Sprintf("conntrack lookup, %d entries", b.size.entries), ms(lookups/time.Duration(b.size.sockets)), ms(dump), 0.001, "ms", "a dump of all")
	b.report.share(fmt.Sprintf("conntrack lookups for %d suspects", b.size.sockets), ms(lookups), ms(dump), 1, "ms", "a dump of all")
	return b.entries.ns.do(func() error { return measureSearch(ctx, b.size, b.report, b.entries.table, dump) })
}

// lookUpAll asks for one connection after the other.
func lookUpAll(ctx context.Context, s size, table *conntrack.Table) error {
	for i := range s.sockets {
		if _, err := table.Lookup(ctx, connection(i*7919%s.entries)); err != nil {
			return err
		}
	}
	return nil
}

func measureSearch(ctx context.Context, s size, r *report, table *conntrack.Table, dump time.Duration) error {
	const rounds = 5
	var searches []time.Duration
	for i := range rounds {
		found := 0
		took, err := timeOf(func() error {
			return table.ByReplySource(ctx, []netip.Addr{backendOf(i * perBackend).Addr()}, func(flow.Translation) error { found++; return nil })
		})
		if err != nil {
			return err
		}
		if found != perBackend {
			return fmt.Errorf("a search found %d entries, want %d", found, perBackend)
		}
		searches = append(searches, took)
	}
	what := fmt.Sprintf("conntrack search for one backend, %d entries", s.entries)
	r.share(what, ms(quantile(searches, 0.5)), ms(dump), 0.05, "ms", "a dump of all")
	return nil
}

func timeOf(f func() error) (time.Duration, error) {
	began := time.Now()
	err := f()
	return time.Since(began), err
}

func dumpAll() error {
	c, err := timo.Dial(nil)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Dump(nil)
	return err
}

// connection is the n-th connection of the table, as its client sees it.
func connection(n int) flow.Tuple {
	client := netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
	return flow.Tuple{Src: netip.AddrPortFrom(client, 40_000), Dst: netip.AddrPortFrom(netip.AddrFrom4([4]byte{172, 30, 0, 10}), port)}
}

func backendOf(n int) netip.AddrPort {
	n /= perBackend
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{11, byte(n >> 16), byte(n >> 8), byte(n)}), port)
}

// fill makes established entries of so many connections.
func fill(entries int) error {
	c, err := timo.Dial(nil)
	if err != nil {
		return err
	}
	defer c.Close()
	for n := range entries {
		t, b := connection(n), backendOf(n)
		const timeoutSeconds = 600
		f := timo.NewFlow(unix.IPPROTO_TCP, timo.StatusConfirmed|timo.StatusSeenReply|timo.StatusAssured,
			t.Src.Addr(), t.Dst.Addr(), t.Src.Port(), t.Dst.Port(), timeoutSeconds, 0)
		f.TupleReply.IP.SourceAddress = b.Addr()
		f.TupleReply.Proto.SourcePort = b.Port()
		f.ProtoInfo.TCP = &timo.ProtoInfoTCP{State: 3} // TCP_CONNTRACK_ESTABLISHED
		if err := c.Create(f); err != nil {
			return err
		}
	}
	return nil
}
