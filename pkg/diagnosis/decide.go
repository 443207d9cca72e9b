package diagnosis

import (
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Verdict is the conclusion from the evidence.
type Verdict struct {
	Decision
	Sentence string
	Advice   []flow.Advice
	Evidence []flow.Evidence
}

// Decision is the part of a verdict that other decisions need. It costs only the
// predicates.
type Decision struct {
	Symptom    flow.Symptom
	Cause      flow.Cause
	Suppressed flow.Suppression
	// AtOnce is true if the flow need not be watched any longer before it is
	// reported: its backend is gone.
	AtOnce bool
	// Healthy is true of an idle flow whose backend is not gone: it is no finding.
	Healthy bool
}

// Decide returns what Judge decides, without its words. Neither changes the evidence, nor
// keeps it.
func Decide(e *Evidence) Decision {
	d, _ := decide(e)
	return d
}

func decide(e *Evidence) (Decision, *rule) {
	s := symptom(&e.Socket)
	d := Decision{Symptom: s}
	if e.End != nil {
		d.Symptom, d.Suppressed = flow.Truncated, suppressTruncated(e)
	} else {
		d.Suppressed = Suppress(e)
	}
	for i := range table {
		r := &table[i]
		if !r.holds(e, s) {
			continue
		}
		d.Cause = r.Name
		if e.End == nil {
			d.AtOnce = r.Gone && s != flow.Connecting
			if s == flow.HalfOpen {
				d.halfOpen(e)
			}
		}
		return d, r
	}
	panic("the last rule always holds")
}

// lastFIN is how long after a removal the pod's FIN may still come: a force-deleted
// container lives two seconds more.
const lastFIN = 5 * time.Second

// halfOpen: an idle flow has no symptom of its own, so it is a finding only
// while its keepalive probes have no answer, or its backend is gone; then it is at first
// only at risk.
func (d *Decision) halfOpen(e *Evidence) {
	if !d.AtOnce && unanswered(&e.Socket) > 0 {
		return
	}
	d.Healthy = !d.AtOnce
	removed := e.Removed()
	if removed.IsZero() {
		removed = e.Backend.Since
	}
	if d.Suppressed == "" && e.Now.Sub(removed) < lastFIN {
		d.Suppressed = flow.SuppressedAtRisk
	}
}

// Judge returns the verdict on a flow.
func Judge(e *Evidence) Verdict {
	d, r := decide(e)
	return Verdict{Decision: d, Sentence: sentence(e, d.Symptom, r.why(e)), Advice: r.advice(e), Evidence: record(e, r.Here)}
}
