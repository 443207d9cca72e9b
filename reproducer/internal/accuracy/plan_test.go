package accuracy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// The kinds' functions are no part of what is compared.
var plain = cmpopts.IgnoreFields(Kind{}, "play")

func TestPlanIsTheSeeds(t *testing.T) {
	long, again, other := NewPlan(7, 2000, Kinds()), NewPlan(7, 2000, Kinds()), NewPlan(8, 2000, Kinds())
	if diff := cmp.Diff(long, again, plain); diff != "" {
		t.Errorf("the same seed gives another plan:\n%s", diff)
	}
	if cmp.Equal(long, other, plain) {
		t.Error("another seed gives the same plan")
	}
	short := NewPlan(7, 300, Kinds())
	if diff := cmp.Diff(long.Rounds[:len(short.Rounds)], short.Rounds); diff != "" {
		t.Errorf("a longer plan does not begin like a shorter one:\n%s", diff)
	}
	if diff := cmp.Diff(long.Rounds[4], newRound(7, 5, Kinds())); diff != "" {
		t.Errorf("a round by itself is another one:\n%s", diff)
	}
}

// TestAlone: a round by itself is that of every plan that reaches it.
func TestAlone(t *testing.T) {
	long := NewPlan(7, 2000, Kinds()).Rounds
	for _, what := range []string{"5", "5/" + long[4].Acts[2].Name, "5/" + long[4].Acts[2].Name + "/1.5"} {
		p, err := Alone(7, what, Kinds())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Plan{Seed: 7, Rounds: long[4:5]}, p); diff != "" {
			t.Errorf("%s:\n%s", what, diff)
		}
	}
	for _, what := range []string{"", "0", "-2/x", "10001", "5/nosuch", "5/" + long[4].Acts[2].Name + "/x"} {
		if p, err := Alone(7, what, Kinds()); err == nil {
			t.Errorf("%q was taken: %v", what, p)
		}
	}
}

// TestHas: an act may have fewer connections than a caller asks for.
func TestHas(t *testing.T) {
	r := Result{Scores: []Score{{Label: Label{Flow: "5/calico-3/1.5"}}}}
	for only, want := range map[string]bool{"": true, "5": true, "5/calico-3": true, "5/calico-3/1.5": true, "5/calico-3/1.6": false} {
		if r.Has(only) != want {
			t.Errorf("%q: got %v", only, !want)
		}
	}
}

// TestPlanLeavesNothingOut: five seeds have enough of everything.
func TestPlanLeavesNothingOut(t *testing.T) {
	const atLeast = 50
	flows, total := map[string]int{}, 0
	for seed := range uint64(5) {
		p := NewPlan(seed+1, 2000, Kinds())
		if n := p.Flows(); n < 2000 {
			t.Errorf("seed %d: %d flows", seed+1, n)
		}
		turns := map[Turn]int{}
		for _, r := range p.Rounds {
			turns[r.Turn]++
			alone := map[string]int{}
			for _, a := range r.Acts {
				flows[a.Kind] += a.Flows
				total += a.Flows
				alone[a.Kind]++
			}
			for _, k := range Kinds() {
				if k.Alone && alone[k.Name] > 1 {
					t.Errorf("seed %d, round %d: %s comes %d times", seed+1, r.Number, k.Name, alone[k.Name])
				}
			}
		}
		if turns[Steady] == 0 || turns[Outage] == 0 || turns[Restart]+turns[Kill] == 0 {
			t.Errorf("seed %d: turns %v", seed+1, turns)
		}
	}
	for _, k := range Kinds() {
		if flows[k.Name] < atLeast {
			t.Errorf("%s: %d flows in five seeds", k.Name, flows[k.Name])
		}
	}
	if total < 10_000 {
		t.Errorf("%d flows in five seeds", total)
	}
}

// TestNobodyIsReplacedWhileTheRecordsAreBelieved: in an outage, an act whose
// peer changes once more begins when the agent no longer trusts the records.
func TestNobodyIsReplacedWhileTheRecordsAreBelieved(t *testing.T) {
	later := map[string]bool{}
	for _, k := range Kinds() {
		later[k.Name] = k.Later
	}
	seen := 0
	for seed := range uint64(20) {
		for _, r := range NewPlan(seed, 2000, Kinds()).Rounds {
			for _, a := range r.Acts {
				if r.Turn != Outage || !later[a.Kind] {
					continue
				}
				seen++
				if a.At < mutedBy {
					t.Errorf("seed %d, round %d: %s begins at %v, the records are believed until %v", seed, r.Number, a.Name, a.At, mutedBy)
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no such act in any outage")
	}
}
