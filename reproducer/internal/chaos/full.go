package chaos

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
)

// tableFull: no new connection gets through, and the agent says so.
func tableFull() Fault {
	const attempts = 20
	return Fault{
		Name:  "conntrack-full",
		Story: "node-a's conntrack table has no room left; 20 more clients connect",
		play: func(ctx context.Context, l *Lab, o *Outcome) (err error) {
			service, err := l.cluster.AddService("late", "late", false)
			if err != nil {
				return err
			}
			if _, err := l.startServer(ctx, "late", "node-b"); err != nil {
				return err
			}
			table := filling{}
			if err := l.cluster.Nodes[0].NS.Do(func() error { return errors.Join(forgetRestless(), table.fill(ctx)) }); err != nil {
				return err
			}
			o.inject(1)
			entries := table.entries
			filling, enough := context.WithCancel(ctx)
			kept := make(chan error, 1)
			go func() { kept <- l.cluster.Nodes[0].NS.Do(func() error { return table.keep(filling) }) }()
			defer func() { enough(); err = errors.Join(err, <-kept) }()
			conns, err := connectInVain(l, netip.AddrPortFrom(service.ClusterIP, cluster.Port), attempts)
			if err != nil {
				return err
			}
			began := time.Now()
			if err := l.truth.found(ctx, l.agent); err != nil {
				o.lose("%v", err)
			}
			byID, err := findings(ctx, l.agent)
			if err != nil {
				return err
			}
			connecting := 0
			for _, c := range conns {
				if byID[c.id].Symptom == flow.Connecting {
					connecting++
				}
			}
			if connecting != attempts {
				o.lose("%d of %d are said to be connecting", connecting, attempts)
			}
			took, err := l.dump(ctx)
			if err != nil {
				return err
			}
			o.see("%d entries: %d of %d that cannot connect are listed after %.1f s, and all others still; dump answers in %.2f s",
				entries, connecting, attempts, time.Since(began).Seconds(), took.Seconds())
			l.calmDown(conns)
			return nil
		},
	}
}

// connectInVain begins connections and does not wait for an answer.
func connectInVain(l *Lab, to netip.AddrPort, n int) ([]*conn, error) {
	var conns []*conn
	for range n {
		c, err := begin(l.client.NS, netip.AddrPort{}, to)
		if err != nil {
			return conns, err
		}
		l.held, conns = append(l.held, c), append(conns, c)
	}
	l.truth.hang(conns...)
	return conns, nil
}
