package inspector

import (
	"context"
	"errors"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/conntrack"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

const (
	stands   = 2   // ages for which an answer stands while conntrack fails
	madeGood = 500 // unanswered questions that are asked again in one tick
)

// renewConntrack asks for a flow's entry. While conntrack fails, what it said
// last stands for some time: one question lost is no reason to withdraw a
// verdict.
func (i *Inspector) renewConntrack(ctx context.Context, s flow.Socket, before diagnosis.Conntrack, now time.Time) diagnosis.Conntrack {
	if i.o.Conntrack == nil {
		return diagnosis.Conntrack{At: now, Err: errors.New(i.o.ConntrackDown)}
	}
	c := i.askConntrack(ctx, s, now)
	if c.Err == nil {
		delete(i.unanswered, s.ID)
		c.Zones = c.Missing && before.Missing && before.Zones
		return c
	}
	i.unanswered[s.ID] = true
	if before.Err == nil && now.Sub(before.At) < stands*i.o.ConntrackAge {
		return before
	}
	return c
}

func (i *Inspector) askConntrack(ctx context.Context, s flow.Socket, now time.Time) diagnosis.Conntrack {
	ctx, cancel := lookup(ctx, patience)
	defer cancel()
	began := time.Now()
	t, err := i.o.Conntrack.Lookup(ctx, s.Tuple())
	if errors.Is(err, conntrack.ErrNotFound) {
		i.o.Meter.Lookup(flow.SourceConntrack, time.Since(began), nil)
		i.conntrackErr = nil
		return diagnosis.Conntrack{At: now, Missing: true}
	}
	i.o.Meter.Lookup(flow.SourceConntrack, time.Since(began), err)
	i.conntrackErr = err
	if err != nil {
		return diagnosis.Conntrack{At: now, Err: err}
	}
	i.conntrackAt = now
	if t.Translated() && !t.Accepted() && i.o.Cluster.Class(s.Remote) == flow.PeerService {
		i.translates = true
	}
	return diagnosis.Conntrack{At: now, Entry: &t}
}

// askUnanswered asks conntrack again about the flows of which it could not be
// asked: one in a round while it fails, and many as soon as it answers.
func (i *Inspector) askUnanswered(ctx context.Context) {
	var gone []flow.ID
	left := madeGood
	for id := range i.unanswered {
		if ctx.Err() != nil {
			return
		}
		f := i.files[id]
		if f == nil {
			delete(i.unanswered, id)
			continue
		}
		f.evidence = i.gather(ctx, f.evidence.Socket, f.evidence, 0)
		i.askZones(ctx, &f.evidence)
		if i.judgeAgain(ctx, f) {
			gone = append(gone, id)
		}
		if left--; left == 0 || i.conntrackErr != nil {
			break
		}
	}
	i.confirm(ctx, gone)
}
