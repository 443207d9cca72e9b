package flow

import (
	"reflect"
	"strconv"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/jsonscan"
)

// GivesUp is when the kernel will abort the socket: at At at the earliest, at By at the latest.
// The two are equal if the time is exact. The zero value means that it is not known.
type GivesUp struct {
	Never bool      `json:"never"`
	At    time.Time `json:"at,omitzero"`
	By    time.Time `json:"by,omitzero"`
}

// Known reports whether there is an answer.
func (g GivesUp) Known() bool { return g.Never || !g.At.IsZero() }

// Exact reports whether there is a single time.
func (g GivesUp) Exact() bool { return !g.At.IsZero() && g.At.Equal(g.By) }

// Latest returns By or, where that is not given, as in records of older agents, At.
func (g GivesUp) Latest() time.Time {
	if g.By.After(g.At) {
		return g.By
	}
	return g.At
}

// appendGivesUp appends three members.
func appendGivesUp(b []byte, g GivesUp) []byte {
	b = appendTime(append(b, `,"gives_up_at":`...), g.At)
	b = appendTime(append(b, `,"gives_up_by":`...), g.Latest())
	return strconv.AppendBool(append(b, `,"gives_up_never":`...), g.Never)
}

// addGivesUp adds what reads the three members.
func (f *form) addGivesUp(index int) {
	into := func(v reflect.Value) *GivesUp { return v.Addr().Interface().(*GivesUp) }
	f.add("gives_up_at", index, func(t *jsonscan.Text, v reflect.Value) { unmarshal(t, t.Bytes(), &into(v).At) })
	f.add("gives_up_by", index, func(t *jsonscan.Text, v reflect.Value) { unmarshal(t, t.Bytes(), &into(v).By) })
	f.add("gives_up_never", index, func(t *jsonscan.Text, v reflect.Value) { into(v).Never = t.Bool() })
}
