package inspector_test

import (
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func TestConntrackThatFailedIsAskedAgainSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, func(n *node) { n.lasts = time.Hour })
		n.table.fail(syscall.ENOBUFS)
		n.kernel.retransmits(hung())
		if got := verdict(n.await(flow.EventStuck)); got == "Retransmitting · StaleConntrack" {
			t.Fatalf("%s without an answer of conntrack", got)
		}
		if e := n.await(flow.EventDegraded); e.Source != string(flow.SourceConntrack) {
			t.Errorf("degraded: %s", e.Source)
		}
		n.table.fail(nil)
		if e := n.await(flow.EventRevised); e.Flow.Backend == nil || e.Flow.Backend.Addr != server {
			t.Errorf("backend %+v, want %v, which conntrack knows again", e.Flow.Backend, server)
		}
		if e := n.await(flow.EventRestored); e.Source != string(flow.SourceConntrack) {
			t.Errorf("restored: %s", e.Source)
		}
	})
}

// TestAnEntryOutlivesAFailedQuestion: one failed lookup is no reason to withdraw
// a verdict; an answer that could not be confirmed for long is.
func TestAnEntryOutlivesAFailedQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, func(n *node) { n.lasts = 2500 * time.Millisecond })
		n.replace(without())
		n.kernel.retransmits(hung())
		first := n.await(flow.EventStuck)
		if verdict(first) != "Retransmitting · StaleConntrack" {
			t.Fatal(verdict(first))
		}
		n.table.fail(syscall.ETIMEDOUT)
		if e := n.await(flow.EventDegraded); e.Source != string(flow.SourceConntrack) {
			t.Errorf("degraded: %s", e.Source)
		}
		if got := n.findings()[0]; got.Cause != flow.StaleConntrack {
			t.Errorf("%s · %s after one failed question", got.Symptom, got.Cause)
		}
		withdrawn := n.await(flow.EventRevised)
		if after := withdrawn.Time.Sub(first.Time); verdict(withdrawn) == verdict(first) || after < n.lasts {
			t.Errorf("%s after %v", verdict(withdrawn), after)
		}
		n.table.fail(nil)
		n.await(flow.EventRestored)
		if again := n.await(flow.EventRevised); verdict(again) != verdict(first) {
			t.Errorf("%s once conntrack answers again", verdict(again))
		}
	})
}

// TestAllAreAskedAgainOnceConntrackAnswers: what could not be asked does not
// wait for the rationed rounds of asking.
func TestAllAreAskedAgainOnceConntrackAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const flows = 500
		n := start(t, func(n *node) { n.lasts = time.Hour })
		n.table.fail(syscall.EPERM)
		for id := range flow.ID(flows) {
			s := hung()
			s.ID = 1000 + id
			n.kernel.retransmits(s)
		}
		n.awaitAll(flow.EventStuck, flows)
		n.table.fail(nil)
		healed := time.Now()
		n.awaitAll(flow.EventRevised, flows)
		if took := time.Since(healed); took > 3*time.Second {
			t.Errorf("the last of %d verdicts was back after %v", flows, took)
		}
	})
}

// awaitAll waits for events of a type and ignores others.
func (n *node) awaitAll(want flow.EventType, count int) {
	n.t.Helper()
	timeout := time.After(2 * patience)
	for got := 0; got < count; {
		select {
		case e := <-n.events:
			if e.Type == want {
				got++
			}
		case <-timeout:
			n.t.Fatalf("%d events %s, want %d", got, want, count)
		}
	}
}
