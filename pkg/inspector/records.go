package inspector

import (
	"context"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/monitor"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

// take handles a record and those that wait behind it.
func (i *Inspector) take(ctx context.Context, r tracer.Record) {
	var suspects []flow.ID
	i.record(ctx, r, &suspects)
	i.drain(ctx, &suspects)
	i.examine(ctx, suspects)
}

// drain handles the records that wait, a batch at most.
func (i *Inspector) drain(ctx context.Context, suspects *[]flow.ID) {
	for range batch {
		if ctx.Err() != nil {
			return
		}
		select {
		case r := <-i.o.Kernel.Records():
			i.record(ctx, r, suspects)
		default:
			return
		}
	}
}

func (i *Inspector) record(ctx context.Context, r tracer.Record, suspects *[]flow.ID) {
	if r.End != nil {
		i.end(ctx, *r.End, suspects)
	}
	if r.Suspect != nil {
		i.apply(ctx, i.monitor.Observe(*r.Suspect), suspects)
	}
}

// apply carries the monitor's changes into the files; new suspects are
// collected.
func (i *Inspector) apply(ctx context.Context, changes []monitor.Change, suspects *[]flow.ID) {
	for _, c := range changes {
		if ctx.Err() != nil {
			return
		}
		switch c.Kind {
		case monitor.Suspected:
			i.files[c.Socket.ID] = &file{evidence: diagnosis.Evidence{Socket: c.Socket}}
			*suspects = append(*suspects, c.Socket.ID)
		case monitor.Updated:
			if f := i.files[c.Socket.ID]; f.stuck && f.closedIdle(c.Socket) {
				i.finish(ctx, monitor.Change{Kind: monitor.Recovered, Socket: c.Socket, At: c.At})
				i.monitor.Forget(c.Socket.ID)
				continue
			}
			if i.refresh(c.Socket) {
				i.spoke(ctx, c.Socket.ID, suspects)
			}
		case monitor.Recovered, monitor.Ended, monitor.Vanished:
			i.finish(ctx, c)
		}
	}
}

// refresh takes a new reading into a flow's file. It reports whether an idle
// flow was written to meanwhile, and timed out.
func (i *Inspector) refresh(s flow.Socket) bool {
	f := i.files[s.ID]
	spoke := f.evidence.Socket.Timeouts == 0 && s.Timeouts > 0
	if s.PID == 0 {
		s.PID, s.Comm, s.FD = f.evidence.Socket.PID, f.evidence.Socket.Comm, f.evidence.Socket.FD
	}
	f.evidence.Socket = s
	if f.stuck {
		i.store.put(*f)
	}
	return spoke
}

// spoke judges at once an idle flow that has had its first timeout: who was
// only at risk is stuck from now on.
func (i *Inspector) spoke(ctx context.Context, id flow.ID, suspects *[]flow.ID) {
	f := i.files[id]
	if !f.stuck {
		*suspects = append(*suspects, id)
		return
	}
	before := f.decision
	f.evidence = i.gather(ctx, f.evidence.Socket, f.evidence, 0)
	f.decision = diagnosis.Decide(f.evidence)
	i.revise(f, before)
}
