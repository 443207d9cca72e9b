package exporter

import (
	"cmp"
	"slices"
	"strings"
)

// limit chooses the edges that keep their names. Namespaces share the places, and
// the workloads of a namespace share its places. So an owner with many edges
// loses names first, and the others lose none. An edge that had its name at the
// last scrape keeps it unless its workload is over its share: no series flaps.
func limit(edges, named map[edge]tally, most int) (kept map[edge]tally, folded []edge) {
	if most <= 0 || len(edges) <= most {
		return edges, nil
	}
	all := make([]candidate, 0, len(edges))
	for e, t := range edges {
		_, had := named[e]
		all = append(all, candidate{edge: e, key: strings.Join(e.values(), "\x00"), flows: t.flows, named: had})
	}
	kept = make(map[edge]tally, most)
	for _, c := range choose(all, most, namespaceOf, workloadOf) {
		kept[c.edge] = edges[c.edge]
	}
	for e := range edges {
		if _, ok := kept[e]; !ok {
			folded = append(folded, e)
		}
	}
	return kept, folded
}

// candidate is an edge that may keep its name.
type candidate struct {
	edge  edge
	key   string // orders edges
	flows int
	named bool // at the last scrape
}

func namespaceOf(e edge) string { return e.localNamespace }

func workloadOf(e edge) string { return e.localWorkloadKind + "/" + e.localWorkload }

// choose fills the places from groups, one name at a time. In the last groups, named
// edges come first, then those with many flows.
func choose(all []candidate, places int, names ...func(edge) string) []candidate {
	if len(names) == 0 {
		slices.SortFunc(all, func(a, b candidate) int {
			return cmp.Or(-compare(a.named, b.named), cmp.Compare(b.flows, a.flows), strings.Compare(a.key, b.key))
		})
		return all[:places]
	}
	byName := map[string][]candidate{}
	for _, c := range all {
		name := names[0](c.edge)
		byName[name] = append(byName[name], c)
	}
	claims := make([]claim, 0, len(byName))
	for name, group := range byName {
		claims = append(claims, claim{name: name, wants: len(group), holds: holds(group)})
	}
	var chosen []candidate
	for name, n := range allot(claims, places) {
		chosen = append(chosen, choose(byName[name], n, names[1:]...)...)
	}
	return chosen
}

func holds(group []candidate) (n int) {
	for _, c := range group {
		if c.named {
			n++
		}
	}
	return n
}

// claim is how many places a namespace or workload wants, and how many it holds.
type claim struct {
	name         string
	wants, holds int
}

// allot gives each claim what it wants, up to a share that is the same for all. The
// places that are left, fewer than there are claims, go first to claims that hold
// them, then to those that want least.
func allot(claims []claim, places int) map[string]int {
	slices.SortFunc(claims, func(a, b claim) int {
		return cmp.Or(cmp.Compare(a.wants, b.wants), strings.Compare(a.name, b.name))
	})
	given := make(map[string]int, len(claims))
	for len(claims) > 0 && claims[0].wants <= places/len(claims) { // what it leaves goes to the others
		given[claims[0].name] = claims[0].wants
		places -= claims[0].wants
		claims = claims[1:]
	}
	if len(claims) == 0 {
		return given
	}
	share, left := places/len(claims), places%len(claims)
	slices.SortStableFunc(claims, func(a, b claim) int { return -compare(a.holds > share, b.holds > share) })
	for n, c := range claims {
		given[c.name] = share
		if n < left {
			given[c.name]++
		}
	}
	return given
}

// compare orders false before true.
func compare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
