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
	if err := (&trial{l, s, &r}).play(ctx); err != nil {
		return r, err
	}
	if keep != nil {
		keep(l)
	}
	return r, nil
}

func newLab(opts Options) *Lab {
	return &Lab{Timeline: NewTimeline(opts.Out), patience: opts.Patience, changed: make(chan struct{})}
}

// trial is one playing of a scenario, with what came of it.
type trial struct {
	*Lab
	scenario Scenario
	result   *Result
}

// play makes the fault happen and judges the agent's report.
func (t *trial) play(ctx context.Context) error {
	at, err := t.scenario.fault(ctx, t.Lab)
	switch {
	case err != nil:
	case t.scenario.Expected.Control():
		err = t.judgeControl(ctx)
	default:
		err = t.judgeFault(ctx, at)
	}
	var broken brokenClaim
	if errors.As(err, &broken) {
		t.fail("%s", broken)
		return nil
	}
	if err != nil {
		return fmt.Errorf("play %s: %w", t.scenario.Name, err)
	}
	return nil
}

// judgeFault waits for the first verdict and compares it.
func (t *trial) judgeFault(ctx context.Context, fault time.Time) error {
	waiting, cancel := context.WithTimeout(ctx, t.atMost(t.scenario.inTime()))
	defer cancel()
	e, err := t.AwaitEvent(waiting, func(e flow.Event) bool {
		return stuckEvent(e) && (t.scenario.aside == nil || !t.scenario.aside(t.Lab, *e.Flow))
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		t.fail("nothing was reported; the agent's log:\n%s", t.Agent.Log())
		return nil
	}
	if err != nil {
		return err
	}
	t.result.Found = &Found{Symptom: e.Flow.Symptom, Cause: e.Flow.Cause, Flow: *e.Flow}
	subject := clientsFlow
	if t.scenario.subject != nil {
		subject = t.scenario.subject
	}
	if err := subject(t.Lab, *e.Flow); err != nil {
		t.fail("%s", err)
		return nil
	}
	began := fault // if no client writes
	if t.Client != nil {
		began = firstWrite(t.Client.Echo.Records(), fault)
	}
	detect := e.Time.Sub(began).Seconds()
	t.result.DetectSeconds = &detect
	if e.Flow.Symptom != t.scenario.Expected.Symptom || e.Flow.Cause != t.scenario.Expected.Cause {
		t.fail("the verdict is %s · %s, not %s: %s", e.Flow.Symptom, e.Flow.Cause, t.scenario.Expected, e.Flow.Sentence)
		return nil
	}
	if t.scenario.check != nil {
		if err := t.scenario.check(t.Lab, *e.Flow); err != nil {
			t.fail("%s", err)
			return nil
		}
	}
	t.Timeline.Add("as expected: %s · %s, %.2f s after the client's first write", e.Flow.Symptom, e.Flow.Cause, detect)
	if t.scenario.Expected.Outcome != "" {
		return t.judgeEnd(ctx)
	}
	t.result.OK = true
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
func (t *trial) judgeControl(ctx context.Context) error {
	if reported := t.Events(stuckEvent); len(reported) > 0 {
		f := reported[0].Flow
		t.result.Found = &Found{Symptom: f.Symptom, Cause: f.Cause, Flow: *f}
		t.fail("%d flows were reported, first: %s", len(reported), f.Sentence)
		return nil
	}
	out, code, err := t.Agent.CLI(ctx, "dump")
	if err != nil {
		return err
	}
	if code != 0 {
		t.fail("tcpstuck dump exits %d:\n%s", code, out)
		return nil
	}
	t.Timeline.Add("as expected: nothing is reported, and tcpstuck dump exits 0")
	if t.scenario.prove != nil {
		if err := t.scenario.prove(ctx, t.Lab); err != nil {
			return err
		}
	}
	t.result.OK = true
	return nil
}

func (t *trial) fail(why string, args ...any) {
	t.result.OK, t.result.Reason = false, fmt.Sprintf(why, args...)
	t.Timeline.Add("NOT as expected: %s", t.result.Reason)
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
