package ledger

import (
	"maps"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// of is a reading of a flow in a network namespace.
func of(id flow.ID, netns uint32) flow.Socket {
	s := readAt(0, 1)
	s.ID, s.NetNS = id, netns
	return s
}

// suppress has a flow be of those that are only counted.
func suppress(l *Ledger, id flow.ID) {
	if e := l.Entry(id); e != nil {
		l.Put(e.Judge(e.Evidence(), diagnosis.Decision{Suppressed: flow.SuppressedExternalClient}))
	}
}

// held counts the flows that are held of each network namespace.
func held(l *Ledger) map[uint32]int {
	n := map[uint32]int{}
	for _, e := range l.Entries() {
		n[e.Socket().NetNS]++
	}
	return n
}

func refused(l *Ledger) uint64 {
	n, _, _ := l.Short(start)
	return n
}

const (
	greedy    = 7
	neighbour = 8
)

// TestNobodyTakesTheTable: however many flows one owner has, another one's flow
// finds room, up to half of the table.
func TestNobodyTakesTheTable(t *testing.T) {
	l := ofMost(100)
	for id := range flow.ID(300) {
		l.Observe(of(id, greedy))
	}
	if refused(l) != 200 {
		t.Errorf("%d refused, want those of 300 that found no room among 100", refused(l))
	}
	for id := range flow.ID(300) {
		l.Observe(of(1000+id, neighbour))
	}
	if diff := cmp.Diff(map[uint32]int{greedy: 50, neighbour: 50}, held(l)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	for id := range flow.ID(10) {
		l.Observe(of(2000+id, uint32(100+id)))
	}
	for id := range flow.ID(10) {
		if l.Entry(2000+id) == nil {
			t.Errorf("the flow of one with a single one, %d, found no room", id)
		}
	}
}

// TestWhatMakesRoomIsSaid: a flow that was reported does not go in silence.
func TestWhatMakesRoomIsSaid(t *testing.T) {
	l := ofMost(2)
	l.Observe(of(1, greedy))
	l.Observe(of(2, greedy))
	report(l, 1)
	report(l, 2)
	changes := l.Observe(of(3, neighbour))
	if diff := cmp.Diff([]step{{Dropped, true}, {Suspected, false}}, steps(changes)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	l.End(flow.End{ID: 3})
	if !l.Owed() {
		t.Error("there is room again, and what had to go is not looked for")
	}
}

// TestSuppressedFlowsTakeATenth: and a watched flow takes no room from another
// watched one while any suppressed flow is held.
func TestSuppressedFlowsTakeATenth(t *testing.T) {
	l := ofMost(100)
	for id := range flow.ID(10_000) {
		l.Observe(of(id, uint32(id%5)+10))
		suppress(l, id)
	}
	if got := l.Len(); got != 10 {
		t.Errorf("%d suppressed flows are held, want a tenth of the table", got)
	}
	if refused(l) != 0 || l.Owed() {
		t.Errorf("%d refused, owed %v: nobody misses what is only counted", refused(l), l.Owed())
	}
	for id := range flow.ID(100) {
		if len(l.Observe(of(20_000+id, neighbour))) == 0 {
			t.Fatalf("flow %d of the neighbour found no room", id)
		}
	}
	if diff := cmp.Diff(map[uint32]int{neighbour: 100}, held(l)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestWhatWasPassedOverIsNotAskedAboutAgain: until it moves.
func TestWhatWasPassedOverIsNotAskedAboutAgain(t *testing.T) {
	l := ofMost(10)
	for id := range flow.ID(5) {
		l.Observe(of(id, greedy))
		suppress(l, id)
	}
	over := flow.ID(0)
	for ; l.Entry(over) != nil; over++ {
	}
	if got := l.Observe(of(over, greedy)); len(got) != 0 {
		t.Errorf("%v, and it stands where it stood", steps(got))
	}
	further := of(over, greedy)
	further.Una = 2
	if got := l.Observe(further); len(got) != 1 || got[0].Kind != Suspected {
		t.Errorf("%v, want a suspicion: it stands elsewhere", steps(got))
	}
	suppress(l, over)
	l.End(flow.End{ID: over})
	if _, known := l.passed.flows[over]; known {
		t.Error("one that has ended is known for ever")
	}
}

// TestWhatWasPassedOverIsReconsidered: once the records are other ones, by which
// it may not be suppressed any more. A complete look shows it.
func TestWhatWasPassedOverIsReconsidered(t *testing.T) {
	l := ofMost(10)
	if l.Reconsider(nil); l.Owed() {
		t.Error("a look is owed, and nothing was passed over")
	}
	for id := range flow.ID(2) {
		l.Observe(of(id, greedy))
		suppress(l, id)
	}
	if l.Reconsider(nil); !l.Owed() {
		t.Error("no look is owed")
	}
	l.Snapshot([]flow.Socket{of(0, greedy), of(1, greedy)}, at(1))
	if l.Len() != 2 {
		t.Errorf("%d flows are held, want both", l.Len())
	}
}

// TestWhatWasPassedOverIsReconsideredByAddress: the records of one peer have changed, and
// those of the other have not.
func TestWhatWasPassedOverIsReconsideredByAddress(t *testing.T) {
	l := ofMost(10)
	for id := range flow.ID(3) {
		s := of(id, greedy)
		s.Remote = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(id)}), 80)
		l.Observe(s)
		suppress(l, id)
	}
	was := maps.Clone(l.passed.flows)
	if l.Reconsider(map[netip.Addr]struct{}{netip.MustParseAddr("192.0.2.77"): {}}); l.Owed() || len(l.passed.flows) != 2 {
		t.Errorf("another peer's records: a look is owed: %v; %d are passed over, want 2", l.Owed(), len(l.passed.flows))
	}
	for id := range was {
		l.Reconsider(map[netip.Addr]struct{}{netip.AddrFrom4([4]byte{192, 0, 2, byte(id)}): {}})
		if _, known := l.passed.flows[id]; known || !l.Owed() || len(l.passed.flows) != 1 {
			t.Errorf("its peer's records: it is passed over: %v; a look is owed: %v; %d are passed over, want 1", known, l.Owed(), len(l.passed.flows))
		}
		break
	}
}

// TestAPodOfManyOwnersIsOne: it can make namespaces and processes, a flow in each.
func TestAPodOfManyOwnersIsOne(t *testing.T) {
	const host = 1
	for name, its := range map[string]func(id flow.ID) flow.Socket{
		"with many namespaces": func(id flow.ID) flow.Socket { return of(id, uint32(100+id)) },
		"in the host's own, with many processes": func(id flow.ID) flow.Socket {
			s := of(id, host)
			s.PID = uint32(100 + id)
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := New(Options{StuckAfter: stuckAfter, MaxFlows: 10, HostNetNS: host}, start)
			for id := range flow.ID(10) {
				l.Observe(its(id))
				e := l.Entry(id)
				evidence := e.Evidence()
				evidence.PodUID = "greedy"
				l.Put(e.Judge(evidence, diagnosis.Decision{}))
			}
			for id := range flow.ID(3) {
				l.Observe(of(1000+id, neighbour))
			}
			if n := held(l)[neighbour]; n != 3 {
				t.Errorf("%d flows of the neighbour are held, want 3", n)
			}
			for id := flow.ID(10); id < 13; id++ {
				again := its(id % 3)
				again.ID = id
				if got := l.Observe(again); len(got) != 0 {
					t.Errorf("%v: the pod's next flow pushes out another one", steps(got))
				}
			}
		})
	}
}

// TestThePodsThatAreRememberedAreBounded, and nobody is every process that is not known.
func TestThePodsThatAreRememberedAreBounded(t *testing.T) {
	q := newQuotas(1)
	for n := range uint32(mostPods + 100) {
		q.notePod(2+n, flow.Process{}, "some")
	}
	q.notePod(1, flow.Process{}, "some")
	if len(q.pods) != 100 {
		t.Errorf("%d are remembered, want the last 100", len(q.pods))
	}
}

// TestProcessesOwnTheHostsFlows: all else there is one owner for all.
func TestProcessesOwnTheHostsFlows(t *testing.T) {
	l := New(Options{StuckAfter: stuckAfter, MaxFlows: 10, HostNetNS: 1}, start)
	for id := range flow.ID(50) {
		s := of(id, 1)
		s.PID, s.Started = 4711, time.Hour
		l.Observe(s)
	}
	kubelet := of(100, 1)
	kubelet.PID, kubelet.Started = 812, time.Minute
	if l.Observe(kubelet); l.Entry(100) == nil {
		t.Error("another process of the host found no room")
	}
}

// TestAnOwnerIsLearntLater: a file scan shows which process has a socket.
func TestAnOwnerIsLearntLater(t *testing.T) {
	l := New(Options{StuckAfter: stuckAfter, MaxFlows: 10, HostNetNS: 1}, start)
	for id := range flow.ID(10) {
		l.Observe(of(id, 1))
	}
	for id := range flow.ID(9) {
		s := of(id, 1)
		s.PID, s.Started, s.At = 4711, time.Hour, at(1)
		l.Observe(s)
	}
	l.Observe(of(100, 1))
	if l.Entry(9) == nil || l.Entry(100) == nil {
		t.Error("the greedy process kept all that was its own")
	}
}

// TestALedgerIsShortUntilAllIsLookedFor: for a minute at least, and for as long
// as it is full or flows may stand still that are not held.
func TestALedgerIsShortUntilAllIsLookedFor(t *testing.T) {
	short := func(l *Ledger, seconds float64) bool {
		_, _, short := l.Short(at(seconds))
		return short
	}
	l := ofMost(1)
	l.Observe(of(1, greedy))
	if short(l, 0) {
		t.Error("short, and nothing was refused: it is full of what there is")
	}
	l.Observe(of(2, greedy))
	if !short(l, 0) || !short(l, 3600) {
		t.Error("not short while it is full, and was when a flow came")
	}
	l.End(flow.End{ID: 1})
	if !short(l, 3600) {
		t.Error("not short before what was refused was looked for")
	}
	for l.Owed() {
		l.Snapshot(nil, at(10))
	}
	if !short(l, 59) || short(l, 61) {
		t.Error("want it short for a minute after a flow was refused")
	}
	if refused(l) != 1 {
		t.Errorf("%d refused, want 1", refused(l))
	}
}

// TestTheGreediestMakesRoom: not its neighbour, and no owner without more flows
// than the owner of the newcomer.
func TestTheGreediestMakesRoom(t *testing.T) {
	l := ofMost(6)
	for id := range flow.ID(4) {
		l.Observe(of(id, greedy))
	}
	l.Observe(of(10, neighbour))
	l.Observe(of(11, 9))
	l.Observe(of(12, 9))
	if diff := cmp.Diff(map[uint32]int{greedy: 3, neighbour: 1, 9: 2}, held(l)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got := l.Observe(of(13, 9)); len(got) != 0 {
		t.Errorf("%v, and the greediest has only one more", steps(got))
	}
}

// TestSuppressedFlowsMakeRoomFirst: whichever owner has most of the watched ones.
func TestSuppressedFlowsMakeRoomFirst(t *testing.T) {
	l := ofMost(10)
	for id := range flow.ID(9) {
		l.Observe(of(id, greedy))
	}
	l.Observe(of(9, neighbour))
	suppress(l, 9)
	l.Observe(of(10, greedy))
	if diff := cmp.Diff(map[uint32]int{greedy: 10}, held(l)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestFlowsAtRiskAreWatched: they will hang.
func TestFlowsAtRiskAreWatched(t *testing.T) {
	l := ofMost(10)
	for id := range flow.ID(10) {
		l.Observe(of(id, greedy))
		e := l.Entry(id)
		l.Put(e.Judge(e.Evidence(), diagnosis.Decision{Suppressed: flow.SuppressedAtRisk}))
	}
	if l.Len() != 10 {
		t.Errorf("%d flows at risk are held, want all ten", l.Len())
	}
}

// TestAPodIsOneOwner: it can make processes, and namespaces of its own only with
// privileges.
func TestAPodIsOneOwner(t *testing.T) {
	l := ofMost(10)
	for id := range flow.ID(30) {
		s := of(id, greedy)
		s.PID, s.Started = uint32(id)+1, time.Hour
		l.Observe(s)
	}
	for id := range flow.ID(5) {
		l.Observe(of(100+id, neighbour))
	}
	if diff := cmp.Diff(map[uint32]int{greedy: 5, neighbour: 5}, held(l)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestPassedOverFlowsAreBounded: by as many ids as a node may have sockets.
func TestPassedOverFlowsAreBounded(t *testing.T) {
	p := newPassedOver()
	e := newEntry(of(0, greedy))
	for id := range flow.ID(mostPassed + 100) {
		e.reading.id = id
		p.add(e)
	}
	if len(p.flows) != mostPassed {
		t.Errorf("%d are known, want %d", len(p.flows), mostPassed)
	}
}
