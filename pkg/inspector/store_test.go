package inspector_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func TestAFindingIsComposedWhenItIsReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil)
		n.kernel.retransmits(hung())
		n.await(flow.EventStuck)
		live, all := n.store.Each(flow.Selection{Live: true, Words: true}), n.store.Each(flow.Selection{Live: true, Ended: true, Words: true})
		moved := hung()
		moved.Live = false
		n.kernel.retransmits(moved)
		n.await(flow.EventRecovered)
		if got := slices.Collect(live); len(got) != 0 {
			t.Errorf("%d findings are live, the only one has recovered", len(got))
		}
		if got := slices.Collect(all); len(got) != 1 || got[0].Outcome != flow.Recovered {
			t.Errorf("%+v, want the one that recovered meanwhile", got)
		}
	})
}

func TestFactsAreFindingsWithoutWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil)
		n.kernel.retransmits(hung())
		n.await(flow.EventStuck)
		facts, want := slices.Collect(n.store.Facts()), n.findings()
		if len(facts) != 1 || len(want) != 1 {
			t.Fatalf("%d facts, %d findings, want one", len(facts), len(want))
		}
		full := want[0]
		full.Sentence, full.Advice, full.Evidence, full.History, full.At = "", nil, nil, nil, facts[0].At
		if diff := cmp.Diff(full, facts[0], cmp.Comparer(sameAddr)); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

// A flow that was stuck before, and is again, is one flow.
func TestEachIDIsThereOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil)
		moved := hung()
		moved.Live = false
		for range 2 {
			n.kernel.retransmits(hung())
			n.await(flow.EventStuck)
			if diff := cmp.Diff([]flow.ID{hung().ID}, n.store.IDs()); diff != "" {
				t.Errorf("while it is stuck: -want +got\n%s", diff)
			}
			n.kernel.retransmits(moved)
			n.await(flow.EventRecovered)
		}
		if diff := cmp.Diff([]flow.ID{hung().ID}, n.store.IDs()); diff != "" {
			t.Errorf("once it has recovered twice: -want +got\n%s", diff)
		}
	})
}
