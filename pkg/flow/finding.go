package flow

import "time"

// Finding is one stuck flow: whose it is, where to, since when, why, what next.
// A zero field means that it is not known, never a guess. Findings are values;
// the slices in them are not changed once a finding is published.
type Finding struct {
	ID     ID       `json:"id"`
	BootID string   `json:"boot_id" zero:"null"`
	Node   string   `json:"node" zero:"null"`
	NetNS  uint32   `json:"netns"`
	Role   Role     `json:"role" zero:"null"`
	State  TCPState `json:"tcp_state"`
	Family int      `json:"family"` // 4 or 6, of the packets: an IPv4-mapped socket is 4

	Local   Local    `json:"local"`
	Peer    Peer     `json:"peer"`
	Backend *Backend `json:"backend"`

	Symptom    Symptom     `json:"symptom"`
	Cause      Cause       `json:"cause"`
	Sentence   string      `json:"sentence"`
	Advice     []Advice    `json:"advice"`
	Evidence   []Evidence  `json:"evidence"` // in the order in which it was asked
	History    []Step      `json:"history"`  // the flow's story in time order
	Suppressed Suppression `json:"muted" zero:"null"`
	Orphan     bool        `json:"orphan"` // its owner closed it: no process waits for it, its bytes can still be lost

	At             time.Time     `json:"at"`    // when this was last true
	Since          time.Time     `json:"since"` // when progress stopped; JSON has age_seconds beside it
	Timeouts       int           `json:"timeouts"`
	RTO            time.Duration `json:"rto_seconds" zero:"null"`
	Unacknowledged uint32        `json:"unacknowledged_bytes"`
	Unsent         uint32        `json:"unsent_bytes"`
	SendBufferUsed float64       `json:"send_buffer_used_ratio"` // 0 to 1
	ZeroWindow     bool          `json:"zero_window"`
	UserTimeout    time.Duration `json:"user_timeout_seconds"`
	Keepalive      bool          `json:"keepalive"`
	GivesUp        GivesUp       `json:"gives_up_at"`

	Outcome Outcome   `json:"outcome" zero:"null"`
	Err     string    `json:"error" zero:"null"` // errno name, once it has ended
	EndedAt time.Time `json:"ended_at"`
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
