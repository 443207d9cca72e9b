package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

// Group is the findings that are stuck at one destination for one cause.
type Group struct {
	Cause    flow.Cause
	Findings []*flow.Finding

	destination string
}

// Summarize groups the live findings that are not suppressed, worst first: most
// flows, then the soonest abort deadline.
func Summarize(fs []flow.Finding) []Group {
	type key struct {
		destination string
		cause       flow.Cause
	}
	var groups []Group
	index := make(map[key]int)
	for n := range fs {
		f := &fs[n] // a finding is large, and a storm has thousands
		if f.Ended() || f.Suppressed != "" {
			continue
		}
		k := key{destination(*f), f.Cause}
		i, ok := index[k]
		if !ok {
			i = len(groups)
			index[k] = i
			groups = append(groups, Group{Cause: f.Cause, destination: k.destination})
		}
		groups[i].Findings = append(groups[i].Findings, f)
	}
	for _, g := range groups {
		slices.SortStableFunc(g.Findings, func(a, b *flow.Finding) int { return sooner(a.GivesUp, b.GivesUp) })
	}
	slices.SortStableFunc(groups, func(a, b Group) int {
		return cmp.Or(
			cmp.Compare(len(b.Findings), len(a.Findings)),
			sooner(a.Findings[0].GivesUp, b.Findings[0].GivesUp),
			strings.Compare(a.destination, b.destination),
			strings.Compare(string(a.Cause), string(b.Cause)),
		)
	})
	return groups
}

// sooner orders abort deadlines: known times, never, not known.
func sooner(a, b flow.GivesUp) int {
	rank := func(g flow.GivesUp) int {
		switch {
		case !g.Known():
			return 2
		case g.Never:
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), a.At.Compare(b.At))
}

// Line says the group in one line: number, owners, destination, deadline.
func (g Group) Line(now time.Time) string {
	first := g.Findings[0]
	arrow := "→"
	if first.Role == flow.Server {
		arrow = "←"
	}
	line := fmt.Sprintf("%s of %s %s %s", phrase.Count(len(g.Findings), "flow", "flows"), g.owners(), arrow, g.destination)
	if first.Backend != nil {
		since := ""
		if !first.Backend.Since.IsZero() {
			since = phrase.Time(first.Backend.Since, now)
		}
		line += parens(backend(*first, since))
	}
	return line + g.until(now)
}

// Why says the cause, and the Services and symptoms that it shows.
func (g Group) Why() string {
	var services, symptoms distinct
	for _, f := range g.Findings {
		if f.Peer.Service != "" {
			services.add(peer(f.Peer))
		}
		symptoms.add(string(f.Symptom))
	}
	parts := append(services.list, strings.Join(symptoms.list, ", "), string(g.Cause))
	return strings.Join(parts, " · ") + ": " + diagnosis.Meaning(g.Cause)
}

func (g Group) owners() string {
	var owners distinct
	for _, f := range g.Findings {
		owners.add(workload(f.Local))
	}
	if len(owners.list) == 1 {
		return owners.list[0]
	}
	return phrase.Count(len(owners.list), "workload", "workloads")
}

func (g Group) until(now time.Time) string {
	first, many := g.Findings[0].GivesUp, len(g.Findings) > 1
	switch {
	case !first.Known():
		return ""
	case first.Never && many:
		return ", none ever gives up"
	case first.Never:
		return ", never gives up"
	}
	says := ", gives up in "
	if many {
		says = ", first gives up in "
	}
	return says + phrase.Duration(first.At.Sub(now))
}

// workload names what an operator deploys, or the process.
func workload(l flow.Local) string {
	switch {
	case l.Workload != "":
		return l.Namespace + "/" + l.Workload
	case l.Pod != "":
		return l.Namespace + "/" + l.Pod
	}
	return cmp.Or(l.Comm, "an unknown process")
}

// distinct holds strings, each once, in the order in which they came.
type distinct struct {
	list []string
	seen map[string]struct{}
}

func (d *distinct) add(s string) {
	if _, twice := d.seen[s]; twice {
		return
	}
	if d.seen == nil {
		d.seen = map[string]struct{}{}
	}
	d.seen[s] = struct{}{}
	d.list = append(d.list, s)
}
