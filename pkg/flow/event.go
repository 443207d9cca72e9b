package flow

import (
	"reflect"
	"time"
)

// EventType is what an event reports.
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

// Event is one change of what is known. Flow is nil for degraded and
// restored, which carry Source and Reason instead.
type Event struct {
	Type   EventType `json:"type"`
	Time   time.Time `json:"time"`
	Flow   *Finding  `json:"flow"`
	Source string    `json:"source,omitempty"`
	Reason string    `json:"reason,omitempty"`
}

var eventMembers = membersOf(reflect.TypeFor[Event]()) // never written

// MarshalJSON writes the event in the form of the contract.
func (e Event) MarshalJSON() ([]byte, error) {
	return e.AppendJSON(make([]byte, 0, usualBytes)), nil
}

// AppendJSON appends what MarshalJSON returns. json.Marshal checks and compacts
// that once more, which takes longer than to write it.
func (e *Event) AppendJSON(b []byte) []byte {
	return appendObject(b, reflect.ValueOf(e).Elem(), eventMembers)
}
