package inspector_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// crowded is how many flows a pass has before it.
const crowded = 12

// questions counts what is asked of conntrack and of the routes, and does
// something at one of them.
type questions struct {
	asked, at atomic.Int64
	then      func()
}

func (q *questions) ask() {
	if q.asked.Add(1) == q.at.Load() {
		q.then()
	}
}

// routes has an answer for every question that is not broken off.
type routes struct{ *questions }

func (r routes) Lookup(ctx context.Context, _, _ netip.Addr) (flow.Route, error) {
	r.ask()
	return flow.Route{}, ctx.Err()
}

// crowd makes flows hang that have been due for long, and ends the agent at a
// question.
func (n *node) crowd(at int64) *questions {
	q := &questions{then: func() {
		n.stop()
		n.cluster.SetHealth(false, "the agent ends", time.Now()) // its sources end along with it
	}}
	q.at.Store(at)
	n.table.asked, n.routes = q.ask, routes{q}
	for id := range flow.ID(crowded) {
		s := hung()
		s.ID, s.Since = 100+id, time.Now().Add(-time.Minute)
		s.Local = netip.AddrPortFrom(s.Local.Addr(), uint16(10_000+id))
		ours := flow.Tuple{Src: s.Local, Dst: service}
		n.table.entries[ours] = flow.Translation{Orig: ours, Reply: flow.Tuple{Src: server, Dst: s.Local}, State: "ESTABLISHED"}
		n.kernel.set(s)
	}
	return q
}

// truthful demands that all reports and all held entries are true: nothing may
// follow from a lookup that the agent's end prevented.
func (n *node) truthful(causes ...flow.Cause) {
	n.t.Helper()
	close(n.events)
	for e := range n.events {
		if e.Type == flow.EventDegraded || e.Flow == nil {
			n.t.Fatalf("event %s of %s: %s", e.Type, e.Source, e.Reason)
		}
		n.holds(*e.Flow, causes)
	}
	for _, f := range n.findings() {
		n.holds(f, causes)
	}
}

func (n *node) holds(f flow.Finding, causes []flow.Cause) {
	n.t.Helper()
	text, err := json.Marshal(f)
	if err != nil {
		n.t.Fatal(err)
	}
	if !slices.Contains(causes, f.Cause) || strings.Contains(string(text), context.Canceled.Error()) {
		n.t.Fatalf("%s · %s, want one of %v, and no word of what was broken off: %s", f.Symptom, f.Cause, causes, text)
	}
}

// TestEndedInTheFirstLook ends the agent at each of its questions.
func TestEndedInTheFirstLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for at := int64(1); ; at++ {
			var q *questions
			n := start(t, func(n *node) { q = n.crowd(at) })
			if q.asked.Load() < at {
				t.Logf("it asks %d questions", at-1)
				break // it was ready before
			}
			<-n.done
			if more := q.asked.Load() - at; more > 1 {
				t.Errorf("ended at question %d, it asked %d more", at, more)
			}
			n.truthful(flow.PathDrop)
		}
	})
}

// TestEndedWhileItJudgesAgain: the removal of a backend has every flow
// asked for, and judged, again.
func TestEndedWhileItJudgesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, at := range []int64{1, 2, crowded / 2, crowded, crowded + 1} {
			var q *questions
			n := start(t, func(n *node) {
				n.lasts = time.Nanosecond
				q = n.crowd(0)
			})
			n.awaitAll(flow.EventStuck, crowded)
			q.at.Store(q.asked.Load() + at)
			n.replace(without())
			select {
			case <-n.done:
			case <-time.After(patience):
				t.Fatalf("question %d was never asked", at)
			}
			if more := q.asked.Load() - q.at.Load(); more > 1 {
				t.Errorf("ended at question %d, it asked %d more", at, more)
			}
			n.truthful(flow.PathDrop, flow.StaleConntrack)
		}
	})
}

// TestEndedWhileConntrackIsSearched: before it reports flows without an
// entry, the agent searches for them in all zones, and finds out whether the node
// translates at all.
func TestEndedWhileConntrackIsSearched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for at := int64(1); ; at++ {
			var q *questions
			n := start(t, func(n *node) {
				other := maps.Clone(n.table.entries)
				q = n.crowd(at)
				clear(n.table.entries)
				n.table.asked = func() {
					q.ask()
					if q.asked.Load() == 2 { // when the node's first look for a translation is over
						n.table.entries = other
					}
				}
			})
			if q.asked.Load() < at {
				t.Logf("it asks %d questions", at-1)
				break
			}
			<-n.done
			if more := q.asked.Load() - at; more > 2 { // of the flow that it is at
				t.Errorf("ended at question %d, it asked %d more", at, more)
			}
			n.truthful(flow.ConntrackMissing)
		}
	})
}
