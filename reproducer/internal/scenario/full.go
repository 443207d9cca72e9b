package scenario

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

// How often a long wait reads the prediction, and from when on that has to be right to
// fullTolerance. Before that, the first report's tolerance holds.
const (
	readingInterval = 20 * time.Second
	settling        = time.Minute
	fullTolerance   = time.Second
)

// Full returns the scenario without interference: with the kernel's defaults, it
// waits until the kernel aborts the flow. Only a flow that retransmits and that
// nothing else ends has such an end.
func (s Scenario) Full() (Scenario, error) {
	if s.Expected.Symptom != flow.Retransmitting || s.Expected.Outcome != "" ||
		s.Expected.Cause == flow.PathDrop || s.Expected.Cause == flow.ConntrackMissing {
		return s, fmt.Errorf("%s has no other end than the one that it is played to", s.Name)
	}
	s.Expected.Outcome, s.Expected.Error = flow.TimedOut, "ETIMEDOUT"
	s.full = true
	return s, nil
}

// Reading is what the agent predicted at some time of a long wait.
type Reading struct {
	At       time.Time    `json:"at"`
	Timeouts int          `json:"timeouts"`
	GivesUp  flow.GivesUp `json:"gives_up_at"`
}

// readUntilEnd reads the abort deadline of a flow from the agent again and again, until its
// end is reported.
func readUntilEnd(ctx context.Context, l *Lab, f flow.Finding, ended func(flow.Event) bool) ([]Reading, error) {
	var readings []Reading
	for {
		next, cancel := context.WithTimeout(ctx, readingInterval)
		_, err := l.AwaitEvent(next, ended)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			return readings, err
		}
		now, err := dumped(ctx, l, f.ID)
		if err != nil {
			return readings, err
		}
		r := Reading{At: now.At, Timeouts: now.Timeouts, GivesUp: now.GivesUp}
		readings = append(readings, r)
		l.Timeline.Add("%.0f s without progress, %d timeouts: the kernel gives up at %s, in %.0f s",
			now.Age().Seconds(), r.Timeouts, phrase.Milli(r.GivesUp.At, r.At), r.GivesUp.At.Sub(r.At).Seconds())
	}
}

// dumped returns a flow as tcpstuck dump prints it.
func dumped(ctx context.Context, l *Lab, id flow.ID) (flow.Finding, error) {
	out, _, err := l.Agent.CLI(ctx, "dump", "-o", "jsonl")
	if err != nil {
		return flow.Finding{}, err
	}
	for line := range strings.Lines(out) {
		var f flow.Finding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			return f, fmt.Errorf("read a finding: %w", err)
		}
		if f.ID == id {
			return f, nil
		}
	}
	return flow.Finding{}, fmt.Errorf("flow %s is not in\n%s", id, out)
}

// compareReadings demands that every reading was right from the first minute
// on.
func compareReadings(end End) error {
	for _, r := range end.Readings {
		if r.At.Sub(end.Since) < settling {
			continue
		}
		if wrong := end.Real.Sub(r.GivesUp.At); wrong.Abs() > fullTolerance {
			return fmt.Errorf("the prediction of %s, after %s without progress, is wrong by %s", phrase.Time(r.At, r.At), r.At.Sub(end.Since), wrong)
		}
	}
	return nil
}
