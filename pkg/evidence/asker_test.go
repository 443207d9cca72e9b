package evidence

import (
	"context"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/owner"
)

// TestEachFlowHasItsOwnAnswer: whichever answers are still current.
func TestEachFlowHasItsOwnAnswer(t *testing.T) {
	for _, flows := range []int{1, 15, 16, 17, 100} {
		known := many(flows)
		q := &questions{entries: map[flow.Tuple]flow.Translation{}}
		asked := 0
		for k := range known {
			if k%5 == 3 {
				known[k].Conntrack = diagnosis.Conntrack{At: time.Now(), Missing: true} // it is current
				continue
			}
			asked++
			if k%2 == 0 {
				q.entries[known[k].Socket.Tuple()] = entryOf(known[k].Socket)
			}
		}
		a, _ := asking(t, q, nil)
		got := gather(t.Context(), a, known, time.Minute)
		if q.lookups != asked {
			t.Errorf("%d flows: %d lookups, want %d", flows, q.lookups, asked)
		}
		for k, e := range got {
			entry := e.Conntrack.Entry
			if want := k%5 != 3 && k%2 == 0; want != (entry != nil) || want == e.Conntrack.Missing {
				t.Errorf("flow %d of %d: %+v, want an entry: %v", k, flows, e.Conntrack, want)
			}
			if entry != nil && entry.Orig != known[k].Socket.Tuple() {
				t.Errorf("flow %d of %d has the entry of %v", k, flows, entry.Orig)
			}
		}
	}
}

// TestLookupsStopWhenTheAgentEnds: what was known stands.
func TestLookupsStopWhenTheAgentEnds(t *testing.T) {
	for _, flows := range []int{10, 100} {
		ctx, stop := context.WithCancel(t.Context())
		q := &questions{asked: func(n int) {
			if n == 5 {
				stop()
			}
		}}
		a, m := asking(t, q, nil)
		known := many(flows)
		got := gather(ctx, a, known, 0)
		if q.lookups > 5 {
			t.Errorf("of %d flows %d are asked for, ended at the fifth", flows, q.lookups)
		}
		if diff := cmp.Diff(known, got, sameAddrs()); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		if m.failed[flow.SourceConntrack] != 0 || a.ConntrackFails() {
			t.Error("conntrack fails because the agent ends")
		}
	}
}

// TestAQuestionThatHasBegunIsFinished: one that was broken off would look like a
// source that fails.
func TestAQuestionThatHasBegunIsFinished(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	a, m := asking(t, nil, func(o *Options) { o.Routes = routeTable{} })
	e := diagnosis.Evidence{Now: time.Now(), Socket: to(service)}
	if a.routes.ask(ctx, &e); e.RouteErr != nil || m.failed[flow.SourceRoute] != 0 {
		t.Errorf("the question for the route was broken off: %v", e.RouteErr)
	}
}

// routeTable answers unless it is broken off.
type routeTable struct{ asked *int }

func (r routeTable) Lookup(ctx context.Context, dst, src netip.Addr) (flow.Route, error) {
	if r.asked != nil {
		*r.asked++
	}
	return flow.Route{Dst: dst, Src: src}, ctx.Err()
}

// TestARouteIsOfItsSource: two sockets that send to one address from different ones.
func TestARouteIsOfItsSource(t *testing.T) {
	a, _ := asking(t, &questions{}, func(o *Options) { o.Routes = routeTable{} })
	for _, from := range []string{"10.0.0.1:1", "10.0.0.2:1", "10.0.0.1:2"} {
		s := to(outside)
		s.Local = netip.MustParseAddrPort(from)
		e := diagnosis.Evidence{Now: time.Now(), Socket: s, Conntrack: diagnosis.Conntrack{Err: syscall.EPERM}}
		if a.AskRoute(t.Context(), &e); e.Route == nil || e.Route.Src != s.Local.Addr() || e.Route.Dst != outside.Addr() {
			t.Errorf("from %s: %+v", from, e.Route)
		}
	}
}

// TestWhatConntrackSaidStandsForAWhile: for two ages of an answer, while it
// fails.
func TestWhatConntrackSaidStandsForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := to(service)
		q := &questions{entries: map[flow.Tuple]flow.Translation{s.Tuple(): entryOf(s)}}
		a, m := asking(t, q, nil)
		e := one(t, a, diagnosis.Evidence{Socket: s}, 0)
		if e.Conntrack.Entry == nil || e.Conntrack.Unanswered || a.Unanswered() || a.ConntrackFails() || !a.Health(time.Now())[0].Up {
			t.Fatalf("%+v, health %+v", e.Conntrack, a.Health(time.Now()))
		}
		q.err = syscall.ENOBUFS
		time.Sleep(59 * time.Second)
		e = one(t, a, e, 0)
		if e.Conntrack.Entry == nil || !e.Conntrack.Unanswered || !a.Unanswered() || !a.ConntrackFails() {
			t.Errorf("after one age and more: %+v", e.Conntrack)
		}
		if h := a.Health(time.Now())[0]; h.Up || h.Detail != syscall.ENOBUFS.Error() {
			t.Errorf("health %+v", h)
		}
		time.Sleep(2 * time.Second)
		if e = one(t, a, e, 0); e.Conntrack.Entry != nil || e.Conntrack.Err == nil || !e.Conntrack.Unanswered {
			t.Errorf("after two ages: %+v", e.Conntrack)
		}
		q.err = nil
		if e = one(t, a, e, 0); e.Conntrack.Entry == nil || e.Conntrack.Unanswered || a.ConntrackFails() {
			t.Errorf("once it answers again: %+v", e.Conntrack)
		}
		if m.asked[flow.SourceConntrack] != 4 || m.failed[flow.SourceConntrack] != 2 {
			t.Errorf("measured: %d asked, %d failed; want 4 and 2", m.asked[flow.SourceConntrack], m.failed[flow.SourceConntrack])
		}
	})
}

func TestConntrackThatIsDownSaysWhy(t *testing.T) {
	a, _ := asking(t, nil, func(o *Options) { o.ConntrackDown = "not permitted" })
	e := one(t, a, diagnosis.Evidence{Socket: to(service)}, 0)
	if e.Conntrack.Err == nil || e.Conntrack.Err.Error() != "not permitted" || a.Unanswered() {
		t.Errorf("%+v", e.Conntrack)
	}
	if h := a.Health(time.Now())[0]; h.Up || h.Detail != "not permitted" {
		t.Errorf("health %+v", h)
	}
}

// TestATranslationIsLearntFromAFlow: of a Service's client, not from one that
// was accepted.
func TestATranslationIsLearntFromAFlow(t *testing.T) {
	s := to(service)
	opened := entryOf(s)
	for name, c := range map[string]struct {
		socket flow.Socket
		entry  flow.Translation
		want   bool
	}{
		"a client of a Service":   {s, opened, true},
		"an entry that is plain":  {s, flow.Translation{Asked: s.Tuple(), Orig: s.Tuple(), Reply: s.Tuple().Reverse()}, false},
		"no client of a Service":  {to(outside), flow.Translation{Asked: to(outside).Tuple(), Orig: to(outside).Tuple(), Reply: opened.Reply}, false},
		"accepted, masqueraded":   {s, flow.Translation{Asked: s.Tuple(), Orig: flow.Tuple{Src: outside, Dst: server}, Reply: s.Tuple()}, false},
		"accepted, a plain entry": {s, flow.Translation{Asked: s.Tuple(), Orig: s.Tuple().Reverse(), Reply: s.Tuple()}, false},
	} {
		t.Run(name, func(t *testing.T) {
			a, _ := asking(t, &questions{entries: map[flow.Tuple]flow.Translation{c.socket.Tuple(): c.entry}}, nil)
			if e := one(t, a, diagnosis.Evidence{Socket: c.socket}, 0); e.Translates != c.want {
				t.Errorf("translates %v, want %v", e.Translates, c.want)
			}
		})
	}
}

// TestTheBackendOfAFlow: where its packets really go, as far as the records
// speak of these addresses.
func TestTheBackendOfAFlow(t *testing.T) {
	nested := to(server)
	nested.Local = netip.MustParseAddrPort("172.17.0.2:5555")
	host := nested
	host.NetNS = hostNetNS
	s := to(service)
	for name, c := range map[string]struct {
		socket flow.Socket
		entry  bool
		before diagnosis.Evidence
		pod    string
		state  flow.BackendState
	}{
		"translated":                           {s, true, diagnosis.Evidence{}, "cart-1", flow.BackendListed},
		"straight to it":                       {to(server), false, diagnosis.Evidence{}, "cart-1", flow.BackendListed},
		"from a namespace that is not related": {nested, false, diagnosis.Evidence{}, "", flow.BackendUnknown},
		"from one that was":                    {nested, false, diagnosis.Evidence{Related: true}, "cart-1", flow.BackendListed},
		"from the host":                        {host, false, diagnosis.Evidence{}, "cart-1", flow.BackendListed},
	} {
		t.Run(name, func(t *testing.T) {
			q := &questions{entries: map[flow.Tuple]flow.Translation{}}
			if c.entry {
				q.entries[c.socket.Tuple()] = entryOf(c.socket)
			}
			a, _ := asking(t, q, nil)
			c.before.Socket = c.socket
			e := one(t, a, c.before, 0)
			if e.Backend.Pod != c.pod || e.Backend.State != c.state || e.Backend.Addr != server {
				t.Errorf("backend %+v", e.Backend)
			}
		})
	}
}

// TestAPeerWithoutServiceIsNamedByTheOneThatListsIt: a client may go straight to
// a backend.
func TestAPeerWithoutServiceIsNamedByTheOneThatListsIt(t *testing.T) {
	a, _ := asking(t, &questions{}, nil)
	e := one(t, a, diagnosis.Evidence{Socket: to(server)}, 0)
	if e.Service != nil || e.Peer.Namespace != "shop" || e.Peer.Service != "cart" || e.Peer.Class != flow.PeerPod {
		t.Errorf("peer %+v", e.Peer)
	}
	if ns, name := listedBy(cluster.Backend{Services: []string{"shop/cart", "shop/basket"}}); ns != "" || name != "" {
		t.Errorf("named by %s/%s, and two list it", ns, name)
	}
}

// TestNamespacesAreLookedForOnceBetweenScans: within the budget of the scans.
func TestNamespacesAreLookedForOnceBetweenScans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		a, _ := asking(t, &questions{}, func(o *Options) { o.Names.Places = pods{looks: &looks} })
		known := many(20)
		gather(t.Context(), a, known, 0)
		if gather(t.Context(), a, known, 0); looks != 1 {
			t.Errorf("%d looks at all processes for one namespace, want 1", looks)
		}
		a.Scanned()
		if gather(t.Context(), a, known, 0); looks != 2 {
			t.Errorf("%d looks after another file scan, want 2", looks)
		}
		a.Scanned()
		a.o.Scans.Charge(time.Minute, time.Now())
		if gather(t.Context(), a, known, 0); looks != 2 {
			t.Errorf("%d looks, and the budget is used up", looks)
		}
	})
}

// TestARouteIsAskedForOnce: for 5 s, and the flows to one address share it.
func TestARouteIsAskedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		a, m := asking(t, &questions{}, func(o *Options) { o.Routes = routeTable{&asked} })
		ask := func() {
			for range 3 {
				e := diagnosis.Evidence{Now: time.Now(), Socket: to(outside), Conntrack: diagnosis.Conntrack{Err: syscall.EPERM}}
				if a.Deepen(t.Context(), &e); e.Route == nil || e.RouteAt.IsZero() {
					t.Errorf("route %v, asked for at %v", e.Route, e.RouteAt)
				}
			}
		}
		ask()
		time.Sleep(routeAge)
		ask()
		if asked != 1 {
			t.Errorf("asked %d times in 5 s", asked)
		}
		time.Sleep(time.Second)
		ask()
		if asked != 2 || m.asked[flow.SourceRoute] != 2 {
			t.Errorf("asked %d times, measured %d; want 2", asked, m.asked[flow.SourceRoute])
		}
	})
}

// TestProcessesShareAnAnswer: for half a second; that one is gone is no failure.
func TestProcessesShareAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &processesOf{}
		a, m := asking(t, &questions{}, func(o *Options) { o.Names.Owners = p })
		known := many(20)
		for k := range known {
			known[k].Socket.PID, known[k].Socket.Started = 4711, time.Hour
		}
		for _, e := range gather(t.Context(), a, known, 0) {
			if !e.Local.Exited {
				t.Errorf("process %+v, and it is gone", e.Local)
			}
		}
		if p.asked != 1 || m.failed[flow.SourceOwner] != 0 {
			t.Errorf("asked %d times, %d failed", p.asked, m.failed[flow.SourceOwner])
		}
		time.Sleep(ownerAge)
		if gather(t.Context(), a, known, 0); p.asked != 2 {
			t.Errorf("asked %d times, want once more after half a second", p.asked)
		}
	})
}

// TestAnOpenProcIsLookedAtNowAndThen: one that is closed is looked at in each round, so
// that it is soon known to be open again.
func TestAnOpenProcIsLookedAtNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &processesOf{}
		a, _ := asking(t, &questions{}, func(o *Options) { o.Names.Owners = p })
		time.Sleep(time.Hour)
		rounds := func(n int) (h flow.Health, checks int) {
			before := p.checks
			for range n {
				time.Sleep(5 * time.Second)
				h = a.Health(time.Now())[2]
			}
			return h, p.checks - before
		}
		if h, checks := rounds(12); !h.Up || checks != 2 {
			t.Errorf("open: health %+v, %d looks in a minute, want 2", h, checks)
		}
		p.closed = owner.ErrHidden
		if h, checks := rounds(12); h.Up || checks < 6 {
			t.Errorf("closed: health %+v, %d looks in a minute, want one in each round after the first half minute", h, checks)
		}
		p.closed = nil
		if h, _ := rounds(1); !h.Up || !h.LastSync.Equal(time.Now()) {
			t.Errorf("open again: health %+v", h)
		}
	})
}

// TestHiddenProcessesAreADegradedSource: for a minute after one was hidden.
func TestHiddenProcessesAreADegradedSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &processesOf{}
		a, _ := asking(t, &questions{}, func(o *Options) { o.Names.Owners = p })
		up := func() flow.Health { return a.Health(time.Now())[2] }
		time.Sleep(time.Hour)
		shown := time.Now()
		if !up().Up {
			t.Errorf("health %+v", up())
		}
		p.hidden = true
		s := to(service)
		s.PID = 9
		time.Sleep(time.Second)
		one(t, a, diagnosis.Evidence{Socket: s}, 0)
		if h := up(); h.Up || !h.LastSync.Equal(shown) {
			t.Errorf("health %+v, want it down since %v", h, shown)
		}
		time.Sleep(hiddenFor)
		if !up().Up {
			t.Errorf("health %+v a minute later", up())
		}
	})
}
