package cluster

import (
	"fmt"
	"testing"
	"time"
)

func claimOf(namespace, pod string) *claim {
	c := &claim{}
	c.add(&listing{slice: &slice{Slice: Slice{Namespace: namespace}}, ep: Endpoint{Pod: pod, PodUID: "u"}}, time.Time{})
	return c
}

// TestACrowdOfClaimsIsNotSearched counts what is looked at instead of timing
// it: past a crowd nothing is found by going through the others.
func TestACrowdOfClaimsIsNotSearched(t *testing.T) {
	const many = 10 * crowd
	var s claims
	var all []*claim
	for n := range many {
		c := claimOf("attacker", fmt.Sprint(n))
		s.put(c)
		all = append(all, c)
		if len(s.few) > crowd {
			t.Fatalf("%d claims in a row", len(s.few))
		}
	}
	quiet := claimOf("shop", "db-0")
	s.put(quiet)
	if got := s.all(); len(got) != 1 || got[0] != quiet {
		t.Errorf("%d claims count, want the modest namespace's", len(got))
	}
	if got := s.in("attacker"); len(got) != 0 {
		t.Errorf("%d claims of the crowd count", len(got))
	}
	for _, c := range all {
		if s.get(c.pod()) != c {
			t.Fatalf("%s is lost", c.pod())
		}
		s.drop(c.pod(), c)
	}
	s.drop(quiet.pod(), quiet)
	if !s.empty() || s.rooms != nil {
		t.Error("the crowd left something behind")
	}
}

func TestACrowdOfListingsIsNotSearched(t *testing.T) {
	c := &claim{}
	all := make([]listing, 10*crowd)
	for n := range all {
		all[n].slice = &slice{}
		c.add(&all[n], time.Time{})
	}
	looked := 0
	c.each(func(*listing) bool { looked++; return true })
	if looked != crowd {
		t.Errorf("looked at %d listings, want %d", looked, crowd)
	}
	for n := range all {
		c.remove(&all[n], time.Time{})
	}
	if c.listings != 0 || c.first != nil || c.last != nil {
		t.Errorf("left behind: %+v", c)
	}
}
