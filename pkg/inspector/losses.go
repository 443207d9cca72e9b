package inspector

import (
	"context"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// end takes the end of a socket: of a suspect, or of one that lost bytes and
// that nobody suspected before. What a finding tells of already, and what
// timed out under suspicion, is told as the end of that.
func (i *Inspector) end(ctx context.Context, e flow.End, suspects *[]flow.ID) {
	before := i.files[e.ID]
	i.apply(ctx, i.monitor.End(e), suspects)
	switch {
	case !diagnosis.Notable(e):
	case before == nil:
		i.truncated(ctx, e, diagnosis.Evidence{})
	case !before.stuck && e.Loss != flow.LostTimedOut:
		i.truncated(ctx, e, before.evidence)
	}
}

// truncated makes a finding that is over already. The conntrack entry outlives
// its connection by some seconds, so the sources still know it.
func (i *Inspector) truncated(ctx context.Context, end flow.End, before diagnosis.Evidence) {
	evidence := i.gather(ctx, end.Last, before, tick)
	evidence.End = &end
	f := &file{
		evidence: evidence, decision: diagnosis.Decide(evidence), backend: evidence.Backend.State,
		outcome: diagnosis.Outcome(end), err: diagnosis.Errno(end.Err), endedAt: end.At,
	}
	i.tell(f, flow.EventDataLost, "ended: %s; bytes never sent: %d, sent and unacknowledged: %d", f.outcome, end.Unsent, end.Unacknowledged)
}
