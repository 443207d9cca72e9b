package inspector_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

// quietSocket is hung's connection with nothing outstanding.
func quietSocket() flow.Socket {
	s := hung()
	s.Timeouts, s.Retransmits, s.PacketsOut, s.Unacknowledged, s.Pending, s.Live = 0, 0, 0, 0, flow.TimerNone, false
	return s
}

func TestAnIdleFlowIsAtRiskAtOnceAndStuckLater(t *testing.T) {
	n := start(t, func(n *node) { n.kernel.idle = []flow.Socket{quietSocket()} })
	n.replace(without())
	began := time.Now()
	e := n.await(flow.EventAtRisk)
	if took := time.Since(began); took > 2*time.Second || verdict(e) != "HalfOpen · StaleConntrack" {
		t.Errorf("%s after %v", verdict(e), took)
	}
	if got := n.store.Findings(); len(got) != 1 || got[0].Mute != flow.MuteAtRisk {
		t.Errorf("findings %+v, want one at risk", got)
	}
	select {
	case e = <-n.events:
	case <-time.After(8 * time.Second):
		t.Fatal("it is never called stuck")
	}
	if age := time.Since(began); e.Type != flow.EventStuck || verdict(e) != "HalfOpen · StaleConntrack" || age < 5*time.Second {
		t.Errorf("%s %s after %v, want stuck once no FIN can come any more", e.Type, verdict(e), age)
	}
}

func TestAnIdleFlowWhoseBackendComesBackIsForgotten(t *testing.T) {
	n := start(t, func(n *node) { n.kernel.idle = []flow.Socket{quietSocket()} })
	n.replace(without())
	n.await(flow.EventAtRisk)
	n.replace(objects())
	n.quiet()
	if got := n.store.Findings(); len(got) != 0 {
		t.Errorf("findings %+v", got)
	}
}

func TestAnIdleFlowOfAnUnlistedBackendIsNoFinding(t *testing.T) {
	n := start(t, func(n *node) { n.kernel.idle = []flow.Socket{quietSocket()} })
	o := objects()
	o.Slices[0].Endpoints = nil // its pod lives: relabelled
	n.replace(o)
	n.quiet()
	if got := n.store.Findings(); len(got) != 0 {
		t.Errorf("findings %+v", got)
	}
}

func TestConntrackMissing(t *testing.T) {
	n := start(t, nil) // it has seen an entry of the Service at its start
	n.table.mu.Lock()
	clear(n.table.entries)
	n.table.mu.Unlock()
	n.kernel.retransmits(hung())
	if e := n.await(flow.EventStuck); verdict(e) != "Retransmitting · ConntrackMissing" {
		t.Error(verdict(e))
	}
}

func TestNoEntryWhereNothingIsTranslatedIsUnknown(t *testing.T) {
	n := start(t, func(n *node) { clear(n.table.entries) })
	n.kernel.retransmits(hung())
	if e := n.await(flow.EventStuck); verdict(e) != "Retransmitting · Unknown" {
		t.Error(verdict(e))
	}
}

func TestAnEntryThatOutlivedItsFlowIsStale(t *testing.T) {
	n := start(t, nil)
	n.replace(without())
	s := hung()
	n.kernel.retransmits(s)
	n.await(flow.EventStuck)
	n.kernel.change(func() { clear(n.kernel.sockets) })
	n.kernel.records <- tracer.Record{End: &flow.End{ID: s.ID, At: time.Now(), Err: int(syscall.ETIMEDOUT), Unacknowledged: 6}}
	n.await(flow.EventEnded)
	var stale []flow.StaleEntry
	for deadline := time.Now().Add(20 * time.Second); len(stale) == 0 && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		stale = n.store.Stale()
	}
	if len(stale) != 1 || stale[0].Client != local || stale[0].Backend != server || stale[0].Pod != "server-1" {
		t.Errorf("stale entries %+v, want the one of the flow that ended", stale)
	}
}
