package flow

import "time"

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

// MarshalJSON writes the event in the form of the contract.
func (e Event) MarshalJSON() ([]byte, error) {
	return e.AppendJSON(make([]byte, 0, usualBytes)), nil
}

// AppendJSON appends what MarshalJSON returns. json.Marshal checks and compacts
// that once more, which takes longer than to write it.
func (e *Event) AppendJSON(b []byte) []byte {
	b = appendString(append(b, `{"type":`...), e.Type)
	b = appendTime(append(b, `,"time":`...), e.Time)
	b = append(b, `,"flow":`...)
	if e.Flow == nil {
		b = appendNull(b)
	} else {
		b = e.Flow.AppendJSON(b)
	}
	if e.Source != "" {
		b = appendString(append(b, `,"source":`...), e.Source)
	}
	if e.Reason != "" {
		b = appendString(append(b, `,"reason":`...), e.Reason)
	}
	return append(b, '}')
}
