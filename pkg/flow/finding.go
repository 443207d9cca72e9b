package flow

import (
	"net/netip"
	"time"
)

// Finding is one stuck flow: who, where to, since when, why, what next. A
// zero field means that it is not known, never a guess. Findings are values;
// the slices in them are not changed once a finding is published.
type Finding struct {
	ID     ID
	BootID string
	Node   string
	NetNS  uint32
	Role   Role
	State  TCPState
	Family int // 4 or 6, of the packets: an IPv4-mapped socket is 4

	Local   Local
	Peer    Peer
	Backend *Backend

	Symptom  Symptom
	Cause    Cause
	Sentence string
	Advice   []Advice
	Evidence []Evidence // in the order in which it was asked
	History  []Step     // the flow's story in time order
	Mute     Mute
	Orphan   bool // its owner closed it: nobody waits for it, its bytes can still be lost

	At             time.Time // when this was last true
	Since          time.Time // when progress stopped
	Timeouts       int
	RTO            time.Duration
	Unacknowledged uint32
	Unsent         uint32
	SendBufferUsed float64 // 0 to 1
	ZeroWindow     bool
	UserTimeout    time.Duration
	Keepalive      bool
	GivesUp        GivesUp

	Outcome Outcome
	Err     string // errno name, once it has ended
	EndedAt time.Time
}

// Age returns how long the flow has made no progress, or had made none when
// it ended.
func (f Finding) Age() time.Duration {
	if f.Since.IsZero() {
		return 0
	}
	if !f.EndedAt.IsZero() {
		return f.EndedAt.Sub(f.Since)
	}
	return f.At.Sub(f.Since)
}

// Ended reports whether the finding is over.
func (f Finding) Ended() bool { return !f.EndedAt.IsZero() }

// Local is this node's end of a flow and its owner.
type Local struct {
	Addr         netip.AddrPort
	Namespace    string
	Pod          string
	PodUID       string
	Workload     string
	WorkloadKind string
	Container    string
	PID          uint32
	Started      time.Duration // with PID, it names the process: see Process
	Comm         string        // printable
}

// Peer is the far end as the socket sees it.
type Peer struct {
	Class     PeerClass
	Addr      netip.AddrPort
	Namespace string
	Service   string
	Name      string // the --name label of an external peer
}

// Backend is where packets really go.
type Backend struct {
	Addr      netip.AddrPort
	Namespace string
	Pod       string
	Node      string
	State     BackendState
	Since     time.Time // when it came into State, as far as was seen
}

// Advice is one thing to do. Exactly one of the fields is set.
type Advice struct {
	Now     string `json:"now,omitempty"`      // a command, or a step, for tonight
	ForGood string `json:"for_good,omitempty"` // a setting that keeps it from happening again
}

// Evidence is one question that was asked and its answer.
type Evidence struct {
	Source string    `json:"source"`
	Asked  string    `json:"asked"`
	Answer string    `json:"answer"`
	At     time.Time `json:"at"`
}

// Step is one line of a flow's story.
type Step struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
}

// GivesUp is when the kernel will abort the socket. The zero value means
// that it is not known.
type GivesUp struct {
	Never bool
	At    time.Time
}

// Known reports whether there is an answer.
func (g GivesUp) Known() bool { return g.Never || !g.At.IsZero() }

// EventType is what an event tells.
type EventType string

// The event types.
const (
	EventStuck     EventType = "stuck"
	EventRevised   EventType = "revised"
	EventRecovered EventType = "recovered"
	EventEnded     EventType = "ended"
	EventDataLost  EventType = "data_lost"
	EventAtRisk    EventType = "at_risk"
	EventDegraded  EventType = "degraded"
	EventRestored  EventType = "restored"
)

// EventTypes returns every event type, in the contract's order.
func EventTypes() []EventType {
	return []EventType{
		EventStuck, EventRevised, EventRecovered, EventEnded, EventDataLost,
		EventAtRisk, EventDegraded, EventRestored,
	}
}

// Event is one change of what is known. Flow is nil for degraded and
// restored, which carry Source and Reason instead.
type Event struct {
	Type   EventType `json:"type"`
	Time   time.Time `json:"time"`
	Flow   *Finding  `json:"flow"`
	Source string    `json:"source,omitempty"`
	Reason string    `json:"reason,omitempty"`
}
