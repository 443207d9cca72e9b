package ledger

import (
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func TestPostponeAndForget(t *testing.T) {
	m := ofMost(10)
	m.Observe(readAt(0, 1))
	m.Postpone(1, at(12))
	if len(m.Due(at(11))) != 0 || !m.Next().Equal(at(12)) {
		t.Errorf("due at %v, want not before %v", m.Next(), at(12))
	}
	if len(m.Due(at(12))) != 1 {
		t.Error("not due once the time is over")
	}
	m.Forget(1)
	if m.Len() != 0 || m.View().Suspects() != 0 {
		t.Errorf("%d flows, %d suspects after it was forgotten", m.Len(), m.View().Suspects())
	}
	if got := steps(m.Observe(readAt(13, 1))); len(got) != 1 || got[0].Kind != Suspected {
		t.Errorf("%v, want a new suspicion", got)
	}
}

func TestNextIsTheFirstDeadline(t *testing.T) {
	m := ofMost(10)
	if !m.Next().IsZero() {
		t.Error("a deadline without a suspect")
	}
	m.Observe(readAt(1, 1))
	younger := readAt(1, 1)
	younger.ID, younger.Since = 2, at(0.7)
	m.Observe(younger)
	if got := m.Next(); !got.Equal(at(10)) {
		t.Errorf("next deadline %v, want %v", got, at(10))
	}
	report(m, 1)
	if got := m.Next(); !got.Equal(at(10.7)) {
		t.Errorf("next deadline %v, want %v", got, at(10.7))
	}
}

func TestWhatIsDue(t *testing.T) {
	m := ofMost(10)
	m.Observe(readAt(0, 1))
	if due := m.Due(at(9.999)); len(due) != 0 {
		t.Errorf("%d due before stuck-after", len(due))
	}
	if due := m.Due(at(10)); len(due) != 1 || due[0].ID() != 1 {
		t.Errorf("%d due after stuck-after, want flow 1", len(due))
	}
	if due := m.Due(at(10.01)); len(due) != 0 {
		t.Errorf("%d due again at once", len(due))
	}
	if due := m.Due(at(11)); len(due) != 1 {
		t.Errorf("%d due again, want what could not be read", len(due))
	}
	report(m, 1)
	if due := m.Due(at(30)); len(due) != 0 {
		t.Errorf("%d due once it is reported", len(due))
	}
	m.Await(1, at(40))
	if due := m.Due(at(40)); len(due) != 1 || len(m.Due(at(50))) != 0 {
		t.Errorf("%d due, want what waits for this time, once", len(due))
	}
}

// TestWhoseBackendIsGoneIsDueAtOnce: unless it is only counted.
func TestWhoseBackendIsGoneIsDueAtOnce(t *testing.T) {
	for reason, due := range map[flow.Suppression]int{"": 1, flow.SuppressedAtRisk: 1, flow.SuppressedClosing: 0} {
		m := ofMost(10)
		m.Observe(readAt(0, 1))
		e := m.Entry(1)
		m.Put(e.Judge(e.Evidence(), diagnosis.Decision{AtOnce: true, Suppressed: reason}))
		if got := m.Due(at(1)); len(got) != due {
			t.Errorf("suppressed as %q: %d due, want %d", reason, len(got), due)
		}
	}
}

// abortsAt is socket 1, which the kernel should abort so long after a reading at
// a time.
func abortsAt(seconds, after float64) flow.Socket {
	s := readAt(seconds, 1)
	s.State, s.PacketsOut, s.Pending, s.Retransmits = flow.Established, 1, flow.TimerRetransmit, 1
	s.RTO, s.RTOMax, s.Retries2, s.Tick = 200*time.Millisecond, 2*time.Minute, 15, 4*time.Millisecond
	s.UserTimeout, s.RetransStamp = time.Duration((seconds+after)*float64(time.Second)), start
	s.TimerAt = s.At.Add(s.RTO)
	return s
}

// TestAFlowIsDueOnceItsAbortDeadlineHasPassed: nothing is shown as stuck that
// the kernel should have aborted, unless it was read since. One that stands on
// is due again, a second after each reading.
func TestAFlowIsDueOnceItsAbortDeadlineHasPassed(t *testing.T) {
	m := ofMost(10)
	m.Observe(abortsAt(1, 60))
	report(m, 1)
	deadline := m.Entry(1).Evidence().GivesUp.At
	if deadline.Before(at(50)) || deadline.After(at(100)) {
		t.Fatalf("the abort deadline is %v", deadline)
	}
	if due := m.Due(deadline); len(due) != 0 {
		t.Error("due before the kernel could have aborted it")
	}
	if due := m.Due(deadline.Add(2 * again)); len(due) != 1 {
		t.Fatal("not due once the kernel should have aborted it")
	}
	late := abortsAt(1, 60)
	late.At = deadline.Add(time.Second)
	m.Observe(late)
	if next := m.Next(); next.Before(late.At.Add(again)) || next.After(late.At.Add(5*time.Second)) {
		t.Errorf("due at %v, want soon after it was read at %v", next, late.At)
	}
}

// TestANearerAbortDeadlineCounts: a socket that is closed is given less time.
func TestANearerAbortDeadlineCounts(t *testing.T) {
	m := ofMost(10)
	m.Observe(abortsAt(1, 600))
	report(m, 1)
	m.Observe(abortsAt(2, 30))
	if next, deadline := m.Next(), m.Entry(1).Evidence().GivesUp.At; next.Before(deadline) || next.After(deadline.Add(2*again)) {
		t.Errorf("due at %v, want soon after %v", next, deadline)
	}
	m.Await(1, at(20))
	if next := m.Next(); !next.Equal(at(20)) {
		t.Errorf("due at %v, want at the time that it waits for", next)
	}
	m.Await(1, at(100))
	m.Observe(abortsAt(3, 29))
	if next, deadline := m.Next(), m.Entry(1).Evidence().GivesUp.At; next.Before(deadline) || next.After(deadline.Add(2*again)) {
		t.Errorf("due at %v, and its abort deadline, %v, comes before what it waits for", next, deadline)
	}
}

// TestOverdueFlowsAreReadTogether: those that outlive their abort deadlines cost
// ten looks a second at most, however many they are.
func TestOverdueFlowsAreReadTogether(t *testing.T) {
	const flows = 500
	m := ofMost(flows)
	for id := range flow.ID(flows) {
		s := abortsAt(1, 60)
		s.ID, s.At = id, s.At.Add(time.Duration(id)*2*time.Millisecond)
		s.UserTimeout += time.Duration(id) * 2 * time.Millisecond
		m.Observe(s)
		report(m, id)
	}
	began, looks, due := m.Next(), 0, 0
	for ; !m.Next().IsZero() && m.Next().Before(began.Add(5*time.Second)); looks++ {
		due += len(m.Due(m.Next()))
	}
	if due != flows || looks > 15 {
		t.Errorf("%d flows are due in %d looks, want all in some ten", due, looks)
	}
}

// TestItIsLookedAtBeforeItsEnd: a suspect that the kernel aborts before it counts as stuck has a
// look shortly before that, once.
func TestItIsLookedAtBeforeItsEnd(t *testing.T) {
	m := ofMost(10)
	short := readAt(0.5, 1)
	short.State, short.PacketsOut, short.SendWindow, short.Retransmits, short.Pending = flow.Established, 1, 65535, 1, flow.TimerRetransmit
	short.RTO, short.RTOMax, short.Retries2, short.Tick = 400*time.Millisecond, 2*time.Minute, 15, 4*time.Millisecond
	short.RetransStamp, short.Jiffies, short.TimerJiffies, short.UserTimeout = at(0.5), 1000, 1100, 5*time.Second
	m.Observe(short)
	first := m.Next()
	if first.Before(at(4)) || first.After(at(5)) {
		t.Fatalf("due at %v, want a second before its end at 5.5 s", first.Sub(start))
	}
	if len(m.Due(first)) != 1 {
		t.Fatal("it is not due then")
	}
	short.At, short.Timeouts = first, 3
	m.Observe(short)
	if again := m.Next(); again.Before(at(9)) {
		t.Errorf("due again at %v, want only when it counts as stuck", again.Sub(start))
	}
}
