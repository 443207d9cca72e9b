package ledger

import (
	"slices"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Composer composes what users see of flows, one after the other. It keeps room for the
// evidence on one. Only one goroutine may use it.
type Composer struct {
	node, bootID string
	evidence     diagnosis.Evidence
	room         room
}

// NewComposer returns a composer of findings on a node, since its boot.
func NewComposer(node, bootID string) *Composer { return &Composer{node: node, bootID: bootID} }

// Finding composes what users see of a flow, true at a time.
func (c *Composer) Finding(e *Entry, now time.Time) flow.Finding {
	f := e.finding(c.node, c.bootID, now)
	c.evidence = evidenceOn(e, &c.room)
	c.evidence.Now = f.At
	c.evidence.Ended = e.life == Over
	c.evidence.Socket.Since = f.Since
	v := diagnosis.Judge(&c.evidence)
	f.Sentence, f.Advice, f.Evidence, f.History = v.Sentence, v.Advice, v.Evidence, story(e, &c.evidence)
	return f
}

// finding leaves out the sentences, which take most of the time to compose.
func (e *Entry) finding(node, bootID string, now time.Time) flow.Finding {
	r, d := &e.reading, e.Decision()
	at := now
	if e.over != nil {
		at = e.over.at
	}
	local, peer := e.facts.local.Value(), e.facts.peer.Value()
	local.Addr, peer.Addr = r.local.addrPort(), r.remote.addrPort()
	f := flow.Finding{
		ID: r.id, BootID: bootID, Node: node, NetNS: r.netns, Role: e.facts.role.Value(), State: r.state, Family: family(r.remote),
		Local: local, Peer: peer, Symptom: d.Symptom, Cause: d.Cause, Suppressed: d.Suppressed, Orphan: r.flags&isOrphan != 0,
		At: at, Since: anchor(e.Since(), at), Timeouts: int(r.timeouts), RTO: r.rto,
		Unacknowledged: r.unacknowledged, Unsent: r.unsent, ZeroWindow: r.sendWindow == 0 && r.state != flow.SynSent,
		UserTimeout: r.userTimeout, Keepalive: r.flags&isKeepalive != 0, GivesUp: e.givesUp(),
	}
	if e.over != nil {
		f.Outcome, f.Err, f.EndedAt = e.over.outcome, e.over.err, e.over.at
	}
	if r.sendBuffer > 0 {
		f.SendBufferUsed = min(1, float64(r.sendQueued)/float64(r.sendBuffer))
	}
	b := e.facts.backend.Value()
	f.Backend = &flow.Backend{Addr: e.Target(), Namespace: b.namespace, Pod: b.pod, Node: b.node, State: b.state, Since: b.since}
	return f
}

// Since returns when progress stopped, by the kernel's own stamps.
func (e *Entry) Since() time.Time { return e.reading.since.time(e.reading.at) }

func family(remote address) int {
	if remote.family == 4 {
		return 4
	}
	return 6
}

// anchor gives a time by now's wall clock. An earlier wall clock may have been set
// since, which changes no age.
func anchor(t, now time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return now.Add(-now.Sub(t))
}

// story returns the flow's history together with what the sources date, in time order.
func story(e *Entry, evidence *diagnosis.Evidence) []flow.Step {
	story := e.history.all()
	if at := evidence.Socket.LastAck; !at.IsZero() {
		story = append(story, flow.Step{At: at, What: "last segment from the peer"})
	}
	if b := &evidence.Backend; !b.Since.IsZero() {
		name := b.Namespace + "/" + b.Pod
		if b.Pod == "" {
			name = evidence.Target().String()
		}
		story = append(story, flow.Step{At: b.Since, What: "backend " + name + " was seen " + string(b.State)})
	}
	if at := e.Since(); !at.IsZero() {
		story = append(story, flow.Step{At: at, What: "progress stopped"})
	}
	slices.SortStableFunc(story, func(a, b flow.Step) int { return a.At.Compare(b.At) })
	return story
}
