package flow

import (
	"encoding/json"
	"time"
)

// GivesUp is when the kernel will abort the socket. The zero value means
// that it is not known.
type GivesUp struct {
	Never bool
	At    time.Time
}

// Known reports whether there is an answer.
func (g GivesUp) Known() bool { return g.Never || !g.At.IsZero() }

// MarshalJSON writes a time, "never", or null.
func (g GivesUp) MarshalJSON() ([]byte, error) { return g.AppendJSON(nil), nil }

// AppendJSON appends what MarshalJSON returns.
func (g GivesUp) AppendJSON(b []byte) []byte {
	if g.Never {
		return append(b, `"never"`...)
	}
	return appendTime(b, g.At)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (g *GivesUp) UnmarshalJSON(b []byte) error {
	*g = GivesUp{}
	if string(b) == `"never"` {
		g.Never = true
		return nil
	}
	return json.Unmarshal(b, &g.At)
}
