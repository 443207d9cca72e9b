package scenario

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// margin is how much later than --stuck-after a finding may come, on a busy machine,
// before it counts as missed.
const margin = 5 * time.Second

// stepTime is how long a step of the story itself may take on a busy machine.
const stepTime = time.Minute

// passInterval is the time between two of the agent's file scans.
const passInterval = 15 * time.Second

// Result is the result of a scenario.
type Result struct {
	Scenario      string      `json:"scenario"`
	Expected      Expectation `json:"expected"`
	Found         *Found      `json:"found"` // null: nothing was reported
	Timeline      []Step      `json:"timeline"`
	DetectSeconds *float64    `json:"detect_seconds"` // null: nothing was to be detected
	End           *End        `json:"end,omitempty"`  // if the run waited for its end
	OK            bool        `json:"ok"`
	Reason        string      `json:"reason,omitempty"` // why it is not OK
}

// Found is the agent's first verdict.
type Found struct {
	Symptom flow.Symptom `json:"symptom"`
	Cause   flow.Cause   `json:"cause"`
	Outcome flow.Outcome `json:"outcome,omitempty"` // if the run waited for its end
	Error   string       `json:"error,omitempty"`
	Flow    flow.Finding `json:"flow"`
}

// Run plays a scenario. An error means that it could not be played to its end; an
// unexpected verdict is no error. Before it removes everything, it calls keep, if that is
// set.
func Run(ctx context.Context, opts Options, s Scenario, keep func(*Lab)) (r Result, err error) {
	l := newLab(opts)
	r = Result{Scenario: s.Name, Expected: s.Expected}
	defer func() {
		err = errors.Join(err, l.Close())
		r.Timeline = l.Timeline.Steps()
		r.OK = r.OK && err == nil
	}()
	if err := l.open(ctx, opts, s); err != nil {
		return r, fmt.Errorf("set up %s: %w", s.Name, err)
	}
	if err := l.play(ctx, s, &r); err != nil {
		return r, err
	}
	if keep != nil {
		keep(l)
	}
	return r, nil
}

func newLab(opts Options) *Lab {
	return &Lab{Timeline: NewTimeline(opts.Out), patience: opts.Patience, news: make(chan struct{})}
}

// play makes the fault happen and judges the agent's report.
func (l *Lab) play(ctx context.Context, s Scenario, r *Result) error {
	at, err := s.fault(ctx, l)
	switch {
	case err != nil:
	case s.Expected.Control():
		err = l.judgeControl(ctx, s, r)
	default:
		err = l.judgeFault(ctx, s, at, r)
	}
	var broken brokenClaim
	if errors.As(err, &broken) {
		l.fail(r, "%s", broken)
		return nil
	}
	if err != nil {
		return fmt.Errorf("play %s: %w", s.Name, err)
	}
	return nil
}

// judgeFault waits for the first verdict and compares it.
func (l *Lab) judgeFault(ctx context.Context, s Scenario, fault time.Time, r *Result) error {
	waiting, cancel := context.WithTimeout(ctx, l.atMost(s.inTime()))
	defer cancel()
	e, err := l.AwaitEvent(waiting, func(e flow.Event) bool {
		return stuckEvent(e) && (s.aside == nil || !s.aside(l, *e.Flow))
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		l.fail(r, "nothing was reported; the agent's log:\n%s", l.Agent.Log())
		return nil
	}
	if err != nil {
		return err
	}
	r.Found = &Found{Symptom: e.Flow.Symptom, Cause: e.Flow.Cause, Flow: *e.Flow}
	subject := clientsFlow
	if s.subject != nil {
		subject = s.subject
	}
	if err := subject(l, *e.Flow); err != nil {
		l.fail(r, "%s", err)
		return nil
	}
	began := fault // if no client writes
	if l.Client != nil {
		began = firstWrite(l.Client.Echo.Records(), fault)
	}
	detect := e.Time.Sub(began).Seconds()
	r.DetectSeconds = &detect
	if e.Flow.Symptom != s.Expected.Symptom || e.Flow.Cause != s.Expected.Cause {
		l.fail(r, "the verdict is %s · %s, not %s: %s", e.Flow.Symptom, e.Flow.Cause, s.Expected, e.Flow.Sentence)
		return nil
	}
	if s.check != nil {
		if err := s.check(l, *e.Flow); err != nil {
			l.fail(r, "%s", err)
			return nil
		}
	}
	l.Timeline.Add("as expected: %s · %s, %.2f s after the client's first write", e.Flow.Symptom, e.Flow.Cause, detect)
	if s.Expected.Outcome != "" {
		return l.judgeEnd(ctx, s, r)
	}
	r.OK = true
	return nil
}

// inTime is how soon after a fault the agent has to report it.
func (s Scenario) inTime() time.Duration {
	if s.quiet {
		return passInterval + s.stuckAfter + margin
	}
	return s.stuckAfter + margin
}

// clientsFlow demands that a finding is about the client's first connection.
func clientsFlow(l *Lab, f flow.Finding) error {
	for _, r := range l.Client.Echo.Records() {
		if r.Kind != record.Connected {
			continue
		}
		if f.Local.Addr != r.Local {
			return fmt.Errorf("flow %s was reported, the one that hangs is %s", f.Local.Addr, r.Local)
		}
		return nil
	}
	return errors.New("the client never connected")
}

// firstWrite returns when the client first wrote after the fault. If the fault met a request
// in flight, that is the last write: it got no answer. A client that writes nothing has to
// notice the fault itself.
func firstWrite(records []record.Record, fault time.Time) time.Time {
	last := fault
	for _, r := range records {
		if r.Kind != record.Write {
			continue
		}
		last = r.Time
		if !last.Before(fault) {
			break
		}
	}
	return last
}

// judgeControl demands that nothing was reported the whole time.
func (l *Lab) judgeControl(ctx context.Context, s Scenario, r *Result) error {
	if reported := l.Events(stuckEvent); len(reported) > 0 {
		f := reported[0].Flow
		r.Found = &Found{Symptom: f.Symptom, Cause: f.Cause, Flow: *f}
		l.fail(r, "%d flows were reported, first: %s", len(reported), f.Sentence)
		return nil
	}
	out, code, err := l.Agent.CLI(ctx, "dump")
	if err != nil {
		return err
	}
	if code != 0 {
		l.fail(r, "tcpstuck dump exits %d:\n%s", code, out)
		return nil
	}
	l.Timeline.Add("as expected: nothing is reported, and tcpstuck dump exits 0")
	if s.prove != nil {
		if err := s.prove(ctx, l); err != nil {
			return err
		}
	}
	r.OK = true
	return nil
}

func (l *Lab) fail(r *Result, why string, args ...any) {
	r.OK, r.Reason = false, fmt.Sprintf(why, args...)
	l.Timeline.Add("NOT as expected: %s", r.Reason)
}

// stuckEvent matches events that report trouble of an application's flow.
func stuckEvent(e flow.Event) bool {
	return e.Flow != nil && (e.Type == flow.EventStuck || e.Type == flow.EventDataLost)
}

// JSON returns the result as one line.
func (r Result) JSON() ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode result: %w", err)
	}
	return append(b, '\n'), nil
}
