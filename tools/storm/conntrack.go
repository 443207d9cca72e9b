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

// measureConntrack fills a table of its own, and compares the agent's questions
// with a dump of the whole table. It returns the time of one lookup for each
// socket of the storm.
func measureConntrack(ctx context.Context, s size, r *report) (lookups time.Duration, err error) {
	ns, err := newNamespace()
	if err != nil {
		return 0, err
	}
	defer ns.close()
	var table *conntrack.Table
	var dump time.Duration
	err = ns.do(func() (err error) {
		if err := fill(s.entries); err != nil {
			return fmt.Errorf("fill conntrack: %w", err)
		}
		if dump, err = timeOf(dumpAll); err != nil {
			return err
		}
		table, err = conntrack.Open()
		return err
	})
	if err != nil {
		return 0, err
	}
	defer table.Close()
	// On any thread, as in the agent: the table's socket is open.
	if lookups, err = timeOf(func() error { return lookUpAll(ctx, s, table) }); err != nil {
		return 0, err
	}
	r.share(fmt.Sprintf("conntrack lookup, %d entries", s.entries), ms(lookups/time.Duration(s.sockets)), ms(dump), 0.001, "ms", "a dump of all")
	r.share(fmt.Sprintf("conntrack lookups for %d suspects", s.sockets), ms(lookups), ms(dump), 1, "ms", "a dump of all")
	return lookups, ns.do(func() error { return measureSearch(ctx, s, r, table, dump) })
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
