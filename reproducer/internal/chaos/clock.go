package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// clockJumps: ages and deadlines do not depend on the time of day.
func clockJumps() Fault {
	const fresh = 100
	return Fault{
		Name:  "clock-jumps",
		Story: "the agent's wall clock, and no other, jumps a day ahead, two days back and home again while connections begin to hang",
		play: func(ctx context.Context, l *Lab, o *Outcome) error {
			clock, err := l.agent.wallClock()
			if err != nil {
				return err
			}
			before, err := l.agent.standingEnds(ctx)
			if err != nil {
				return err
			}
			for _, hours := range []int32{24, -24, 0} {
				conns, err := l.calm(ctx, l.client.NS, fresh)
				if err != nil {
					return err
				}
				began := time.Now()
				if err := l.hang(conns); err != nil {
					return err
				}
				if err := pause(ctx, time.Second); err != nil { // suspects by now
					return err
				}
				if err := clock.step(ctx, hours*3600); err != nil {
					return err
				}
				o.inject(1)
				if err := clockHolds(ctx, l, o, time.Duration(hours)*time.Hour, began); err != nil {
					return err
				}
				l.calmDown(conns)
				before += fresh
			}
			if l.truth.found(ctx, l.agent) != nil {
				return nil //nolint:nilerr // settle says it
			}
			after, err := l.agent.endedFlows(ctx)
			if err == nil && after > before {
				o.lose("%d flows are counted as ended, %d have", after, before)
			}
			return err
		},
	}
}

// ageTime is how soon after a step every flow, and the time when it stopped, has been read
// again.
const ageTime = 10 * time.Second

// clockHolds demands that the agent reads the clock that it was given, lists the truth in
// time, and shows no impossible age.
func clockHolds(ctx context.Context, l *Lab, o *Outcome, ahead time.Duration, began time.Time) error {
	if err := l.truth.found(ctx, l.agent); err != nil {
		o.lose("%v", err)
	}
	took := time.Since(began)
	if took > detectTime {
		o.lose("new flows were listed after %.1f s only", took.Seconds())
	}
	oldest, wrong := time.Duration(0), 0
	right, cancel := context.WithTimeout(ctx, ageTime)
	defer cancel()
	err := awaitEvery(right, listInterval, func() (bool, error) {
		list, err := l.agent.flows(ctx)
		if err != nil {
			return false, err
		}
		oldest, wrong = 0, 0
		for _, f := range list {
			oldest = max(oldest, f.Age())
			if f.Age() < 0 || f.Age() > time.Since(l.began)+time.Second {
				wrong++
			}
			if reads := time.Until(f.At); (reads - ahead).Abs() > time.Minute {
				return false, fmt.Errorf("the agent's clock is %v ahead, not %v", reads, ahead)
			}
		}
		return wrong == 0, nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		o.lose("%d flows have an age that they cannot have", wrong)
	} else if err != nil {
		return err
	}
	o.see("%+.0f h: new flows are listed within %.1f s, the oldest is %.0f s old", ahead.Hours(), took.Seconds(), oldest.Seconds())
	return nil
}

// answerAge is more than the age that an answer of the metrics port may have.
const answerAge = 1200 * time.Millisecond

// standingEnds returns how many flows the agent has counted as ended, once that number stands.
// The flows of the fault before may still end, and an answer may be a second old.
func (a *agent) standingEnds(ctx context.Context) (int, error) {
	last := -1
	for range 20 {
		n, err := a.endedFlows(ctx)
		if err != nil || n == last {
			return n, err
		}
		last = n
		if err := pause(ctx, answerAge); err != nil {
			return 0, err
		}
	}
	return 0, errors.New("flows go on ending, and none should")
}

// endedFlows returns how many flows the agent has counted as ended, in its latest answer.
func (a *agent) endedFlows(ctx context.Context) (int, error) {
	m, err := a.metrics(ctx)
	if err != nil {
		return 0, err
	}
	n, _ := m.Sum("tcpstuck_flows_ended_total")
	return int(n), nil
}
