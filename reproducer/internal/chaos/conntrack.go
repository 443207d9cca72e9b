package chaos

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// conntrackErrors: a source that fails costs verdicts their evidence, and no flow its
// place.
func conntrackErrors() Fault {
	const fresh = 200
	return Fault{
		Name:  "conntrack-errors",
		Story: "netlink answers ENOBUFS, then EPERM, while more connections begin to hang (seccomp answers the agent's recvmsg)",
		play: func(ctx context.Context, l *Lab, o *Outcome) error {
			a, err := l.start(agentSpec{name: "trapped", wrap: []string{filepath.Join(l.bin, "chaos"), "trapped"}})
			if err != nil {
				return err
			}
			trap, err := openTrap(ctx, a.PID())
			if err != nil {
				return err
			}
			if err := a.awaitReady(ctx); err != nil {
				return err
			}
			for _, errno := range []syscall.Errno{unix.ENOBUFS, unix.EPERM} {
				more, err := l.calm(ctx, l.client.NS, fresh, a)
				if err != nil {
					return err
				}
				if err := failConntrack(ctx, l, o, a, trap, errno, more); err != nil {
					return err
				}
			}
			if _, err := a.terminate(); err != nil {
				o.lose("%v", err)
			}
			<-trap.done
			return nil
		},
	}
}

// failConntrack makes conntrack fail while connections begin to hang, and then work again.
func failConntrack(ctx context.Context, l *Lab, o *Outcome, a *agent, t *trap, errno syscall.Errno, conns []*conn) error {
	before := t.hits.Load()
	t.fail(errno)
	if err := l.hang(conns); err != nil {
		return err
	}
	if err := l.truth.found(ctx, a); err != nil {
		o.lose("%v", err)
	}
	down, err := conntrackUp(ctx, a, false)
	if err != nil {
		o.lose("%s: %v", unix.ErrnoName(errno), err)
	}
	t.fail(0)
	up, err := conntrackUp(ctx, a, true)
	if err != nil {
		o.lose("after %s: %v", unix.ErrnoName(errno), err)
	}
	hits := int(t.hits.Load() - before)
	o.inject(hits)
	judged, err := awaitCause(ctx, a, conns, flow.StaleConntrack)
	if err != nil {
		o.lose("after %s: %v", unix.ErrnoName(errno), err)
	}
	o.see("%s %d times: all %d flows listed, the source was down after %.1f s, up again after %.1f s, %d flows judged by it %.1f s later",
		unix.ErrnoName(errno), hits, l.truth.len(), down.Seconds(), up.Seconds(), len(conns), judged.Seconds())
	l.calmDown(conns)
	return nil
}

// conntrackUp waits until an agent trusts, or distrusts, conntrack.
func conntrackUp(ctx context.Context, a *agent, want bool) (time.Duration, error) {
	took, err := a.awaitSource(ctx, flow.SourceConntrack, func(h flow.Health) bool { return h.Up == want })
	if err != nil {
		return 0, fmt.Errorf("agent %s never says that conntrack is up=%v: %w", a.spec.name, want, err)
	}
	return took, nil
}

// causeTime is how long a verdict may wait for evidence that is back: failed questions
// are repeated as soon as conntrack answers.
const causeTime = 20 * time.Second

// awaitCause waits until an agent gives connections this cause.
func awaitCause(ctx context.Context, a *agent, conns []*conn, cause flow.Cause) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, causeTime)
	defer cancel()
	began, right := time.Now(), 0
	err := awaitEvery(ctx, listInterval, func() (bool, error) {
		byID, err := findings(ctx, a)
		if err != nil {
			return false, nil //nolint:nilerr // the question is repeated until the time is up
		}
		right = 0
		for _, c := range conns {
			if byID[c.id].Cause == cause {
				right++
			}
		}
		return right == len(conns), nil
	})
	if err != nil {
		return 0, fmt.Errorf("%d of %d flows are judged %s after %v", right, len(conns), cause, causeTime)
	}
	return time.Since(began), nil
}
