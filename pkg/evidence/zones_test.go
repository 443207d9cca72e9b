package evidence

import (
	"context"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// missing is a flow to the Service that has no entry in the default zone.
func missing(t *testing.T, a *Asker, n int) diagnosis.Evidence {
	t.Helper()
	e := many(n)[n-1]
	return one(t, a, e, 0)
}

func TestAnEntryOfAnotherZoneIsFound(t *testing.T) {
	q := &questions{zones: map[flow.Tuple]flow.Translation{}}
	a, _ := asking(t, q, nil)
	e := missing(t, a, 1)
	if !a.zones.open(e) || e.Backend.Pod != "" {
		t.Fatalf("%+v, backend %+v", e.Conntrack, e.Backend)
	}
	q.zones[e.Socket.Tuple()] = entryOf(e.Socket)
	a.AskZones(t.Context(), &e)
	if e.Conntrack.Missing || e.Conntrack.Entry == nil || e.Backend.Pod != "cart-1" {
		t.Errorf("%+v, backend %+v: want the entry, and what the records say of where it leads", e.Conntrack, e.Backend)
	}
	if a.zones.open(e) {
		t.Error("the zones are open, and one has the entry")
	}
}

// TestAServiceWithoutAnyEntryIsSearchedForOnce: in one round.
func TestAServiceWithoutAnyEntryIsSearchedForOnce(t *testing.T) {
	q := &questions{}
	a, _ := asking(t, q, nil)
	for n := 1; n <= 20; n++ {
		e := missing(t, a, n)
		if a.AskZones(t.Context(), &e); !e.Conntrack.Zones || !e.Conntrack.Missing || a.zones.open(e) {
			t.Errorf("flow %d: %+v, want that no zone has it", n, e.Conntrack)
		}
		a.AskZones(t.Context(), &e)
	}
	if q.searches != 1 {
		t.Errorf("%d searches, want one that answers for all", q.searches)
	}
	a.NewRound()
	e := missing(t, a, 21)
	if a.AskZones(t.Context(), &e); q.searches != 2 {
		t.Errorf("%d searches, want another one in the next round", q.searches)
	}
}

// TestZonesStayOpen: what could not be asked is asked in a later round.
func TestZonesStayOpen(t *testing.T) {
	for name, prepare := range map[string]func(*questions, *Asker){
		"the search fails":       func(q *questions, _ *Asker) { q.err = syscall.ENOBUFS },
		"the budget is used up":  func(_ *questions, a *Asker) { a.o.Searches.Charge(time.Minute, time.Now()) },
		"searches took too long": func(q *questions, a *Asker) { q.takes = time.Second; spendOn(a) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := &questions{}
				a, _ := asking(t, q, nil)
				e := missing(t, a, 1)
				prepare(q, a)
				if a.AskZones(t.Context(), &e); !a.zones.open(e) || !e.Conntrack.Missing {
					t.Errorf("%+v, want that it stays open", e.Conntrack)
				}
				q.err, q.takes = nil, 0
				time.Sleep(2 * time.Minute)
				e.Now = time.Now()
				if a.AskZones(t.Context(), &e); !e.Conntrack.Zones {
					t.Errorf("%+v later, want that no zone has it", e.Conntrack)
				}
			})
		})
	}
}

// spendOn has another flow's search use the budget up.
func spendOn(a *Asker) {
	e := many(9)[8]
	e.Now, e.Conntrack.Missing, e.Peer.Class = time.Now(), true, flow.PeerService
	e.Socket.Remote = netip.MustParseAddrPort("10.96.0.66:80")
	a.zones.ask(context.Background(), &e)
}

// TestOnlyAServicesFlowIsSearchedFor: others need no entry.
func TestOnlyAServicesFlowIsSearchedFor(t *testing.T) {
	q := &questions{}
	a, _ := asking(t, q, nil)
	for _, remote := range []netip.AddrPort{server, outside} {
		e := one(t, a, diagnosis.Evidence{Socket: to(remote)}, 0)
		if a.AskZones(t.Context(), &e); q.searches != 0 || a.zones.open(e) {
			t.Errorf("%v: %d searches", remote, q.searches)
		}
	}
}

// TestWhetherThisNodeTranslatesIsSoughtNowAndThen: until it was seen to.
func TestWhetherThisNodeTranslatesIsSoughtNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &questions{takes: time.Millisecond}
		a, _ := asking(t, q, nil)
		for range 10 { // in one second
			a.SeekTranslation(t.Context())
			time.Sleep(100 * time.Millisecond)
		}
		if q.searches != 1 {
			t.Errorf("%d searches in a second", q.searches)
		}
		for range 60 {
			a.SeekTranslation(t.Context())
			time.Sleep(time.Second)
		}
		if q.searches < 3 || q.searches > 13 {
			t.Errorf("%d searches in a minute, want one every 5 to 30 s", q.searches)
		}
		s := to(service)
		q.entries = map[flow.Tuple]flow.Translation{s.Tuple(): entryOf(s)}
		time.Sleep(time.Minute)
		a.SeekTranslation(t.Context())
		made := q.searches
		if e := one(t, a, diagnosis.Evidence{Socket: to(outside)}, 0); !e.Translates {
			t.Error("it translates, and nobody knows")
		}
		time.Sleep(time.Hour)
		if a.SeekTranslation(t.Context()); q.searches != made {
			t.Error("it is sought on once it is known")
		}
	})
}

// TestALargeTableIsRarelySoughtFor: one pass over an empty table of 262,144 buckets takes 20 ms.
// Every half minute, that would be more than all other work of an idle agent.
func TestALargeTableIsRarelySoughtFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &questions{takes: 20 * time.Millisecond}
		a, _ := asking(t, q, nil)
		for range 600 {
			a.SeekTranslation(t.Context())
			time.Sleep(time.Second)
		}
		if q.searches < 3 || q.searches > 4 {
			t.Errorf("%d searches in ten minutes, want one every 200 s", q.searches)
		}
	})
}

// TestAVerdictThatHangsOnItSeeksATranslationAtOnce: even after a recent search.
func TestAVerdictThatHangsOnItSeeksATranslationAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &questions{}
		a, _ := asking(t, q, nil)
		a.SeekTranslation(t.Context())
		e := missing(t, a, 1)
		other := to(service)
		q.entries = map[flow.Tuple]flow.Translation{other.Tuple(): entryOf(other)}
		if a.Deepen(t.Context(), &e); !e.Translates {
			t.Error("not known to translate, and another flow of the Service has its entry")
		}
	})
}
