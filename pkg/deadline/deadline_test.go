package deadline_test

import (
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/deadline"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

const tick = 4 * time.Millisecond

var start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// established is a socket of the kernel's defaults right after RTO #1, which
// came 408 ms after the write.
func established() flow.Socket {
	return flow.Socket{
		State: flow.Established, At: start, Live: true, PacketsOut: 1, SendWindow: 65535, Retransmits: 1, Backoff: 1,
		Pending: flow.TimerRetransmit, RTO: 408 * time.Millisecond, RTOMax: 120 * time.Second, Retries2: 15,
		RetransStamp: start, Tick: tick, Jiffies: 1_000_000, TimerJiffies: 1_000_102, TimerLevel: 1,
	}
}

func TestNothingIsGuessed(t *testing.T) {
	for name, change := range map[string]func(*flow.Socket){
		"half accepted":              func(s *flow.Socket) { s.State = flow.SynRecv },
		"no tick":                    func(s *flow.Socket) { s.Tick = 0 },
		"no retransmission timeout":  func(s *flow.Socket) { s.RTO = 0 },
		"no maximum of it":           func(s *flow.Socket) { s.RTOMax = 0 },
		"connecting, no first SYN":   func(s *flow.Socket) { s.State, s.RetransStamp = flow.SynSent, time.Time{} },
		"an orphan that sent all":    func(s *flow.Socket) { s.Orphan, s.PacketsOut, s.Pending = true, 0, flow.TimerNone },
		"data that waits":            func(s *flow.Socket) { s.Unsent, s.PacketsOut, s.Pending = 7, 0, flow.TimerNone },
		"a FIN that waits":           func(s *flow.Socket) { s.FinOutstanding, s.PacketsOut, s.Pending = true, 0, flow.TimerNone },
		"nothing in flight, armed":   func(s *flow.Socket) { s.PacketsOut = 0 },
		"keepalive, no segment ever": func(s *flow.Socket) { s.PacketsOut, s.Pending, s.Keepalive = 0, flow.TimerNone, true },
	} {
		s := established()
		change(&s)
		if got := deadline.GivesUp(s); got.Known() {
			t.Errorf("%s: gives up at %+v, want no answer", name, got)
		}
	}
}
