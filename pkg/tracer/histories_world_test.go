package tracer

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/ledger"
)

// sock is what is true of one socket.
type sock struct {
	una, segs   uint32
	outstanding bool
	zeroWindow  bool
	closed      bool  // by its owner: its FIN is outstanding
	retransmits uint8 // as in the kernel, it passes 255
	gone        bool  // its peer

	timedOutAt uint32 // snd_una at its latest timeout
	timedOut   bool
	foundIdle  bool // by a file scan, and not a segment came since
}

func (s *sock) idle() bool { return !s.outstanding && !s.closed }

func (s *sock) stalled() bool { return s.outstanding && (s.retransmits > 0 || s.zeroWindow) }

// standsStill: a timer ran out since snd_una moved, or a file scan has found it; no
// file scan sees what its owner closed.
func (s *sock) standsStill() bool {
	return s.stalled() && !s.closed || s.outstanding && s.timedOut && s.timedOutAt == s.una || s.foundIdle && s.gone
}

type world struct {
	rand    *rand.Rand
	now     time.Time
	socks   [atOnce]sock
	lives   [atOnce]historiesLife
	ledgers [atOnce / perLedger]*ledger.Ledger
	lost    [atOnce / perLedger]bool
	late    []lateRecord
}

type lateRecord struct {
	life   int
	socket flow.Socket
}

func newWorld(r *rand.Rand) *world {
	w := &world{rand: r, now: time.Unix(1_000_000, 0)}
	for n := range w.ledgers {
		w.ledgers[n] = ledger.New(ledger.Options{StuckAfter: watchedAfter, MaxFlows: heldAtMost}, time.Now())
	}
	for n := range w.socks {
		w.socks[n].una = r.Uint32()
	}
	return w
}

// step makes something happen to each socket.
func (w *world) step() {
	w.now = w.now.Add(time.Duration(w.rand.IntN(3000)) * time.Millisecond)
	what := w.rand.IntN(3) // all lives of a file scan or a snapshot are in it together
	for n := range w.lives {
		w.lives[n].Act = uint8(historiesActACT_NONE)
		w.lives[n].NoRoom = 0
		if w.rand.IntN(4) > 0 {
			w.happen(n)
		}
		switch {
		case w.lives[n].Act != 0:
		case what == 1:
			w.pass(n)
		case what == 2:
			w.look(n, w.rand.IntN(8) == 0)
		}
		w.fill(n)
	}
	if what == 2 {
		w.keepTogether()
	}
}

// happen changes one socket, by what may happen to it now.
func (w *world) happen(n int) {
	s, l := &w.socks[n], &w.lives[n]
	switch w.rand.IntN(12) {
	case 0, 1: // its owner writes
		if !s.closed {
			s.outstanding = true
		}
	case 2: // an acknowledgement
		if s.outstanding {
			s.una++
			s.segs++
			s.retransmits, s.foundIdle = 0, false
			s.outstanding = w.rand.IntN(3) > 0 && !s.closed
			s.zeroWindow = s.zeroWindow && s.outstanding
		}
	case 3: // a segment that acknowledges nothing new
		s.segs++
		s.foundIdle = false
	case 4: // the window shuts
		s.zeroWindow = s.outstanding
	case 5: // it opens, and nothing more comes: the peer is gone
		if s.zeroWindow {
			s.segs++
			s.zeroWindow, s.foundIdle, s.retransmits = false, false, 0
		}
	case 6, 7, 8: // a retransmission timer runs out
		if !s.outstanding || s.zeroWindow {
			return
		}
		s.retransmits++
		if w.rand.IntN(6) == 0 {
			s.retransmits = 0 // 256 of them
		}
		s.timedOut, s.timedOutAt, s.foundIdle = true, s.una, false
		l.Act = uint8(historiesActACT_TIMEOUT)
		l.NoRoom = truth(w.rand.IntN(5) == 0)
		w.lost[n/perLedger] = w.lost[n/perLedger] || l.NoRoom == 1
	case 9: // its peer is deleted
		s.gone = true
	case 10: // or that was withdrawn
		s.gone = s.gone && w.rand.IntN(4) > 0
		s.foundIdle = s.foundIdle && s.gone
	case 11: // its owner closes
		if s.idle() && w.rand.IntN(4) == 0 {
			s.closed, s.outstanding, s.foundIdle = true, true, false
		}
	}
}

func (w *world) pass(n int) {
	s := &w.socks[n]
	if s.closed {
		return // no file of any process
	}
	w.lives[n].Act = uint8(historiesActACT_SCAN)
	if s.stalled() {
		s.timedOut, s.timedOutAt, s.foundIdle = true, s.una, false
		return
	}
	if s.gone && s.idle() {
		s.foundIdle = true
	}
}

// look is a snapshot, an incremental one unless all. The iterator's buffer may be
// full, and then the kernel shows the socket again; here a later look stands for that.
func (w *world) look(n int, all bool) {
	l := &w.lives[n]
	l.Act, l.All = uint8(historiesActACT_LOOK), truth(all)
	l.NoRoom = truth(w.rand.IntN(5) == 0)
}

// keepTogether has all lives of one ledger in one look, or none of them.
func (w *world) keepTogether() {
	for m := range w.ledgers {
		all := w.ledgers[m].Owed() || w.lost[m]
		for n := m * perLedger; n < (m+1)*perLedger; n++ {
			if w.lives[n].Act == uint8(historiesActACT_TIMEOUT) {
				continue
			}
			w.lives[n].Act, w.lives[n].All = uint8(historiesActACT_LOOK), truth(all)
		}
	}
}

// fill hands the kernel side what it would read from the socket.
func (w *world) fill(n int) {
	s, l := &w.socks[n], &w.lives[n]
	l.NowNs = uint64(w.now.UnixNano())
	l.Retransmits = uint32(s.retransmits)
	l.Gone = truth(s.gone && !s.stalled())
	l.Standing.SndUna, l.Standing.SegsIn = s.una, s.segs
	l.Standing.Outstanding, l.Standing.Stalled = truth(s.outstanding), truth(s.stalled())
	l.Standing.Idle, l.Standing.Open = truth(s.idle()), 1
}

// take carries what the kernel side showed to the ledgers: records may come
// late, a look whose buffer was full is no complete one.
func (w *world) take() error {
	for m := range w.ledgers {
		var looked []flow.Socket
		complete, looks := true, false
		for n := m * perLedger; n < (m+1)*perLedger; n++ {
			l := &w.lives[n]
			if l.Act == uint8(historiesActACT_TIMEOUT) && l.Episode.Timeouts == 1 && l.Episode.BeganNs != l.NowNs {
				return fmt.Errorf("socket %d: an episode whose first timeout is now began at %d, want %d", n, l.Episode.BeganNs, l.NowNs)
			}
			if l.Act == uint8(historiesActACT_LOOK) {
				looks = true
				complete = complete && l.NoRoom == 0 && l.All == 1
			} else {
				complete = false
			}
			if l.View == uint8(historiesViewVIEW_NONE) {
				continue
			}
			r := w.reading(n)
			if l.Act == uint8(historiesActACT_TIMEOUT) && w.rand.IntN(3) == 0 {
				w.late = append(w.late, lateRecord{n, r})
				continue
			}
			looked = append(looked, r)
		}
		if looks {
			w.deliver(m)
		}
		if err := w.apply(m, looked, complete && looks); err != nil {
			return err
		}
		w.meddle(m)
	}
	return nil
}

func (w *world) reading(n int) flow.Socket {
	s, l := &w.socks[n], &w.lives[n]
	r := flow.Socket{
		ID: flow.ID(n + 1), State: flow.Established, Una: s.una, At: w.now, Since: w.now,
		Live: l.View == uint8(historiesViewVIEW_SUSPECT), Timeouts: int(l.Episode.Timeouts),
	}
	if s.closed {
		r.State, r.Orphan, r.FinOutstanding = flow.FinWait1, true, true
	} else if s.outstanding {
		r.Unacknowledged = 1
	}
	return r
}

// deliver has the late records of a ledger come.
func (w *world) deliver(m int) {
	rest := w.late[:0]
	for _, r := range w.late {
		if r.life/perLedger != m {
			rest = append(rest, r)
			continue
		}
		w.ledgers[m].Observe(r.socket)
	}
	w.late = rest
}

func (w *world) apply(m int, looked []flow.Socket, complete bool) error {
	before, read := map[flow.ID]flow.Socket{}, map[flow.ID]flow.Socket{}
	for _, s := range looked {
		if held := w.ledgers[m].Entry(s.ID); held != nil {
			before[s.ID], read[s.ID] = held.Socket(), s
		}
	}
	if complete {
		w.ledgers[m].BeginLook()
	}
	var changes []ledger.Change
	for _, s := range looked {
		changes = append(changes, w.ledgers[m].Observe(s)...)
	}
	if complete {
		changes = append(changes, w.ledgers[m].Absent(w.now)...)
		w.lost[m] = false
	}
	for _, c := range changes {
		id := c.Entry.ID()
		held, ok := before[id]
		if c.Kind != ledger.Recovered || !ok {
			continue
		}
		s, now := &w.socks[id-1], read[id]
		if held.Una == now.Una && held.Timeouts > 0 && s.outstanding {
			return fmt.Errorf("socket %d recovered, and its snd_una stands: held %+v, now %+v", id, held, now)
		}
		if held.Una == now.Una && held.Timeouts == 0 && s.foundIdle {
			return fmt.Errorf("socket %d recovered, and no segment came from its peer: held %+v, now %+v", id, held, now)
		}
	}
	return nil
}

// meddle does what the inspector may do to a flow.
func (w *world) meddle(m int) {
	id := flow.ID(m*perLedger + w.rand.IntN(perLedger) + 1)
	switch w.rand.IntN(10) {
	case 0:
		if e := w.ledgers[m].Entry(id); e != nil {
			w.ledgers[m].Put(e.Report(w.now, "found stuck"))
		}
	case 1:
		w.ledgers[m].Forget(id)
	}
}

// settle makes a file scan and then a snapshot, of all where that is owed, with room for
// everything.
func (w *world) settle(p *play) {
	w.now = w.now.Add(3 * time.Second)
	for n := range w.lives {
		w.lives[n].Act, w.lives[n].NoRoom = uint8(historiesActACT_NONE), 0
		w.pass(n)
		w.fill(n)
	}
	p.run(w)
	w.now = w.now.Add(time.Millisecond)
	for n := range w.lives {
		w.lives[n].Act, w.lives[n].NoRoom = uint8(historiesActACT_LOOK), 0
		w.fill(n)
	}
	w.keepTogether()
	for m := range w.ledgers {
		w.deliver(m)
	}
	p.run(w)
	for m := range w.ledgers {
		var looked []flow.Socket
		all := true
		for n := m * perLedger; n < (m+1)*perLedger; n++ {
			all = all && w.lives[n].All == 1
			if w.lives[n].View != uint8(historiesViewVIEW_NONE) {
				looked = append(looked, w.reading(n))
			}
		}
		if err := w.apply(m, looked, all); err != nil {
			panic(err)
		}
	}
}

// check returns how many sockets stand still, all of which are held.
func (w *world) check() (held int, err error) {
	for n := range w.socks {
		m := w.ledgers[n/perLedger]
		if !w.socks[n].standsStill() {
			continue
		}
		if m.Entry(flow.ID(n+1)) == nil && m.Len() < heldAtMost {
			return 0, fmt.Errorf("socket %d stands still and is not held: %+v, episode %+v", n+1, w.socks[n], w.lives[n].Episode)
		}
		held++
	}
	return held, nil
}
