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

// TestManyClaimsAreNotSearched counts what is examined instead of timing it:
// above the limit, no claim is found by going through the others.
func TestManyClaimsAreNotSearched(t *testing.T) {
	const many = 10 * manyClaims
	var s claims
	var all []*claim
	for n := range many {
		c := claimOf("attacker", fmt.Sprint(n))
		s.add(c)
		all = append(all, c)
		if len(s.few) > manyClaims {
			t.Fatalf("%d claims in a list", len(s.few))
		}
	}
	quiet := claimOf("shop", "db-0")
	s.add(quiet)
	if got := s.all(); len(got) != 1 || got[0] != quiet {
		t.Errorf("%d claims count, want that of the namespace that makes few", len(got))
	}
	if got := s.in("attacker"); len(got) != 0 {
		t.Errorf("%d claims of the namespace with many count", len(got))
	}
	for _, c := range all {
		if s.get(c.pod()) != c {
			t.Fatalf("%s was lost", c.pod())
		}
		s.remove(c.pod(), c)
	}
	s.remove(quiet.pod(), quiet)
	if !s.empty() || s.byNamespace != nil {
		t.Error("something is left")
	}
}

func TestManyListingsAreNotSearched(t *testing.T) {
	c := &claim{}
	all := make([]listing, 10*manyClaims)
	for n := range all {
		all[n].slice = &slice{}
		c.add(&all[n], time.Time{})
	}
	examined := 0
	c.each(func(*listing) bool { examined++; return true })
	if examined != manyClaims {
		t.Errorf("examined %d listings, want %d", examined, manyClaims)
	}
	for n := range all {
		c.remove(&all[n], time.Time{})
	}
	if c.listings != 0 || c.first != nil || c.last != nil {
		t.Errorf("left: %+v", c)
	}
}
