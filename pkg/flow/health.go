package flow

import (
	"strconv"
	"time"
)

// Health is how far a source can be trusted at the moment.
type Health struct {
	Source   Source    `json:"source"`
	Up       bool      `json:"up"`
	LastSync time.Time `json:"last_sync"`          // zero: never
	Detail   string    `json:"detail" zero:"null"` // what it is, or why it is down
}

// MarshalJSON writes the health with null for what is not known.
func (h Health) MarshalJSON() ([]byte, error) {
	b := appendString([]byte(`{"source":`), h.Source)
	b = strconv.AppendBool(append(b, `,"up":`...), h.Up)
	b = appendTime(append(b, `,"last_sync":`...), h.LastSync)
	b = appendKnown(append(b, `,"detail":`...), h.Detail)
	return append(b, '}'), nil
}
