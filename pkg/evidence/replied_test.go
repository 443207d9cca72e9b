package evidence

import (
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func TestWhatConntrackHasSeen(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	sending := flow.Socket{State: flow.Established, Unacknowledged: 6, Timeouts: 4, Since: now.Add(-10 * time.Second)}
	connecting := flow.Socket{State: flow.SynSent, Timeouts: 4, Since: now.Add(-10 * time.Second)}
	for name, c := range map[string]struct {
		s       flow.Socket
		entry   flow.Translation
		longest time.Duration
		want    bool
	}{
		"all is acknowledged, 4 s ago":                  {sending, flow.Translation{State: "ESTABLISHED", Timeout: 5*day - 4*time.Second}, 5 * day, true},
		"nothing is acknowledged":                       {sending, flow.Translation{State: "ESTABLISHED", Timeout: 296 * time.Second}, 5 * day, false},
		"all was, before; conntrack sees nothing since": {sending, flow.Translation{State: "ESTABLISHED", Timeout: 5*day - 11*time.Second}, 5 * day, false},
		"about when progress stopped":                   {sending, flow.Translation{State: "ESTABLISHED", Timeout: 5*day - 9500*time.Millisecond}, 5 * day, false},
		"the setting is short":                          {sending, flow.Translation{State: "ESTABLISHED", Timeout: 296 * time.Second}, 5 * time.Minute, false},
		"the setting is not known":                      {sending, flow.Translation{State: "ESTABLISHED", Timeout: 5 * day}, 0, false},
		"nothing has timed out":                         {flow.Socket{State: flow.Established, Unacknowledged: 6, Since: now.Add(-time.Minute)}, flow.Translation{State: "ESTABLISHED", Timeout: 5 * day}, 5 * day, false},
		"it closes":                                     {sending, flow.Translation{State: "CLOSE_WAIT", Timeout: 5 * day}, 5 * day, false},
		"a SYN that is answered":                        {connecting, flow.Translation{State: "SYN_RECV", Timeout: 50 * time.Second}, 5 * day, true},
		"a SYN that is refused":                         {connecting, flow.Translation{State: "CLOSE", Timeout: 8 * time.Second}, 5 * day, true},
		"a SYN that is not answered":                    {connecting, flow.Translation{State: "SYN_SENT", Timeout: 110 * time.Second, Unreplied: true}, 5 * day, false},
	} {
		tb := table{conntrack: settings{longest: c.longest}}
		if got := tb.replied(diagnosis.Conntrack{Entry: &c.entry}, &c.s, now); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		if tb.replied(diagnosis.Conntrack{Missing: true}, &c.s, now) {
			t.Errorf("%s, and there is no entry", name)
		}
	}
}

// settings is a table of which only the time-out is asked.
type settings struct {
	Conntrack
	longest time.Duration
}

func (s settings) Longest() time.Duration { return s.longest }
