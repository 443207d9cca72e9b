package exporter

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func at(namespace, workload string, port int) edge {
	return edge{role: "client", localNamespace: namespace, localWorkload: workload, localWorkloadKind: "Deployment", port: strconv.Itoa(port)}
}

// scan is the edges of a workload that talks to many ports, with many flows
// each.
func scan(namespace, workload string, ports int) map[edge]tally {
	all := map[edge]tally{}
	for port := range ports {
		all[at(namespace, workload, port)] = tally{flows: 100}
	}
	return all
}

func TestNobodysEdgesPushOutAnothers(t *testing.T) {
	const most = 100
	jobs := map[edge]tally{}
	for n := range 1000 {
		jobs[at("team", fmt.Sprint("job-", n), 443)] = tally{flows: 100}
	}
	hosts := scan("", "", 1000)
	for name, noise := range map[string]map[edge]tally{
		"a port scan":                       scan("team", "scanner", 1000),
		"a port scan in the same namespace": scan("shop", "scanner", 1000),
		"a namespace of many workloads":     jobs,
		"processes of the host":             hosts,
	} {
		t.Run(name, func(t *testing.T) {
			edges := maps.Clone(noise)
			alerts := []edge{at("shop", "web", 5432), at("shop", "web", 6379), at("shop", "mail", 25), at("bank", "core", 5432), {role: "server", localNamespace: "bank", port: "8443"}}
			for _, e := range alerts {
				edges[e] = tally{flows: 1}
			}
			kept, folded := limit(edges, nil, most)
			for _, e := range alerts {
				if _, ok := kept[e]; !ok {
					t.Errorf("%+v lost its name", e)
				}
			}
			if len(kept) != most || len(folded) != len(edges)-most {
				t.Errorf("%d are kept and %d folded of %d, want %d kept", len(kept), len(folded), len(edges), most)
			}
		})
	}
}

// While edges come and go and grow, one that has its name keeps it unless its
// own workload is over its share.
func TestNoEdgeFlaps(t *testing.T) {
	const seed, most = 20261128, 40
	random := rand.New(rand.NewPCG(seed, seed))
	edges, named := map[edge]tally{}, map[edge]tally{}
	for scrape := range 300 {
		for range random.IntN(30) {
			edges[at(fmt.Sprint(random.IntN(4)), fmt.Sprint(random.IntN(3)), random.IntN(12))] = tally{flows: 1 + random.IntN(50)}
		}
		for e := range edges {
			if random.IntN(8) == 0 {
				delete(edges, e)
			}
		}
		kept, folded := limit(edges, named, most)
		again, _ := limit(edges, kept, most)
		if diff := cmp.Diff(kept, again, cmp.AllowUnexported(edge{}, tally{})); diff != "" {
			t.Fatalf("scrape %d: the next one, of the same, differs: -this +next\n%s", scrape, diff)
		}
		if len(kept)+len(folded) != len(edges) || len(kept) != min(most, len(edges)) {
			t.Fatalf("scrape %d: %d kept and %d folded of %d", scrape, len(kept), len(folded), len(edges))
		}
		for _, e := range folded {
			if _, had := named[e]; had && count(kept, e) >= holding(named, edges, e) {
				t.Fatalf("scrape %d: %+v lost its name to another of its workload", scrape, e)
			}
			for other := range kept {
				if other.localNamespace == e.localNamespace && count(kept, other) > count(kept, e)+1 {
					t.Fatalf("scrape %d: of %+v %d are kept, of its neighbour %+v %d", scrape, e, count(kept, e), other, count(kept, other))
				}
			}
		}
		named = kept
	}
}

// count is how many edges of e's workload there are.
func count(edges map[edge]tally, of edge) (n int) {
	for e := range edges {
		if e.localNamespace == of.localNamespace && e.localWorkload == of.localWorkload {
			n++
		}
	}
	return n
}

// holding is how many of those that were named are still there.
func holding(named, edges map[edge]tally, of edge) int {
	still := maps.Clone(named)
	maps.DeleteFunc(still, func(e edge, _ tally) bool { _, ok := edges[e]; return !ok })
	return count(still, of)
}

func TestAllot(t *testing.T) {
	for _, c := range []struct {
		name   string
		claims []claim
		places int
		want   map[string]int
	}{
		{"nobody", nil, 5, map[string]int{}},
		{"enough for all", []claim{{"a", 3, 0}, {"b", 1, 0}}, 5, map[string]int{"a": 3, "b": 1}},
		{"exactly enough", []claim{{"a", 4, 0}, {"b", 1, 0}}, 5, map[string]int{"a": 4, "b": 1}},
		{"the greedy one gives", []claim{{"a", 100, 99}, {"b", 2, 0}, {"c", 1, 0}}, 10, map[string]int{"a": 7, "b": 2, "c": 1}},
		{"equals", []claim{{"b", 9, 0}, {"a", 9, 0}}, 4, map[string]int{"a": 2, "b": 2}},
		{"one left, for who wants least", []claim{{"a", 9, 0}, {"b", 8, 0}}, 5, map[string]int{"a": 2, "b": 3}},
		{"one left, for who holds it", []claim{{"a", 9, 3}, {"b", 8, 2}}, 5, map[string]int{"a": 3, "b": 2}},
		{"fewer places than claims", []claim{{"a", 9, 0}, {"b", 9, 9}, {"c", 9, 0}}, 1, map[string]int{"a": 0, "b": 1, "c": 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, allot(c.claims, c.places)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
