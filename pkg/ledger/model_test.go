package ledger

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

const (
	modelFlows = 60 // that a model plays with
	modelRoom  = 20
	modelHost  = 3 // the network namespace of the host
)

// model plays random histories against a ledger. Beside it, it keeps which
// flows are held: those whose changes say so.
type model struct {
	t      *testing.T
	random *rand.Rand
	ledger *Ledger
	now    time.Time
	una    map[flow.ID]uint32
	held   map[flow.ID]bool
}

// TestRandomHistories: slots, queue, rotation and quotas always hold the same
// flows, each in its place, and a flow leaves or finds no room only for a reason.
func TestRandomHistories(t *testing.T) {
	const histories, steps = 50, 200
	for seed := range uint64(histories) {
		m := &model{
			t: t, random: rand.New(rand.NewPCG(seed, 14)), now: start, una: map[flow.ID]uint32{}, held: map[flow.ID]bool{}, //nolint:gosec // repeatable cases
			ledger: New(Options{StuckAfter: stuckAfter, MaxFlows: modelRoom, KeepEnded: 5, HostNetNS: modelHost}, start),
		}
		for range steps {
			m.now = m.now.Add(time.Duration(m.random.IntN(2000)) * time.Millisecond)
			m.step()
			m.check()
			if t.Failed() {
				t.Fatalf("the history is that of seed %d", seed)
			}
		}
	}
}

func (m *model) step() {
	l, id := m.ledger, m.id()
	switch m.random.IntN(12) {
	case 0, 1, 2, 3:
		m.observe(m.reading(id))
	case 4:
		m.takes(l.End(flow.End{ID: id, At: m.now}))
	case 5:
		m.takes(l.Snapshot(m.readings(), m.now))
	case 6:
		named := l.Turn(m.random.IntN(10))
		if some := slices.Compact(slices.Sorted(slices.Values(named))); len(some) < len(named) {
			m.t.Errorf("a turn has a flow twice: %v", named)
		}
		m.takes(l.Reread(named, m.readings(), m.now))
	case 7:
		m.takes(l.Scanned(m.now))
	case 8:
		l.Forget(id)
		delete(m.held, id)
	case 9:
		m.due()
	case 10:
		l.Postpone(id, m.now.Add(time.Minute))
		l.Await(id, m.now.Add(time.Second))
	default:
		m.put(id)
	}
}

func (m *model) id() flow.ID { return flow.ID(1 + m.random.IntN(modelFlows)) }

// reading is one of a flow that stands, or moves, or has moved and stands again.
// The flows are of a few owners, one of them greedy; of some a reading may not
// show the process.
func (m *model) reading(id flow.ID) flow.Socket {
	if m.random.IntN(5) == 0 {
		m.una[id]++
	}
	s := flow.Socket{
		ID: id, NetNS: uint32(1 + min(4, id%9)), Una: m.una[id], State: flow.Established, Live: m.random.IntN(8) > 0, At: m.now.Add(-time.Duration(m.random.IntN(2)) * time.Second),
		Timeouts: m.random.IntN(2), Since: m.now.Add(-time.Duration(m.random.IntN(20)) * time.Second), Unstored: id%11 == 0, Signals: m.random.IntN(2) == 0,
	}
	if s.NetNS == modelHost && m.random.IntN(3) > 0 {
		s.PID, s.Started = uint32(id%2)+1, time.Hour
	}
	return s
}

func (m *model) readings() []flow.Socket {
	var all []flow.Socket
	for id := flow.ID(1); id <= modelFlows; id++ {
		if m.random.IntN(3) > 0 {
			all = append(all, m.reading(id))
		}
	}
	return all
}

// observe has a reading say what it should of a flow that is held.
func (m *model) observe(s flow.Socket) {
	before := m.ledger.Entry(s.ID)
	var most, own int
	counts := map[owner]int{}
	for _, at := range m.ledger.table.slots {
		counts[at.share.owner]++
		most, own = max(most, counts[at.share.owner]), counts[m.ledger.quotas.ownerOf(s.NetNS, s.Process())]
	}
	suppressedHeld, passed, full := m.ledger.quotas.of[suppressed].size, m.ledger.passed.flows[s.ID], len(m.held) == modelRoom
	_, isPassed := m.ledger.passed.flows[s.ID]
	changes := m.ledger.Observe(s)
	m.takes(changes)
	switch kinds := steps(changes); {
	case before == nil && (!s.Live || isPassed && passed.una == s.Una):
		if len(kinds) != 0 {
			m.t.Errorf("%v of a flow that moves, or was passed over and stands", kinds)
		}
	case before == nil && len(kinds) == 0:
		if !full || suppressedHeld > 0 || most > own+1 {
			m.t.Errorf("no room: full %v, %d suppressed, the greediest has %d, its own owner %d", full, suppressedHeld, most, own)
		}
	case before == nil:
		if last := kinds[len(kinds)-1]; last.Kind != Suspected || len(kinds) == 2 && (!full || kinds[0].Kind != Dropped) {
			m.t.Errorf("%v of a flow that is new; full %v", kinds, full)
		}
	case len(kinds) > 0 && s.At.Before(before.ReadAt()):
		m.t.Errorf("%v by a reading from before the last one", kinds)
	case !s.At.Before(before.ReadAt()) && (!s.Live || s.Una != before.Socket().Una) && kinds[0].Kind != Recovered:
		m.t.Errorf("%v of a flow that moved", kinds)
	}
}

// takes has the changes say what is held.
func (m *model) takes(changes []Change) {
	for _, c := range changes {
		id := c.Entry.ID()
		switch was := m.held[id]; c.Kind {
		case Suspected:
			if was {
				m.t.Errorf("flow %s is suspected twice", id)
			}
			m.held[id] = true
		default:
			if !was {
				m.t.Errorf("flow %s is not held, and is %v", id, c.Kind)
			}
			if c.Kind != Written {
				delete(m.held, id)
			}
		}
	}
}

// put reports a flow that is held, has it be suppressed, or not any more.
func (m *model) put(id flow.ID) {
	e := m.ledger.Entry(id)
	if e == nil {
		return
	}
	reasons := []flow.Suppression{"", flow.SuppressedAtRisk, flow.SuppressedClosing, flow.SuppressedExternalClient}
	e = e.Judge(e.Evidence(), diagnosis.Decision{Suppressed: reasons[m.random.IntN(len(reasons))], AtOnce: m.random.IntN(2) == 0})
	if m.random.IntN(2) == 0 {
		e = e.Report(m.now, "reported")
	}
	tenth := m.ledger.quotas.of[suppressed].size + 1
	m.ledger.Put(e)
	for id := range m.held {
		if m.ledger.Entry(id) != nil {
			continue
		}
		delete(m.held, id)
		if _, known := m.ledger.passed.flows[id]; !known || tenth <= modelRoom/suppressedPart {
			m.t.Errorf("flow %s has left; %d were suppressed, it is known to be passed over: %v", id, tenth, known)
		}
	}
}

// due has what is due be held and due, the oldest suspect first.
func (m *model) due() {
	due := m.ledger.Due(m.now)
	for n, e := range due {
		if s := m.ledger.table.slots[e.ID()]; s == nil || s.entry != e {
			m.t.Errorf("flow %s is due and not held", e.ID())
		}
		if n > 0 && e.Since().Before(due[n-1].Since()) {
			m.t.Error("a younger flow is due before an older one")
		}
	}
	if next := m.ledger.Next(); !next.IsZero() && !next.After(m.now) {
		m.t.Errorf("something is due at %v, after all that is due was taken at %v", next, m.now)
	}
}

// check has all that keeps flows in order hold the same ones, each in its place.
func (m *model) check() {
	l := m.ledger
	if want, got := slices.Sorted(maps.Keys(m.held)), slices.Sorted(maps.Keys(l.table.slots)); !slices.Equal(want, got) {
		m.t.Errorf("held are %v, want %v", got, want)
	}
	if len(m.held) > modelRoom || l.quotas.of[suppressed].size > modelRoom/suppressedPart {
		m.t.Errorf("%d flows are held, %d of them suppressed", len(m.held), l.quotas.of[suppressed].size)
	}
	if len(l.rotation.slots) != len(m.held) || l.quotas.of[watched].size+l.quotas.of[suppressed].size != len(m.held) {
		m.t.Errorf("%d in the rotation, %d and %d in the quotas, of %d", len(l.rotation.slots), l.quotas.of[watched].size, l.quotas.of[suppressed].size, len(m.held))
	}
	queued, silent := 0, 0
	for id, s := range l.table.slots {
		if !s.entry.Socket().Signals {
			silent++
		}
		share := l.quotas.of[s.class].shares[l.quotas.ownerOf(s.entry.Socket().NetNS, s.entry.Socket().Process())]
		if s.entry.ID() != id || l.rotation.slots[s.rotating] != s || share != s.share || share.slots[s.held] != s || s.class != classOf(s.entry) {
			m.t.Errorf("flow %s is in a place that is not its own", id)
		}
		if s.queued >= 0 {
			if queued++; l.due[s.queued] != s {
				m.t.Errorf("flow %s has another's place in the queue", id)
			}
		}
		if s.entry.Life() == Suspect && s.queued < 0 {
			m.t.Errorf("suspect %s will never be due", id)
		}
	}
	if len(l.due) != queued {
		m.t.Errorf("%d in the queue, %d of them held", len(l.due), queued)
	}
	if l.silent != silent || l.Silent() != (silent > 0) {
		m.t.Errorf("%d flows count as silent, and %d are", l.silent, silent)
	}
	m.checkOrder()
	if v := l.View(); v.Suspects()+len(slices.Collect(v.Facts())) != len(m.held) {
		m.t.Errorf("readers see %d suspects and %d findings of %d flows", v.Suspects(), len(slices.Collect(v.Facts())), len(m.held))
	}
}

// checkOrder has every heap be one.
func (m *model) checkOrder() {
	l := m.ledger
	for n := 1; n < len(l.due); n++ {
		if l.due.Less(n, (n-1)/2) {
			m.t.Error("the queue is out of order")
		}
	}
	for c := range l.quotas.of {
		q := &l.quotas.of[c]
		for n, s := range q.order {
			if s.place != n || q.shares[s.owner] != s || len(s.slots) == 0 || q.order.Less(n, max(0, (n-1)/2)) {
				m.t.Errorf("the share of %+v is out of order", s.owner)
			}
		}
		if len(q.order) != len(q.shares) {
			m.t.Errorf("%d shares, %d of them in order", len(q.shares), len(q.order))
		}
	}
}
