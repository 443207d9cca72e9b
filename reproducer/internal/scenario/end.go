package scenario

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/namespace"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// The largest distance of a prediction from the kernel's real end: at the first report this
// or a hundredth of the time to wait, at the last reading always this.
const (
	firstTolerance = 4 * time.Second
	lastTolerance  = 50 * time.Millisecond
)

// End is when a flow ended, and when it was predicted to.
type End struct {
	First flow.GivesUp `json:"first_predicted"` // when the flow was first reported
	Last  flow.GivesUp `json:"last_predicted"`  // by the last reading before the end
	Real  time.Time    `json:"real"`
	Since time.Time    `json:"since"` // when progress stopped
	// Readings are the predictions meanwhile, if the scenario wants them.
	Readings []Reading `json:"readings,omitempty"`
}

// judgeEnd waits for the end of the flow that was found, and compares it.
func (t *trial) judgeEnd(ctx context.Context) error {
	if t.scenario.aftermath != nil {
		if err := t.scenario.aftermath(ctx, t.Lab); err != nil {
			return err
		}
	}
	found := t.result.Found.Flow
	waiting, cancel := context.WithTimeout(ctx, patience(found))
	defer cancel()
	ended := func(e flow.Event) bool { return e.Flow != nil && e.Flow.ID == found.ID && e.Flow.Ended() }
	var readings []Reading
	if t.scenario.full {
		var err error
		if readings, err = readUntilEnd(waiting, t.Lab, found, ended); err != nil && waiting.Err() == nil {
			return err
		}
	}
	e, err := t.AwaitEvent(waiting, ended)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		t.fail("the flow was not seen to end")
		return nil
	}
	if err != nil {
		return err
	}
	t.result.Found.Outcome, t.result.Found.Error = e.Flow.Outcome, e.Flow.Err
	t.result.End = &End{First: found.GivesUp, Last: e.Flow.GivesUp, Real: e.Flow.EndedAt, Since: found.Since, Readings: readings}
	if err := t.compareEnd(ctx, *t.result.End, *e.Flow); err != nil {
		if ctx.Err() != nil {
			return err
		}
		t.fail("%s", err)
		return nil
	}
	t.result.OK = true
	return nil
}

// patience is how long a run waits for the end of a flow.
func patience(f flow.Finding) time.Duration {
	const least = 30 * time.Second
	if f.GivesUp.At.IsZero() {
		return least
	}
	return max(least, time.Until(f.GivesUp.Latest())*11/10)
}

func (t *trial) compareEnd(ctx context.Context, end End, f flow.Finding) error {
	if f.Outcome != t.scenario.Expected.Outcome || f.Err != t.scenario.Expected.Error {
		return fmt.Errorf("it ended %s %s, not %s %s", f.Outcome, f.Err, t.scenario.Expected.Outcome, t.scenario.Expected.Error)
	}
	t.Timeline.Add("as expected: it ended %s %s", f.Outcome, f.Err)
	if f.Outcome == flow.TimedOut {
		if err := t.comparePrediction(end); err != nil {
			return err
		}
	}
	if t.scenario.Expected.Error != "" {
		if err := applicationReads(ctx, t.Lab, t.scenario.Expected.Error); err != nil {
			return err
		}
	}
	if t.scenario.checkEnd != nil {
		return t.scenario.checkEnd(ctx, t.Lab, f)
	}
	return nil
}

// comparePrediction compares the predicted ends with the real one.
func (t *trial) comparePrediction(end End) error {
	never := t.scenario.shaken && end.First.Never // the flow's first symptom has no end
	if end.First.At.IsZero() && !never || end.Last.At.IsZero() {
		return fmt.Errorf("its end was not predicted: at first %+v, at last %+v", end.First, end.Last)
	}
	if t.scenario.shaken {
		t.Timeline.Add("it ended %.3f s after the time predicted at last", end.Real.Sub(end.Last.At).Seconds())
		return nil
	}
	first, last := end.Real.Sub(end.First.At), end.Real.Sub(end.Last.At)
	t.Timeline.Add("it ended %.3f s after the time predicted at first, %.3f s after the one predicted at last", first.Seconds(), last.Seconds())
	if first.Abs() > max(firstTolerance, end.Real.Sub(end.Since)/100) {
		return fmt.Errorf("the first prediction is wrong by %s", first)
	}
	if last.Abs() > lastTolerance {
		return fmt.Errorf("the last prediction is wrong by %s", last)
	}
	return compareReadings(end)
}

// applicationReads demands that the client's own call fails with an errno.
func applicationReads(ctx context.Context, l *Lab, name string) error {
	waiting, cancel := context.WithTimeout(ctx, margin)
	defer cancel()
	failed, err := l.Client.Echo.AwaitKind(waiting, 1, record.Error)
	if err != nil {
		return err
	}
	if want := errnoNamed(name).Error(); !strings.HasSuffix(failed.Error, ": "+want) {
		return fmt.Errorf("the application reads %q, not %s (%s)", failed.Error, name, want)
	}
	l.Timeline.Add("the application reads: %s", failed.Error)
	return nil
}

// errnoNamed returns an errno by its name; 0 if there is none.
func errnoNamed(name string) syscall.Errno {
	const last = 133
	for e := range syscall.Errno(last + 1) {
		if unix.ErrnoName(e) == name {
			return e
		}
	}
	return 0
}

// hasten makes the kernel abort a pod's connections after so many retransmissions or probes,
// which takes seconds instead of a quarter of an hour.
func hasten(p *cluster.Pod, retries int) error {
	return p.NS.Do(func() error { return namespace.Sysctl("ipv4/tcp_retries2", strconv.Itoa(retries)) })
}

// last returns the last record of a kind; zero: there is none.
func last(records []record.Record, kind record.Kind) record.Record {
	for _, r := range slices.Backward(records) {
		if r.Kind == kind {
			return r
		}
	}
	return record.Record{}
}
