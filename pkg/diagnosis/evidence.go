package diagnosis

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

// Evidence is every question about one flow, and its answer.
type Evidence struct {
	Now        time.Time
	StuckAfter time.Duration // how long without progress makes a flow stuck
	Ended      bool          // at Now, the flow was over
	End        *flow.End     // of a flow that lost bytes and was not stuck before; nil of any other

	Socket    flow.Socket
	Role      flow.Role
	Local     flow.Local
	User      string // proven user id of the process that last held the socket; empty: not proven
	PodUID    string // of the pod that the socket was proven to be in; empty: not proven
	Peer      flow.Peer
	Conntrack Conntrack
	Backend   cluster.Backend         // of Target
	Service   *cluster.ServiceAddress // that the socket's peer address belongs to; nil: none
	Cluster   flow.Health
	Route     *flow.Route // from this node to Target; nil: not asked
	RouteErr  error
	RouteAt   time.Time
	Drops     *Drops // nil: nobody watched
	GivesUp   flow.GivesUp

	// Host is true when the socket lives in this node's own network
	// namespace, whose routes the agent sees.
	Host bool
	// Related is true once the socket was seen to share this node's addresses:
	// in the host's namespace or a pod's, or with an entry in conntrack.
	Related bool
	// Translates is true once this agent has seen nf_conntrack translate a
	// Service address on this node: only then does a missing entry mean
	// anything.
	Translates bool
	// Listener is on this node, and has no room for the connection; nil: there is none.
	Listener *Listener
	// Transient is true if the peer's address is one of those whose clients come and go
	// (--clients).
	Transient bool
	// Upstream is the stuck flow of another process in the socket's own
	// network namespace: what a sidecar proxy that stopped reading waits for.
	Upstream *Upstream
}

// Drops are what this node's kernel has dropped of a flow's segments, and of its peer's.
type Drops struct {
	Since time.Time // nothing is known of drops before
	Seen  []flow.Drop
}

// Listener is a listening socket whose owner does not accept, as far as a sentence needs it.
type Listener struct {
	Owner         string
	PID           uint32
	Waiting, Most uint32
}

// ListenerOf names a listener and its owner.
func ListenerOf(l flow.Listener, by flow.Local) *Listener {
	return &Listener{Owner: owner(&by), PID: by.PID, Waiting: l.Waiting, Most: l.Most}
}

// Upstream is another stuck flow, as far as a sentence needs it.
type Upstream struct {
	Owner string
	Peer  string
	Cause flow.Cause
}

// Conntrack is what conntrack said. Exactly one of Entry, Missing and Err is
// set once it was asked.
type Conntrack struct {
	At      time.Time // when it was asked; zero: never
	Entry   *flow.Translation
	Missing bool  // there is no entry in the default zone
	Zones   bool  // nor in any other zone
	Err     error // it could not say
	// Unanswered is true if a later question had no answer: this one is older.
	Unanswered bool
	// Replied is true if conntrack has seen an answer of the peer that the socket did not get:
	// to its SYN, or to all its data since progress stopped.
	Replied bool
}

// Target returns the address that the socket's packets really go to: conntrack's
// translation of the remote address, or the remote address itself.
func (e Evidence) Target() netip.AddrPort { return target(&e) }

func target(e *Evidence) netip.AddrPort {
	if e.Conntrack.Entry != nil {
		return e.Conntrack.Entry.Backend()
	}
	return e.Socket.Remote
}

// redirected reports whether conntrack sends the flow to another address than its
// socket's peer. Masquerading alone does not.
func redirected(e *Evidence) bool {
	return e.Conntrack.Entry != nil && !e.Conntrack.Entry.Accepted() && target(e) != e.Socket.Remote
}

// Via returns the Service address that the flow was opened to and that
// conntrack translates; invalid: none is translated.
func (e Evidence) Via() netip.AddrPort {
	if !redirected(&e) {
		return netip.AddrPort{}
	}
	return e.Socket.Remote
}

// Untranslated reports whether conntrack has an entry for the flow that leaves
// its destination as it is.
func (e Evidence) Untranslated() bool {
	return e.Conntrack.Entry != nil && !e.Conntrack.Entry.Accepted() && !redirected(&e)
}

// Removed returns when the flow's backend pod went, if it is known to be gone;
// zero: it is not.
func (e Evidence) Removed() time.Time {
	switch {
	case reused(&e):
		return e.Backend.Former.GoneAt
	case e.Backend.State == flow.BackendDeleted:
		return e.Backend.Since
	}
	return time.Time{}
}

// SegmentSince reports whether a segment came from the peer after a time.
func (e Evidence) SegmentSince(t time.Time) bool { return lastSegment(&e).After(t) }

// lastSegment returns when the last segment came from the peer, zero if none
// did. An acknowledgement shows in rcv_tstamp. Data that acknowledges nothing
// new takes the fast path and shows as received alone (tcp_rcv_established).
func lastSegment(e *Evidence) time.Time {
	if s := &e.Socket; s.LastReceive.After(s.LastAck) {
		return s.LastReceive
	}
	return e.Socket.LastAck
}

// silence returns how long the peer had sent nothing at the last reading. What it
// sent since then is not known: an old reading, as thousands of flows have, makes
// no peer silent.
func silence(e *Evidence) time.Duration { return e.Socket.At.Sub(lastSegment(e)) }

// settled is how long after a removal an acknowledgement may still have been in
// flight.
const settled = time.Second

// gone reports whether the flow's backend is dead as far as this path shows. The
// wire outranks every record. A peer that acknowledged something after its removal
// was alive then: a force-deleted container lives on for seconds, behind a
// partition for hours. So only silence since then counts. The silence of an idle
// flow proves nothing, and any segment after the removal proves that it lives.
func gone(e *Evidence) bool {
	if e.Backend.State != flow.BackendDeleted {
		return false
	}
	last := lastSegment(e)
	if symptom(&e.Socket) == flow.HalfOpen {
		return !last.After(e.Backend.Since)
	}
	if last.IsZero() || !last.After(e.Backend.Since.Add(settled)) {
		return true
	}
	return silence(e) >= e.StuckAfter
}

// clockSkew is how far the clocks of two machines may be apart.
const clockSkew = 2 * time.Second

// reused reports whether the flow was opened to a pod that is gone, and another
// pod has its address. By the cluster's clock and by ours, that one was created
// after the last segment on this path.
func reused(e *Evidence) bool {
	b, last := &e.Backend, lastSegment(e)
	if b.Former == nil || b.HostNetwork || b.Pod == "" || last.IsZero() {
		return false
	}
	switch b.State {
	case flow.BackendListed, flow.BackendTerminating, flow.BackendUnlisted:
		return b.CreatedAt.After(last.Add(clockSkew)) && b.Since.After(last)
	}
	return false
}

// answersLately reports whether the peer sent something after progress stopped, so
// late that it says more than the records.
func answersLately(e *Evidence) bool {
	return answers(e) && silence(e) <= max(e.StuckAfter, 2*e.Socket.RTO)
}

// answers reports whether segments come from the peer although nothing moves.
// Earlier selective acknowledgements prove nothing: they stay when the peer dies.
func answers(e *Evidence) bool {
	return lastSegment(e).After(e.Socket.Since.Add(settled))
}

// severalSegments are more than what was under way when progress stopped.
const severalSegments = 2

// heard is answers, or segments that the socket refused and that left no time: a SYN-ACK that
// comes again.
func heard(e *Evidence) bool { return answers(e) || e.Socket.SegmentsIn >= severalSegments }

// sacked reports whether the peer has what was sent after the oldest data. That was sent in a
// full segment, and only such ones since.
func sacked(e *Evidence) bool { return e.Socket.SackedOut > 0 && fullHead(e) }

// fullHead reports whether the oldest segment is as large as segments get: what is sent again
// is that segment alone.
func fullHead(e *Evidence) bool { return e.Socket.MSS > 0 && e.Socket.Unacknowledged >= e.Socket.MSS }

// probed says that keepalive has found out.
func probed(e *Evidence) string {
	n := unanswered(&e.Socket)
	if n == 0 {
		return ""
	}
	return "; " + strconv.Itoa(n) + " keepalive probes are unanswered"
}

// onlyFull says that a path that drops large segments would look the same.
func onlyFull(e *Evidence) string {
	if symptom(&e.Socket) != flow.Retransmitting || !fullHead(e) || heard(e) {
		return ""
	}
	return "; only full segments (" + phrase.Count(int(e.Socket.MSS), "byte", "bytes") + ") were sent since, so a path that drops large ones looks the same"
}

// nodeDown reports whether the records say that the backend's node is not
// there to answer.
func nodeDown(e *Evidence) bool {
	switch e.Backend.NodeState {
	case cluster.NodeNotReady, cluster.NodeUnreachable, cluster.NodeDeleted:
		return true
	}
	return false
}

// snat reports whether the peer of an accepted socket is a node, which
// usually hides a client behind it.
func snat(e *Evidence) bool { return e.Role == flow.Server && e.Peer.Class == flow.PeerNode }
