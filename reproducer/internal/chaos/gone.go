package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// goneNamespace: sockets outlive their deleted namespace, and end by themselves.
func goneNamespace() Fault {
	const fresh = 100
	return Fault{
		Name:  "namespace-deleted",
		Story: "a pod's processes and network namespace are deleted while its connections hang",
		play: func(ctx context.Context, l *Lab, o *Outcome) error {
			conns, err := l.calm(ctx, l.doomed.NS, fresh)
			if err != nil {
				return err
			}
			if err := l.hang(conns); err != nil {
				return err
			}
			if err := l.truth.found(ctx, l.agent); err != nil {
				o.lose("%v", err)
			}
			// Its owner is killed: the kernel keeps what is not acknowledged.
			l.truth.risk(conns...)
			l.drop(conns)
			for _, c := range conns {
				if err := errors.Join(c.giveUpAfter(0), vanish(c.fd, false)); err != nil {
					return err
				}
			}
			closeAll(conns)
			if err := l.doomed.Echo.Kill(); err != nil {
				return err
			}
			if err := l.doomed.NS.Close(); err != nil {
				return err
			}
			o.inject(1)
			began := time.Now()
			orphans, err := awaitEnds(ctx, l, conns)
			if err != nil {
				o.lose("%v", err)
			}
			l.truth.over(conns...)
			o.see("%d flows, %d of them seen as orphans, have all ended %.1f s later", fresh, orphans, time.Since(began).Seconds())
			return nil
		},
	}
}

// awaitEnds waits until the agent lists none of the connections, and returns how many it
// has seen without an owner meanwhile. The end of each must be known.
func awaitEnds(ctx context.Context, l *Lab, conns []*conn) (int, error) {
	orphans := map[flow.ID]bool{}
	left := 0
	err := awaitEvery(ctx, listInterval, func() (bool, error) {
		byID, err := findings(ctx, l.agent)
		if err != nil {
			return false, err
		}
		left = 0
		for _, c := range conns {
			f, ok := byID[c.id]
			if !ok {
				continue
			}
			left++
			if f.Orphan {
				orphans[c.id] = true
			}
		}
		return left == 0, nil
	})
	if err != nil {
		return len(orphans), fmt.Errorf("%d flows of the namespace never end: %w", left, err)
	}
	unknown := 0
	for _, c := range conns {
		f, err := l.agent.api.Flow(ctx, c.id.String())
		if err != nil {
			return len(orphans), err
		}
		if f.Outcome != flow.TimedOut {
			unknown++
		}
	}
	if unknown > 0 {
		return len(orphans), fmt.Errorf("%d flows are not said to have timed out", unknown)
	}
	return len(orphans), nil
}
