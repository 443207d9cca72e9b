package flow

import (
	"reflect"
	"time"
)

// Health is how far a source can be trusted at the moment.
type Health struct {
	Source   Source    `json:"source"`
	Up       bool      `json:"up"`
	LastSync time.Time `json:"last_sync"`          // zero: never
	Detail   string    `json:"detail" zero:"null"` // what it is, or why it is down
}

var healthMembers = membersOf(reflect.TypeFor[Health]()) // never written

// MarshalJSON writes the health with null for what is not known.
func (h Health) MarshalJSON() ([]byte, error) {
	return appendObject(nil, reflect.ValueOf(&h).Elem(), healthMembers), nil
}
