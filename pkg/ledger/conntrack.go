package ledger

import (
	"time"
	"unique"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// conntrack is conntrack's answer about a flow; an error is in rare.
type conntrack struct {
	at             distance // from the reading
	entry          *translation
	missing, zones bool
	unanswered     bool
	replied        bool
}

// translation is a conntrack entry.
type translation struct {
	orig, reply        [2]address
	asked              *[2]address // nil: what the socket sends
	state              unique.Handle[string]
	timeout            time.Duration
	zone               uint16
	assured, unreplied bool
}

func packConntrack(c diagnosis.Conntrack, s flow.Socket) conntrack {
	p := conntrack{at: distanceOf(c.At, s.At), missing: c.Missing, zones: c.Zones, unanswered: c.Unanswered, replied: c.Replied}
	if t := c.Entry; t != nil {
		p.entry = &translation{
			orig: tupleOf(t.Orig), reply: tupleOf(t.Reply), state: unique.Make(t.State),
			timeout: t.Timeout, zone: t.Zone, assured: t.Assured, unreplied: t.Unreplied,
		}
		if t.Asked != s.Tuple() {
			asked := tupleOf(t.Asked)
			p.entry.asked = &asked
		}
	}
	return p
}

func (p conntrack) evidence(s *flow.Socket, to *flow.Translation) diagnosis.Conntrack {
	c := diagnosis.Conntrack{At: p.at.time(s.At), Missing: p.missing, Zones: p.zones, Unanswered: p.unanswered, Replied: p.replied}
	if t := p.entry; t != nil {
		*to = t.flow(flow.Tuple{Src: s.Local, Dst: s.Remote})
		c.Entry = to
	}
	return c
}

// flow returns the entry for a socket that sends a tuple.
func (t *translation) flow(asked flow.Tuple) flow.Translation {
	if t.asked != nil {
		asked = tuple(*t.asked)
	}
	return flow.Translation{
		Asked: asked, Orig: tuple(t.orig), Reply: tuple(t.reply), State: t.state.Value(),
		Timeout: t.timeout, Zone: t.zone, Assured: t.assured, Unreplied: t.unreplied,
	}
}

func tupleOf(t flow.Tuple) [2]address { return [2]address{addressOf(t.Src), addressOf(t.Dst)} }

func tuple(a [2]address) flow.Tuple { return flow.Tuple{Src: a[0].addrPort(), Dst: a[1].addrPort()} }
