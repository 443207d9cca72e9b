package inspector

import (
	"context"
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/deadline"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/monitor"
)

// report makes a suspect a finding.
func (i *Inspector) report(f *file) {
	if !i.monitor.Stick(f.evidence.Socket.ID) {
		return
	}
	f.stuck, f.backend = true, f.evidence.Backend.State
	f.departed.note(f.evidence, f.decision)
	if f.decision.Mute == flow.MuteAtRisk {
		i.tell(f, flow.EventAtRisk, "found at risk: %s · %s", f.decision.Symptom, f.decision.Cause)
		return
	}
	i.tell(f, flow.EventStuck, "found stuck: %s · %s", f.decision.Symptom, f.decision.Cause)
}

// tell writes a line into the flow's story, stores the finding and, unless it
// is muted, publishes an event.
func (i *Inspector) tell(f *file, event flow.EventType, format string, args ...any) {
	now := time.Now()
	at := now
	if !f.endedAt.IsZero() {
		at = f.endedAt
	}
	f.note(at, format, args...)
	i.store.put(*f)
	if f.decision.Mute != "" && event != flow.EventAtRisk {
		return
	}
	finding := f.finding(i.store.node, i.store.bootID, now)
	i.publish(flow.Event{Type: event, Time: now, Flow: &finding})
}

func (i *Inspector) publish(e flow.Event) {
	for _, s := range i.o.Sinks {
		s.Publish(e)
	}
}

// clusterChanged re-judges at once the flows that point at a changed address.
// It returns the steps in which who is idle there is looked for, as soon as
// nothing else waits.
func (i *Inspector) clusterChanged(ctx context.Context, changed map[netip.Addr]struct{}) []step {
	turned := i.checkHealth(ctx)
	gone := i.noteGone(changed)
	i.rejudge(ctx, 0, func(f *file) bool {
		if turned {
			return true
		}
		for _, addr := range []netip.Addr{f.evidence.Target().Addr(), f.evidence.Socket.Remote.Addr(), f.evidence.Socket.Local.Addr()} {
			if _, ok := changed[addr]; ok {
				return true
			}
		}
		return false
	})
	return i.seekGone(gone)
}

// finish closes a flow's file.
func (i *Inspector) finish(ctx context.Context, c monitor.Change) {
	defer delete(i.unanswered, c.Socket.ID)
	f := i.files[c.Socket.ID]
	delete(i.files, c.Socket.ID)
	if f == nil {
		return
	}
	if f.stuck && (c.Kind == monitor.Ended || c.Kind == monitor.Vanished) {
		i.judgeLast(f, c.At)
	}
	f.endedAt = c.At
	event := flow.EventEnded
	switch c.Kind {
	case monitor.Recovered:
		f.outcome, event = flow.Recovered, flow.EventRecovered
	case monitor.Closed:
		f.outcome = flow.Closed
	case monitor.Ended:
		f.outcome, f.err = diagnosis.Outcome(*c.End), diagnosis.Errno(c.End.Err)
	}
	if f.decision.Mute == flow.MuteAtRisk && f.outcome == flow.TimedOut {
		f.decision.Mute = "" // who was told of the risk is told that it came true
	}
	if !f.stuck && !i.diedUnreported(ctx, f, c.End) {
		return
	}
	f.evidence.GivesUp = deadline.GivesUp(f.evidence.Socket)
	if c.End != nil {
		f.evidence.Socket.Unsent, f.evidence.Socket.Unacknowledged = c.End.Unsent, c.End.Unacknowledged
		f.evidence.Socket.State = c.End.From
	}
	switch {
	case c.Kind == monitor.Vanished:
		i.tell(f, event, "gone; how it ended was not seen")
	case c.Kind == monitor.Closed:
		i.tell(f, event, "closed by its owner while it was idle; nothing was lost")
	case f.outcome == flow.Recovered:
		i.tell(f, event, "%s", recovery(f.decision.Symptom))
	case f.err != "":
		i.tell(f, event, "ended: %s (%s); bytes never sent: %d, sent and unacknowledged: %d", f.outcome, f.err, f.evidence.Socket.Unsent, f.evidence.Socket.Unacknowledged)
	default:
		i.tell(f, event, "ended: %s; bytes never sent: %d, sent and unacknowledged: %d", f.outcome, f.evidence.Socket.Unsent, f.evidence.Socket.Unacknowledged)
	}
}

// recovery says what a flow did that is not stuck any more.
func recovery(s flow.Symptom) string {
	if s == flow.HalfOpen {
		return "its peer sent something again"
	}
	return "made progress again"
}

// judgeLast has the last reading of a flow that is over its say: a round may
// not have come to it any more.
func (i *Inspector) judgeLast(f *file, ended time.Time) {
	before := f.decision
	f.evidence.Now = ended
	d := diagnosis.Decide(f.evidence)
	if d.Healthy {
		return
	}
	f.decision = d
	f.decision.Mute = before.Mute // of what is over nobody is told for the first time
	i.revise(f, before)
}

// diedUnreported tells of a suspect that the kernel gave up before its time
// to be reported had come: a short TCP_USER_TIMEOUT loses bytes too. A failed
// connect loses none, and its owner knows.
func (i *Inspector) diedUnreported(ctx context.Context, f *file, end *flow.End) bool {
	if f.outcome != flow.TimedOut || end.Unsent+end.Unacknowledged == 0 {
		return false
	}
	if f.decision.Cause == "" { // it died in the batch that brought its first record
		f.evidence = i.gather(ctx, f.evidence.Socket, f.evidence, 0)
		f.decision = diagnosis.Decide(f.evidence)
	}
	ended := f.endedAt
	f.endedAt = time.Time{}
	i.tell(f, flow.EventStuck, "the kernel gave up before it was due to be reported: %s · %s", f.decision.Symptom, f.decision.Cause)
	f.endedAt = ended
	return true
}
