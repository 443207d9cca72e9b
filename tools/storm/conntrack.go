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

// measureConntrack fills a table of its own, and compares what the agent asks
// of it with a dump of it all.
func (b *bench) measureConntrack(ctx context.Context) error {
	ns, err := newNamespace()
	if err != nil {
		return err
	}
	defer ns.close()
	var table *conntrack.Table
	var dump time.Duration
	err = ns.do(func() (err error) {
		if err := fill(b.size.entries); err != nil {
			return fmt.Errorf("fill conntrack: %w", err)
		}
		if dump, err = timeOf(dumpAll); err != nil {
			return err
		}
		table, err = conntrack.Open()
		return err
	})
	if err != nil {
		return err
	}
	defer table.Close()
	if err := b.compareLookups(ctx, table, dump); err != nil {
		return err
	}
	return ns.do(func() error { return b.measureSweep(ctx, table, dump) })
}

// compareLookups asks for one connection after the other. It runs on any
// thread, as in the agent: the table's socket is open.
func (b *bench) compareLookups(ctx context.Context, table *conntrack.Table, dump time.Duration) error {
	lookups, err := timeOf(func() error {
		for i := range b.size.sockets {
			if _, err := table.Lookup(ctx, connection(i*7919%b.size.entries)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	each := lookups / time.Duration(b.size.sockets)
	b.report.share(fmt.Sprintf("conntrack lookup, %d entries", b.size.entries), ms(each), ms(dump), 0.001, "ms", "a dump of all")
	b.report.share(fmt.Sprintf("conntrack lookups for %d suspects", b.size.sockets), ms(lookups), ms(dump), 1, "ms", "a dump of all")
	return nil
}

func (b *bench) measureSweep(ctx context.Context, table *conntrack.Table, dump time.Duration) error {
	const rounds = 5
	var sweeps []time.Duration
	for i := range rounds {
		found := 0
		took, err := timeOf(func() error {
			return table.ByReplySource(ctx, []netip.Addr{backendOf(i * perBackend).Addr()}, func(flow.Translation) error { found++; return nil })
		})
		if err != nil {
			return err
		}
		if found != perBackend {
			return fmt.Errorf("a sweep found %d entries, want %d", found, perBackend)
		}
		sweeps = append(sweeps, took)
	}
	what := fmt.Sprintf("conntrack sweep for one backend, %d entries", b.size.entries)
	b.report.share(what, ms(quantile(sweeps, 0.5)), ms(dump), 0.05, "ms", "a dump of all")
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
