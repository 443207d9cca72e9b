package inspector

import (
	"fmt"
	"slices"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/deadline"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// file is all that is kept on one flow, from the first suspicion on. Findings
// are composed from it when somebody reads them, so that a storm costs no
// sentences. Files are values; history is only ever appended to a clone.
type file struct {
	evidence diagnosis.Evidence
	decision diagnosis.Decision
	backend  flow.BackendState // that the last event told
	stuck    bool
	departed departed // the backend that an idle flow waits for
	history  []flow.Step

	outcome flow.Outcome
	err     string
	endedAt time.Time
}

// note adds a line to the flow's story.
func (f *file) note(at time.Time, format string, args ...any) {
	f.history = append(slices.Clip(f.history), flow.Step{At: at, What: fmt.Sprintf(format, args...)})
}

// finding composes what users see, true at a time.
func (f file) finding(node, bootID string, now time.Time) flow.Finding {
	return f.compose(true, node, bootID, now)
}

// compose leaves the words out where nobody asks for them.
func (f file) compose(words bool, node, bootID string, now time.Time) flow.Finding {
	e := f.evidence
	if f.endedAt.IsZero() {
		e.Now = now
	} else {
		e.Now, e.Ended = f.endedAt, true
	}
	finding := f.facts(node, bootID, now)
	e.GivesUp = finding.GivesUp
	if !words {
		return finding
	}
	e.Socket.Since = anchor(e.Socket.Since, e.Now)
	v := diagnosis.Judge(e)
	finding.Sentence, finding.Advice, finding.Evidence, finding.History = v.Sentence, v.Advice, v.Evidence, f.story()
	return finding
}

// facts are a finding without the words, which take the time to compose.
func (f file) facts(node, bootID string, now time.Time) flow.Finding {
	e, at := f.evidence, now
	if !f.endedAt.IsZero() {
		at = f.endedAt
	}
	s := e.Socket
	finding := flow.Finding{
		ID: s.ID, BootID: bootID, Node: node, NetNS: s.NetNS, Role: e.Role, State: s.State, Family: family(s),
		Local: e.Local, Peer: e.Peer, Symptom: f.decision.Symptom, Cause: f.decision.Cause, Mute: f.decision.Mute, Orphan: s.Orphan,
		At: at, Since: anchor(s.Since, at), Timeouts: s.Timeouts, RTO: s.RTO,
		Unacknowledged: s.Unacknowledged, Unsent: s.Unsent, ZeroWindow: s.SendWindow == 0 && s.State != flow.SynSent,
		UserTimeout: s.UserTimeout, Keepalive: s.Keepalive, GivesUp: f.givesUp(),
		Outcome: f.outcome, Err: f.err, EndedAt: f.endedAt,
	}
	if s.SendBuffer > 0 {
		finding.SendBufferUsed = min(1, float64(s.SendQueued)/float64(s.SendBuffer))
	}
	backend := e.Backend.Flow()
	backend.Addr = e.Target()
	finding.Backend = &backend
	return finding
}

// givesUp is the kernel's clock; of a flow that is over, what it was at last.
func (f file) givesUp() flow.GivesUp {
	if !f.endedAt.IsZero() {
		return f.evidence.GivesUp
	}
	return deadline.GivesUp(f.evidence.Socket)
}

// anchor tells a time by the wall clock that now was read from: an earlier one
// may have been set since, which moves no age.
func anchor(t, now time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return now.Add(-now.Sub(t))
}

// story returns the flow's history with what the sources date, in time order.
func (f file) story() []flow.Step {
	e := f.evidence
	story := slices.Clone(f.history)
	if !e.Socket.LastAck.IsZero() {
		story = append(story, flow.Step{At: e.Socket.LastAck, What: "the peer was last heard"})
	}
	if !e.Backend.Since.IsZero() {
		name := e.Target().String()
		if e.Backend.Pod != "" {
			name = e.Backend.Namespace + "/" + e.Backend.Pod
		}
		story = append(story, flow.Step{At: e.Backend.Since, What: fmt.Sprintf("backend %s was seen %s", name, e.Backend.State)})
	}
	if !e.Socket.Since.IsZero() {
		story = append(story, flow.Step{At: e.Socket.Since, What: "progress stopped"})
	}
	slices.SortStableFunc(story, func(a, b flow.Step) int { return a.At.Compare(b.At) })
	return story
}

func family(s flow.Socket) int {
	if s.Remote.Addr().Is4() {
		return 4
	}
	return 6
}
