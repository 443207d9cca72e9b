package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/api"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

const (
	tableFlows = 2000 // --max-flows
	tableFlood = 5000
	tableHangs = 20 // of the neighbour, in each batch
)

// suppressedFlood: flows that are not reported take no room from those that are.
func suppressedFlood() Fault {
	return Fault{
		Name: "suppressed-flood",
		Story: fmt.Sprintf("%d clients outside the cluster vanish from one pod, whose agent watches %d flows at most; connections of its neighbour hang before, during and after",
			tableFlood, tableFlows),
		play: func(ctx context.Context, l *Lab, o *Outcome) (err error) {
			a, err := l.openArena(ctx, "ingress", fmt.Sprintf("--max-flows=%d", tableFlows))
			defer func() { err = errors.Join(err, a.close(ctx, o)) }()
			if err != nil {
				return err
			}
			flood, err := a.vanishedClients(ctx, tableFlood)
			if err != nil {
				return err
			}
			if err := a.flood(ctx, o, flood); err != nil {
				return err
			}
			if err := a.suppressed(ctx, o, flood); err != nil {
				return err
			}
			return a.refusals(ctx, o, false)
		},
	}
}

// greedyOwner: a pod with thousands of hanging connections takes no room from its
// neighbour, and flows that found no room come back.
func greedyOwner() Fault {
	const stay = 500 // when the others are gone
	return Fault{
		Name: "greedy-owner",
		Story: fmt.Sprintf("%d connections of one pod hang, whose agent watches %d flows at most; connections of its neighbour hang before, during and after; all but %d of the many go",
			tableFlood, tableFlows, stay),
		play: func(ctx context.Context, l *Lab, o *Outcome) (err error) {
			a, err := l.openArena(ctx, "greedy", fmt.Sprintf("--max-flows=%d", tableFlows))
			defer func() { err = errors.Join(err, a.close(ctx, o)) }()
			if err != nil {
				return err
			}
			many, _, err := a.silent(ctx, a.pod, tableFlood)
			if err != nil {
				return err
			}
			a.truth.risk(many...) // the table has no room for all of them
			if err := a.flood(ctx, o, many); err != nil {
				return err
			}
			if err := a.refusals(ctx, o, true); err != nil {
				return err
			}
			a.truth.over(many...)
			a.truth.hang(many[:stay]...)
			for _, c := range many[stay:] {
				c.end()
			}
			began := time.Now()
			if err := a.found(ctx); err != nil {
				o.lose("when most have gone: %v", err)
				return nil
			}
			o.see("all %d that are left are listed %.1f s after the others went", a.truth.len(), time.Since(began).Seconds())
			return nil
		},
	}
}

// flood makes connections of the pod hang, and some of its neighbour before, during and
// after that. Each of the latter must be reported in time.
func (a *arena) flood(ctx context.Context, o *Outcome, many []*conn) error {
	var hanging [3][]*conn
	for n := range hanging {
		conns, _, err := a.silent(ctx, a.neighbour, tableHangs)
		if err != nil {
			return err
		}
		hanging[n] = conns
	}
	batches := make([]batch, 3)
	var err error
	if batches[0], err = a.hang("before", hanging[0]); err != nil {
		return err
	}
	if err := pause(ctx, stuckAfter/2); err != nil {
		return err
	}
	for n, c := range many {
		if n == len(many)/2 {
			if batches[1], err = a.hang("during the flood", hanging[1]); err != nil {
				return err
			}
		}
		if err := c.write(); err != nil {
			return fmt.Errorf("write into nothing: %w", err)
		}
	}
	o.inject(len(many))
	if err := pause(ctx, stuckAfter/2); err != nil { // each has retransmitted
		return err
	}
	if batches[2], err = a.hang("after", hanging[2]); err != nil {
		return err
	}
	return onTime(ctx, o, a.reports, batches...)
}

// vanishedClients makes clients outside the cluster connect to the pod and vanish, and
// returns the pod's ends.
func (a *arena) vanishedClients(ctx context.Context, n int) ([]*conn, error) {
	internet := a.lab.cluster.Internet
	host, err := a.lab.cluster.StartHost(ctx, "laptops", []string{"server", "--catch-sigterm"})
	if err != nil {
		return nil, err
	}
	listener, err := listenIn(a.pod, 0)
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	clients, accepted, err := connectTo(internet.NS, host.Addr, listener, n)
	a.conns = append(a.conns, accepted...)
	a.truth.risk(accepted...)
	a.lab.truth.risk(accepted...)
	if err != nil {
		closeAll(clients)
		return nil, err
	}
	err = a.lab.cluster.Silence(internet, host.Addr)
	closeAll(clients) // the peers do not learn of it
	return accepted, err
}

// suppressed demands that an agent reports none of the connections.
func (a *arena) suppressed(ctx context.Context, o *Outcome, conns []*conn) error {
	list, err := a.agent.api.Flows(ctx, api.Query{Brief: true})
	if err != nil {
		return err
	}
	theirs := map[flow.ID]bool{}
	for _, c := range conns {
		theirs[c.id] = true
	}
	accused := 0
	for _, f := range list.Flows {
		if theirs[f.ID] {
			accused++
		}
	}
	if accused > 0 {
		o.lose("%d vanished clients are reported", accused)
	}
	return nil
}
