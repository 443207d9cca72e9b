package flow

import (
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/jsonscan"
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
	t := jsonscan.Of(b)
	g.ReadJSON(t)
	return t.Err()
}

// ReadJSON reads what AppendJSON appended.
func (g *GivesUp) ReadJSON(t *jsonscan.Text) {
	*g = GivesUp{}
	if t.Null() {
		return
	}
	text := t.Bytes()
	if g.Never = string(text) == "never"; !g.Never {
		unmarshal(t, text, &g.At)
	}
}
