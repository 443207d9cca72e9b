package diagnosis

import (
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// TestEveryRuleHasWords: whatever it holds for, with everything known that a rule may name.
func TestEveryRuleHasWords(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i := range table {
		r := &table[i]
		e := Evidence{
			Now: now, Socket: flow.Socket{At: now, State: flow.Established, PacketsOut: 1, Timeouts: 1, SendWindow: 1, Since: now.Add(-time.Minute)},
			Backend:   cluster.Backend{State: flow.BackendListed, Namespace: "default", Pod: "server-2", Former: &cluster.Former{Namespace: "default", Pod: "server-1"}},
			Conntrack: Conntrack{Entry: &flow.Translation{}}, Route: &flow.Route{}, Listener: &Listener{}, End: &flow.End{At: now},
		}
		if why := r.why(&e); why == "" {
			t.Errorf("rule %d (%s) does not say why", i, r.Name)
		}
		if advice := r.advice(&e); len(advice) == 0 {
			t.Errorf("rule %d (%s) has no advice", i, r.Name)
		}
	}
	if last := table[len(table)-1]; last.Name != flow.Unknown || !last.holds(&Evidence{}, "") {
		t.Errorf("the last rule is %s: it must hold for everything", last.Name)
	}
}

// TestACauseThatIsNotKnownSaysSo: a newer agent may name it.
func TestACauseThatIsNotKnownSaysSo(t *testing.T) {
	known := map[string]bool{}
	for _, c := range Causes() {
		if known[c.Meaning] = true; c.Meaning != Meaning(c.Name) {
			t.Errorf("%s means %q, and %q", c.Name, c.Meaning, Meaning(c.Name))
		}
	}
	if m := Meaning("Novel"); m == "" || known[m] {
		t.Errorf("a novel cause means %q", m)
	}
}
