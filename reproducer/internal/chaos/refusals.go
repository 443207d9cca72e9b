package chaos

import (
	"context"
	"fmt"
	"regexp"
)

// refusal is what an agent says of flows that found no room in its table.
type refusal struct {
	counted  bool // the metric is there
	refused  float64
	degraded []string // sources that are not up, and why
	dump     dumped
}

// refusal asks an agent in every way that can show that it does not watch everything.
func (l *Lab) refusal(ctx context.Context, a *agent) (refusal, error) {
	var r refusal
	m, err := a.metrics(ctx)
	if err != nil {
		return r, err
	}
	r.refused, r.counted = m.Sum("tcpstuck_flows_refused_total")
	status, err := a.api.Status(ctx)
	if err != nil {
		return r, err
	}
	for _, h := range status.Sources {
		if !h.Up {
			r.degraded = append(r.degraded, fmt.Sprintf("%s: %s", h.Source, h.Detail))
		}
	}
	r.dump, err = l.dumpOf(ctx, a)
	return r, err
}

// saysRefused is the sentence that a person reads.
var saysRefused = regexp.MustCompile(`(?i)\brefused\b|\bfound no room\b|\bnot (all flows are )?watched\b`)

// wrong returns the contradictions in what an agent says of its table, and those with the
// truth: flows are stuck, and perhaps some are not watched.
func (r refusal) wrong(unwatched bool) []string {
	var wrong []string
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if !r.counted {
		add("no metric counts what is refused")
	}
	if unwatched && r.refused == 0 {
		add("flows are not watched, and none counts as refused")
	}
	if !unwatched && r.dump.exit == 1 {
		return wrong
	}
	if r.dump.exit != 2 {
		add("dump ends with exit status %d, though %s", r.dump.exit, map[bool]string{true: "flows are not watched", false: "flows are stuck"}[unwatched])
		return wrong
	}
	if len(r.degraded) == 0 {
		add("flows are not watched, and no source is degraded")
	}
	if !saysRefused.MatchString(r.dump.says) {
		add("dump ends with exit status 2 and does not say that flows are refused")
	}
	return wrong
}

// refusals demands that what an agent says of its table is consistent.
func (a *arena) refusals(ctx context.Context, o *Outcome, unwatched bool) error {
	r, err := a.lab.refusal(ctx, a.agent)
	if err != nil {
		return err
	}
	for _, wrong := range r.wrong(unwatched) {
		o.lose("%s", wrong)
	}
	o.see("%.0f flows refused; %d sources degraded; dump ends with exit status %d", r.refused, len(r.degraded), r.dump.exit)
	return nil
}
