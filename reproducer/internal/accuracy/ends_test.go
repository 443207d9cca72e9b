package accuracy

import (
	"net/netip"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// TestJudgeEnds plants every fault of an end, of bytes and of predictions.
func TestJudgeEnds(t *testing.T) {
	const (
		retransmitting, zeroWindow = flow.Retransmitting, flow.ZeroWindow
		stale, unreachable         = flow.StaleConntrack, flow.PeerUnreachable
	)
	stuck, ended := flow.EventStuck, flow.EventEnded
	right := said(stuck, 1, retransmitting, stale)
	alive := &Truth{Alive: true, Missing: -1}
	back := label(retransmitting, unreachable, ends(flow.Recovered), lifted(8))
	hangs := said(stuck, 3, retransmitting, unreachable)
	over := said(ended, 12, retransmitting, stale, end)
	late := func(seconds float64) []flow.Event { // gives up at 12 s in truth
		return []flow.Event{said(stuck, 1, retransmitting, stale, givesUp(flow.GivesUp{At: after(12 + seconds)})), over}
	}
	endedAt := func(seconds float64) func(*flow.Finding) {
		return func(f *flow.Finding) { f.EndedAt = after(seconds) }
	}
	recovers := func(seconds float64) flow.Event {
		return said(flow.EventRecovered, seconds, retransmitting, unreachable, died(flow.Recovered, "", 0, 0))
	}
	shaken := func(first, last float64) Case { // gives up at 12 s in truth
		at := func(off float64) func(*flow.Finding) { return givesUp(flow.GivesUp{At: after(12 + off)}) }
		return Case{Label: label(retransmitting, stale, func(l *Label) { l.Shaken = true }), Truth: dead(),
			Events: []flow.Event{said(stuck, 1, retransmitting, stale, at(first)), said(ended, 12, retransmitting, stale, end, at(last))}}
	}
	hour := func(first, last float64) Case { // gives up after an hour
		at := func(off float64) func(*flow.Finding) { return givesUp(flow.GivesUp{At: after(3600 + off)}) }
		return Case{Label: label(retransmitting, stale), Truth: dead(func(t *Truth) { t.Died = after(3600) }), Over: after(4000),
			Events: []flow.Event{said(stuck, 1, retransmitting, stale, at(first)), said(ended, 3600, retransmitting, stale, end, endedAt(3600), at(last))}}
	}
	planted{
		"recovered":             {Case{Label: back, Truth: resumed(14), Events: []flow.Event{hangs, recovers(15)}}, nil},
		"recovered, unreported": {Case{Label: back, Truth: resumed(14), Up: []Window{{From: after(5)}}, Events: []flow.Event{hangs}}, map[Fault]bool{WrongEnd: true}},
		"recovered before the agent ended, unreported": {Case{Label: back, Truth: resumed(14), Up: []Window{{From: after(-60), To: after(15.5)}, {From: after(16)}}, Events: []flow.Event{hangs}},
			map[Fault]bool{WrongEnd: true}},
		"recovered while nobody watched": {Case{Label: back, Truth: resumed(14), Up: []Window{{From: after(-60), To: after(13)}, {From: after(16)}}, Events: []flow.Event{hangs}},
			map[Fault]bool{WrongEnd: false}},
		"recovered right before the agent ended": {Case{Label: back, Truth: resumed(14), Up: []Window{{From: after(-60), To: after(14.2)}, {From: after(14.4)}}, Events: []flow.Event{hangs}},
			map[Fault]bool{WrongEnd: false}},
		"recovered, without books":             {Case{Label: label(retransmitting, unreachable, ends(flow.Recovered), byClient), Events: []flow.Event{hangs}}, map[Fault]bool{WrongEnd: true, Untrue: true}},
		"recovered, reported before it was so": {Case{Label: back, Truth: resumed(14), Events: []flow.Event{hangs, recovers(9)}}, map[Fault]bool{WrongEnd: true}},
		"recovered, reported late":             {Case{Label: back, Truth: resumed(14), Events: []flow.Event{hangs, recovers(21)}}, map[Fault]bool{WrongEnd: true}},
		"recovered, and stuck again":           {Case{Label: back, Truth: resumed(14), Events: []flow.Event{hangs, recovers(15), said(stuck, 40, retransmitting, unreachable)}}, map[Fault]bool{WrongEnd: true}},
		"ended before it had":                  {Case{Label: label(retransmitting, stale), Truth: dead(), Events: []flow.Event{right, said(ended, 2, retransmitting, stale, end, endedAt(2))}}, map[Fault]bool{WrongEnd: true}},
		"dead, where its label has no end":     {Case{Label: label(retransmitting, stale), Truth: dead(func(t *Truth) { t.Missing = -1 }), Events: []flow.Event{right}}, map[Fault]bool{WrongEnd: true}},
		"not seen, where its label has no end": {Case{Label: label(retransmitting, stale), Truth: dead(func(t *Truth) { t.Missing = -1 }), Events: []flow.Event{right, said(ended, 14, retransmitting, stale, died("", "", 7, 5))}},
			map[Fault]bool{WrongEnd: false}},
		"reported when it was over, with a wrong date": {Case{Label: label(retransmitting, stale), Truth: dead(), Events: []flow.Event{said(ended, 12, retransmitting, stale, end, givesUp(flow.GivesUp{At: after(11.9)}))}},
			map[Fault]bool{LastLate: true}},
		"a shaken clock":               {shaken(4.5, 0.06), map[Fault]bool{FirstLate: false, LastLate: false}},
		"a clock shaken too much":      {shaken(7.1, 7.1), map[Fault]bool{FirstLate: true, LastLate: true}},
		"an idle one gets a segment":   {Case{Label: label(flow.HalfOpen, stale), Truth: &Truth{Alive: true, Missing: -1, LastSegment: after(9)}, Events: []flow.Event{said(stuck, 5, flow.HalfOpen, stale)}}, map[Fault]bool{Untrue: true}},
		"a full window gets an answer": {Case{Label: label(zeroWindow, flow.SlowReader), Truth: &Truth{Alive: true, Missing: -1, LastSegment: after(9)}, Events: []flow.Event{said(stuck, 5, zeroWindow, flow.SlowReader)}}, nil},
		"answered all the time":        {Case{Label: back, Truth: resumed(7), Events: []flow.Event{hangs}}, map[Fault]bool{WrongEnd: true, Untrue: true}},
		"dead":                         {Case{Label: label(retransmitting, stale, ends(flow.TimedOut)), Truth: dead(), Events: []flow.Event{right, said(ended, 12, retransmitting, stale, end)}}, nil},
		"dead, unreported":             {Case{Label: label(retransmitting, stale, ends(flow.TimedOut)), Truth: dead(), Events: []flow.Event{right}}, map[Fault]bool{WrongEnd: true}},
		"dead of another error": {Case{Label: label(retransmitting, stale, ends(flow.TimedOut)), Truth: dead(func(t *Truth) { t.Errno = "EHOSTUNREACH" }), Events: []flow.Event{right, said(ended, 12, retransmitting, stale, end)}},
			map[Fault]bool{WrongEnd: true}},
		"it did not die":    {Case{Label: label(retransmitting, stale, ends(flow.TimedOut)), Truth: &Truth{Alive: true, Missing: -1}, Events: []flow.Event{right}}, map[Fault]bool{Untrue: true}},
		"a segment came":    {Case{Label: label(retransmitting, stale), Truth: &Truth{Alive: true, Missing: -1, LastSegment: after(9)}, Events: []flow.Event{right}}, map[Fault]bool{Untrue: true}},
		"another unsent":    {Case{Label: label(retransmitting, stale), Truth: dead(func(t *Truth) { t.Unsent = 8 }), Events: []flow.Event{right, said(ended, 12, retransmitting, stale, end)}}, map[Fault]bool{WrongUnsent: true}},
		"sent after a look": {Case{Label: label(retransmitting, stale), Truth: dead(func(t *Truth) { t.Unsent = 11 }), Events: []flow.Event{right, said(ended, 12, retransmitting, stale, end)}}, map[Fault]bool{}},
		"more is missing":   {Case{Label: label(retransmitting, stale), Truth: dead(func(t *Truth) { t.Missing = 13 }), Events: []flow.Event{right, said(ended, 12, retransmitting, stale, end)}}, map[Fault]bool{WrongLost: true}},
		"less is missing":   {Case{Label: label(retransmitting, stale), Truth: dead(func(t *Truth) { t.Missing = 6 }), Events: []flow.Event{right, said(ended, 12, retransmitting, stale, end)}}, map[Fault]bool{WrongLost: true}},
		"predicted late":    {Case{Label: label(retransmitting, stale), Truth: dead(), Events: []flow.Event{said(stuck, 1, retransmitting, stale, givesUp(flow.GivesUp{At: after(16.1)})), said(ended, 12, retransmitting, stale, end)}}, map[Fault]bool{FirstLate: true}},
		"predicted never":   {Case{Label: label(retransmitting, stale), Truth: dead(), Events: []flow.Event{said(stuck, 1, retransmitting, stale, givesUp(flow.GivesUp{Never: true})), said(ended, 12, retransmitting, stale, end)}}, map[Fault]bool{FirstLate: true}},
		"predicted at last": {Case{Label: label(retransmitting, stale), Truth: dead(), Events: []flow.Event{right, said(ended, 12, retransmitting, stale, end, givesUp(flow.GivesUp{At: after(11.9)}))}}, map[Fault]bool{LastLate: true}},
		"noticed late":      {Case{Label: label(retransmitting, stale), Truth: dead(func(t *Truth) { t.Died, t.Lag = after(12.2), 200*time.Millisecond }), Events: []flow.Event{right, said(ended, 12, retransmitting, stale, end)}}, nil},
		"never":             {Case{Label: label(zeroWindow, flow.SlowReader, never), Events: []flow.Event{said(stuck, 3, zeroWindow, flow.SlowReader)}}, map[Fault]bool{NotNever: true}},
		"it stands open":    {Case{Label: label(retransmitting, stale), Truth: alive, Events: []flow.Event{right, over}}, map[Fault]bool{WrongEnd: true}},
		"it did not recover": {Case{Label: label(retransmitting, stale), Events: []flow.Event{right, said(flow.EventRecovered, 9, retransmitting, stale, died(flow.Recovered, "", 0, 0))}},
			map[Fault]bool{WrongEnd: true}},
		"nobody kept books":     {Case{Label: label(retransmitting, stale, ends(flow.TimedOut), byClient), Events: []flow.Event{right, over}}, map[Fault]bool{Untrue: true}},
		"more than was held":    {Case{Label: label(retransmitting, stale), Truth: dead(), Events: []flow.Event{right, said(ended, 12, retransmitting, stale, died(flow.TimedOut, "ETIMEDOUT", 7, 5_000_000))}}, map[Fault]bool{WrongLost: true}},
		"3.9 s late at first":   {Case{Label: label(retransmitting, stale), Truth: dead(), Events: late(3.9)}, nil},
		"4.1 s early at first":  {Case{Label: label(retransmitting, stale), Truth: dead(), Events: late(-4.1)}, map[Fault]bool{FirstLate: true}},
		"a hundredth at first":  {hour(35.9, 0), nil},
		"more than a hundredth": {hour(36.1, 0), map[Fault]bool{FirstLate: true}},
		"49 ms at last":         {hour(0, 0.049), nil},
		"51 ms at last":         {hour(0, 0.051), map[Fault]bool{LastLate: true}},
		"never, while its peer still answered": {Case{Label: Label{Verdicts: []Verdict{
			{Since: t0, Symptom: zeroWindow, Cause: flow.SlowReader}, {Since: after(3), Symptom: zeroWindow, Cause: unreachable, Slack: 8 * time.Second}}}, Truth: dead(),
			Events: []flow.Event{
				said(stuck, 4, zeroWindow, flow.SlowReader, givesUp(flow.GivesUp{Never: true})), said(flow.EventRevised, 8, zeroWindow, unreachable), said(ended, 12, zeroWindow, unreachable, end),
			}}, nil},
		"an hour late while its cause was unknown": {Case{Label: label(retransmitting, stale, withheld(0, 5)), Truth: dead(),
			Events: []flow.Event{said(stuck, 1, retransmitting, flow.Unknown, givesUp(flow.GivesUp{At: after(3600)})), right, over}}, map[Fault]bool{FirstLate: true}},
		"a date after it was never": {Case{Label: label(zeroWindow, flow.SlowReader, never), Events: []flow.Event{
			said(stuck, 3, zeroWindow, flow.SlowReader, givesUp(flow.GivesUp{Never: true})), said(flow.EventRevised, 9, zeroWindow, flow.SlowReader)}}, map[Fault]bool{NotNever: true}},
		"dead and reported, just after a start": {Case{Label: label(retransmitting, stale), Truth: dead(func(t *Truth) { t.Errno = "EPIPE" }), Up: []Window{{From: after(8)}}, Events: []flow.Event{right, over}},
			map[Fault]bool{WrongEnd: true}},
		"dead, unreported, just after a start": {Case{Label: label(retransmitting, stale), Truth: dead(), Up: []Window{{From: after(8)}}, Events: []flow.Event{right}}, nil},
	}.judge(t)
}

// TestUnseenEnds: an end that was shown to no program is counted, as far as the
// agent says that there are such.
func TestUnseenEnds(t *testing.T) {
	b := Book{Up: up, Over: after(60), Truths: map[string]*Truth{}}
	for _, port := range []uint16{1, 2} {
		l := label(flow.Retransmitting, flow.StaleConntrack, ends(flow.TimedOut))
		l.Flow, l.Local = string(rune('0'+port)), netip.AddrPortFrom(netip.IPv4Unspecified(), port)
		b.Labels, b.Truths[l.Flow] = append(b.Labels, l), dead()
		for _, e := range []flow.Event{said(flow.EventStuck, 1, flow.Retransmitting, flow.StaleConntrack),
			said(flow.EventEnded, 14, flow.Retransmitting, flow.StaleConntrack, died("", "", 7, 5))} {
			e.Flow.Local.Addr = l.Local
			b.Events = append(b.Events, e)
		}
	}
	for unseen, want := range map[int]bool{0: false, 1: false, 2: true} {
		if b.Unseen = unseen; b.Judge().OK() != want {
			t.Errorf("%d are admitted, two were not seen: OK is %v", unseen, !want)
		}
	}
}

// TestJudgeLives: an agent that is started while a flow hangs has to find it.
func TestJudgeLives(t *testing.T) {
	restart := []Window{{From: after(-60), To: after(30)}, {From: after(31)}}
	stale := func(change ...func(*Label)) Label { return label(flow.Retransmitting, flow.StaleConntrack, change...) }
	first := said(flow.EventStuck, 1, flow.Retransmitting, flow.StaleConntrack)
	second := said(flow.EventStuck, 30.5, flow.Retransmitting, flow.StaleConntrack)
	forgotten := map[Fault]bool{Forgotten: true}
	planted{
		"forgotten by the second":             {Case{Label: stale(), Up: restart, Events: []flow.Event{first}}, forgotten},
		"found by the second alone":           {Case{Label: stale(), Up: restart, Events: []flow.Event{second}}, forgotten},
		"found by both":                       {Case{Label: stale(), Up: restart, Events: []flow.Event{first, second}}, nil},
		"it died before it could be reported": {Case{Label: stale(), Up: restart, Truth: dead(func(t *Truth) { t.Died, t.Steady = after(45), false }), Events: []flow.Event{first}}, map[Fault]bool{WrongEnd: true}},
		"its fault was taken away":            {Case{Label: stale(ends(flow.Recovered), lifted(32)), Truth: resumed(33), Up: restart, Events: []flow.Event{first}}, map[Fault]bool{WrongEnd: false}},
		"what is reported once": {Case{Label: label(flow.Truncated, flow.ClosedUnread), Up: restart,
			Events: []flow.Event{said(flow.EventDataLost, 1, flow.Truncated, flow.ClosedUnread)}}, nil},
		"reported too late by the first":  {Case{Label: stale(), Up: restart, Events: []flow.Event{said(flow.EventStuck, 13, flow.Retransmitting, flow.StaleConntrack), second, said(flow.EventStuck, 32, flow.Retransmitting, flow.StaleConntrack)}}, forgotten},
		"reported too late by the second": {Case{Label: stale(), Up: restart, Events: []flow.Event{first, said(flow.EventStuck, 52, flow.Retransmitting, flow.StaleConntrack)}}, forgotten},
		"reported wrong by the second": {Case{Label: stale(), Up: restart, Events: []flow.Event{first, said(flow.EventStuck, 32, flow.Retransmitting, flow.PeerUnreachable), said(flow.EventRevised, 33, flow.Retransmitting, flow.StaleConntrack)}},
			map[Fault]bool{WrongTurn: true}},
		"idle, and who could tell was silent": {Case{Label: label(flow.HalfOpen, flow.StaleConntrack, withheld(30, 60)), Up: restart,
			Events: []flow.Event{said(flow.EventStuck, 1, flow.HalfOpen, flow.StaleConntrack)}}, nil},
	}.judge(t)
}

// TestBlind: an agent that counts unseen ends may still not miss many.
func TestBlind(t *testing.T) {
	run := func(unseen, seen int) (r Result) {
		r.Scores = append(r.Scores, make([]Score, seen+unseen)...)
		for i := range r.Scores {
			r.Scores[i].Unseen, r.Scores[i].Predicted = i < unseen, i >= unseen
		}
		return r
	}
	for _, tc := range []struct {
		unseen, seen int
		passes       bool
	}{{5, 20, true}, {6, 293, false}, {6, 294, true}, {60, 0, false}} {
		if got := run(tc.unseen, tc.seen).OK(); got != tc.passes {
			t.Errorf("%d ends not seen, %d seen: passes is %v", tc.unseen, tc.seen, got)
		}
	}
}
