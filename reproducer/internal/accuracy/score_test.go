package accuracy

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func after(seconds float64) time.Time { return t0.Add(time.Duration(seconds * float64(time.Second))) }

// said is an event about the flow.
func said(kind flow.EventType, seconds float64, symptom flow.Symptom, cause flow.Cause, change ...func(*flow.Finding)) flow.Event {
	f := &flow.Finding{ID: 1, Symptom: symptom, Cause: cause, Sentence: "…", Since: t0, GivesUp: flow.GivesUp{At: after(12)}}
	for _, c := range change {
		c(f)
	}
	return flow.Event{Type: kind, Time: after(seconds), Flow: f}
}

func died(o flow.Outcome, errno string, unsent, unacknowledged uint32) func(*flow.Finding) {
	return func(f *flow.Finding) {
		f.Outcome, f.Err, f.Unsent, f.Unacknowledged, f.EndedAt = o, errno, unsent, unacknowledged, after(12)
	}
}

func givesUp(g flow.GivesUp) func(*flow.Finding) { return func(f *flow.Finding) { f.GivesUp = g } }

func label(symptom flow.Symptom, cause flow.Cause, change ...func(*Label)) Label {
	l := Label{Flow: "1/a-1/1.1", Verdicts: []Verdict{{Since: t0, Symptom: symptom, Cause: cause}}}
	for _, c := range change {
		c(&l)
	}
	return l
}

func withheld(from, to float64) func(*Label) {
	return func(l *Label) { l.Withheld = []Window{{From: after(from), To: after(to)}} }
}

func then(seconds float64, symptom flow.Symptom, cause flow.Cause) func(*Label) {
	return func(l *Label) {
		l.Verdicts = append(l.Verdicts, Verdict{Since: after(seconds), Symptom: symptom, Cause: cause})
	}
}

func recorded(seconds float64) func(*Label) {
	return func(l *Label) { l.Verdicts[0].Recorded = after(seconds) }
}

func lifted(seconds float64) func(*Label) {
	return func(l *Label) { l.Lifted = after(seconds) }
}

func byClient(l *Label) { l.Role = flow.Client }

func resumed(seconds float64) *Truth {
	return &Truth{Alive: true, Missing: -1, Resumed: after(seconds)}
}

// up: the agent was there all the time.
var up = []Window{{From: after(-60)}}

// TestJudge plants every fault once: a scorer that overlooks one flatters.
func TestJudge(t *testing.T) {
	const (
		retransmitting, zeroWindow = flow.Retransmitting, flow.ZeroWindow
		stale, unreachable         = flow.StaleConntrack, flow.PeerUnreachable
	)
	stuck, revised, ended := flow.EventStuck, flow.EventRevised, flow.EventEnded
	right := said(stuck, 1, retransmitting, stale)
	planted{
		"a silent control":                            {Case{Label: Label{}}, nil},
		"a control that is reported":                  {Case{Label: Label{}, Events: []flow.Event{right}}, map[Fault]bool{FalseAlarm: true}},
		"a control that loses data":                   {Case{Label: Label{}, Events: []flow.Event{said(flow.EventDataLost, 1, flow.Truncated, flow.ResetByPeer)}}, map[Fault]bool{FalseAlarm: true}},
		"a control that is at risk":                   {Case{Label: Label{}, Events: []flow.Event{said(flow.EventAtRisk, 1, flow.HalfOpen, stale)}}, map[Fault]bool{FalseAlarm: true}},
		"a control whose pod goes":                    {Case{Label: Label{Risky: true}, Events: []flow.Event{said(flow.EventAtRisk, 1, flow.HalfOpen, stale)}}, nil},
		"at risk, and its pod lives":                  {Case{Label: label(retransmitting, unreachable), Events: []flow.Event{said(flow.EventAtRisk, 1, flow.HalfOpen, stale), said(stuck, 3, retransmitting, unreachable)}}, map[Fault]bool{WrongTurn: true}},
		"at risk until its entry goes":                {Case{Label: risky(retransmitting, flow.ConntrackMissing), Events: []flow.Event{said(flow.EventAtRisk, -0.01, flow.HalfOpen, stale), said(stuck, 3, retransmitting, flow.ConntrackMissing)}}, nil},
		"at risk before its pod is gone":              {Case{Label: label(flow.HalfOpen, stale), Events: []flow.Event{said(flow.EventAtRisk, -1, flow.HalfOpen, stale), said(stuck, 5, flow.HalfOpen, stale)}}, map[Fault]bool{WrongTurn: true}},
		"at risk while its route is there still":      {Case{Label: label(flow.HalfOpen, stale, recorded(-0.02)), Events: []flow.Event{said(flow.EventAtRisk, -0.01, flow.HalfOpen, stale), said(stuck, 5, flow.HalfOpen, stale)}}, nil},
		"at risk before the records say so":           {Case{Label: label(flow.HalfOpen, stale, recorded(-0.02)), Events: []flow.Event{said(flow.EventAtRisk, -0.03, flow.HalfOpen, stale), said(stuck, 5, flow.HalfOpen, stale)}}, map[Fault]bool{WrongTurn: true}},
		"at risk, then stuck":                         {Case{Label: label(flow.HalfOpen, stale), Events: []flow.Event{said(flow.EventAtRisk, 1, flow.HalfOpen, stale), said(stuck, 5, flow.HalfOpen, stale)}}, nil},
		"a control without books":                     {Case{Label: Label{Role: flow.Client}}, map[Fault]bool{Untrue: true}},
		"right":                                       {Case{Label: label(retransmitting, stale), Events: []flow.Event{right}}, nil},
		"missed":                                      {Case{Label: label(retransmitting, stale)}, map[Fault]bool{Missed: true}},
		"an idle one, dead before anybody could know": {Case{Label: label(flow.HalfOpen, stale, withheld(0, 20)), Truth: dead()}, nil},
		"an idle one, dead long after":                {Case{Label: label(flow.HalfOpen, stale, withheld(0, 5)), Truth: dead()}, map[Fault]bool{Missed: true}},
		"a busy one is reported, records or not":      {Case{Label: label(retransmitting, stale, withheld(0, 20)), Truth: dead()}, map[Fault]bool{Missed: true}},
		"only at risk":                                {Case{Label: label(flow.HalfOpen, stale), Events: []flow.Event{said(flow.EventAtRisk, 1, flow.HalfOpen, stale)}}, map[Fault]bool{Missed: true}},
		"another cause":                               {Case{Label: label(retransmitting, unreachable), Events: []flow.Event{right}}, map[Fault]bool{Wrong: true, WrongFirst: true}},
		"another symptom":                             {Case{Label: label(zeroWindow, stale), Events: []flow.Event{right}}, map[Fault]bool{Wrong: true, WrongFirst: true}},
		"before the fault":                            {Case{Label: label(retransmitting, stale), Events: []flow.Event{said(stuck, -1, retransmitting, stale)}}, map[Fault]bool{WrongFirst: true}},
		"unknown":                                     {Case{Label: label(retransmitting, unreachable), Events: []flow.Event{said(stuck, 1, retransmitting, flow.Unknown)}}, map[Fault]bool{Wrong: true, WrongFirst: false}},
		"unknown, withheld until the end":             {Case{Label: label(retransmitting, stale, withheld(0, 60)), Events: []flow.Event{said(stuck, 1, retransmitting, flow.Unknown)}}, nil},
		"unknown, withheld until it died":             {Case{Label: label(retransmitting, stale, withheld(0, 10)), Truth: dead(), Events: []flow.Event{said(stuck, 1, retransmitting, flow.Unknown), said(ended, 12, retransmitting, flow.Unknown, end)}}, nil},
		"unknown for ever":                            {Case{Label: label(retransmitting, stale, withheld(0, 5)), Events: []flow.Event{said(stuck, 1, retransmitting, flow.Unknown)}}, map[Fault]bool{Wrong: true}},
		"unknown, of what no record tells":            {Case{Label: label(flow.LocalDrop, flow.NoRoute, withheld(0, 60)), Events: []flow.Event{said(stuck, 1, flow.LocalDrop, flow.Unknown)}}, map[Fault]bool{Wrong: true, WrongFirst: false}},
		"unknown long after it was known":             {Case{Label: label(retransmitting, stale, withheld(0, 5)), Events: []flow.Event{right, said(revised, 20, retransmitting, flow.Unknown)}}, map[Fault]bool{Wrong: true, WrongTurn: false}},
		"a guess while withheld":                      {Case{Label: label(retransmitting, stale, withheld(0, 5)), Events: []flow.Event{said(stuck, 1, retransmitting, unreachable), said(revised, 6, retransmitting, stale)}}, map[Fault]bool{WrongFirst: true}},
		"revised to right":                            {Case{Label: label(retransmitting, unreachable), Events: []flow.Event{said(stuck, 1, retransmitting, flow.PeerSilent), said(revised, 2, retransmitting, unreachable)}}, map[Fault]bool{WrongFirst: false}},
		"a living pod is called deleted at first":     {Case{Label: label(retransmitting, unreachable), Events: []flow.Event{right, said(revised, 2, retransmitting, unreachable)}}, map[Fault]bool{WrongFirst: true}},
		"called deleted meanwhile, and silent after that": {Case{Label: label(retransmitting, unreachable), Events: []flow.Event{said(stuck, 1, retransmitting, unreachable), said(revised, 2, retransmitting, stale),
			said(revised, 3, retransmitting, flow.PeerSilent), said(revised, 4, retransmitting, unreachable)}}, map[Fault]bool{WrongTurn: true}},
		"a living pod is called deleted meanwhile": {Case{Label: label(retransmitting, unreachable), Events: []flow.Event{said(stuck, 1, retransmitting, unreachable), said(revised, 2, retransmitting, stale), said(revised, 3, retransmitting, unreachable)}},
			map[Fault]bool{WrongTurn: true}},
		"revised to right, of the deleted": {Case{Label: label(retransmitting, stale), Events: []flow.Event{said(stuck, 1, retransmitting, unreachable), said(revised, 2, retransmitting, stale)}},
			map[Fault]bool{WrongFirst: true}},
		"turned in time":      {Case{Label: label(retransmitting, unreachable, then(5, retransmitting, stale)), Events: []flow.Event{said(stuck, 3, retransmitting, unreachable), said(revised, 6, retransmitting, stale)}}, nil},
		"turned not":          {Case{Label: label(retransmitting, unreachable, then(5, retransmitting, stale)), Events: []flow.Event{said(stuck, 3, retransmitting, unreachable)}}, map[Fault]bool{Wrong: true}},
		"first, but too late": {Case{Label: label(retransmitting, unreachable, then(5, retransmitting, stale)), Events: []flow.Event{said(stuck, 6, retransmitting, unreachable), said(revised, 7, retransmitting, stale)}}, map[Fault]bool{WrongFirst: true}},
	}.judge(t)
}

// risky is the label of a flow whose pod was deleted, which is not its cause.
func risky(symptom flow.Symptom, cause flow.Cause) Label {
	l := label(symptom, cause)
	l.Risky = true
	return l
}

// planted are cases by name, each with the faults that are to be found; true:
// a run with it fails.
type planted map[string]struct {
	c    Case
	want map[Fault]bool
}

// judge has every case judged; the agent was there all the time, and everything
// over after a minute, where a case says nothing else.
func (p planted) judge(t *testing.T) {
	for name, tc := range p {
		t.Run(name, func(t *testing.T) {
			if tc.c.Up == nil {
				tc.c.Up = up
			}
			if tc.c.Over.IsZero() {
				tc.c.Over = after(60)
			}
			s := Judge(tc.c)
			got := map[Fault]bool{}
			for f := range s.Faults {
				got[f] = s.Gated[f]
			}
			if tc.want == nil {
				tc.want = map[Fault]bool{}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("faults (-want +got):\n%s%v", diff, s.Faults)
			}
		})
	}
}

// dead is what the books say of a flow that the kernel aborted after 12 s.
func dead(change ...func(*Truth)) *Truth {
	t := &Truth{Died: after(12), Errno: "ETIMEDOUT", Steady: true, Unsent: 7, Unacknowledged: 5, Missing: 9}
	for _, c := range change {
		c(t)
	}
	return t
}

// end is what an agent that is right says of it.
func end(f *flow.Finding) { died(flow.TimedOut, "ETIMEDOUT", 7, 5)(f) }

// TestWithin: an application that noticed late excuses a prediction that was too
// early, and none that was too late.
func TestWithin(t *testing.T) {
	const lag = 30 * time.Millisecond
	for _, tc := range []struct{ predicted, want float64 }{{12, 0}, {11.98, 0}, {11.9, 0.07}, {12.1, -0.1}} {
		if got := within(after(12), lag, flow.GivesUp{At: after(tc.predicted)}); got != time.Duration(tc.want*float64(time.Second)) {
			t.Errorf("predicted for %.2f s: %s", tc.predicted, got)
		}
	}
}

// TestStranger: a report about a connection without a label fails a run.
func TestStranger(t *testing.T) {
	silent := Book{Labels: []Label{{Flow: "1/a-1/1.1"}}, Up: up}.Judge()
	if !silent.OK() {
		t.Errorf("a silent control fails: %+v", silent)
	}
	for _, kind := range []flow.EventType{flow.EventAtRisk, flow.EventEnded, flow.EventRecovered} {
		if r := (Book{Events: []flow.Event{said(kind, 1, flow.Retransmitting, flow.StaleConntrack)}, Up: up}).Judge(); len(r.Strangers) != 1 {
			t.Errorf("a stranger that is said to be %s passes", kind)
		}
	}
	r := Book{Events: []flow.Event{said(flow.EventStuck, 1, flow.Retransmitting, flow.StaleConntrack)}, Up: up}.Judge()
	r.Scores = silent.Scores
	if len(r.Strangers) != 1 || r.OK() {
		t.Errorf("a stranger passes: %+v", r)
	}
	var both Result
	both.Add(r)
	if both.Add(silent); len(both.Strangers) != 1 || both.OK() {
		t.Errorf("a stranger of the first seed is forgotten: %+v", both)
	}
	if (Result{}).OK() {
		t.Error("a run without flows passes")
	}
}
