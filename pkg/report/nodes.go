package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

// Plugin is the name of the command for many nodes.
const Plugin = "kubectl tcpstuck"

// DumpNodes is Dump of the nodes that answered, of so many that were asked: a summary
// of all, then the rows node by node.
func DumpNodes(w io.Writer, views []View, asked int, now time.Time, width int) error {
	return dumpNodes(w, views, asked, now, width, func(b *strings.Builder) {
		for _, v := range views {
			if len(v.Flows) > 0 {
				fmt.Fprintf(b, "\n%s:\n", v.Node)
				v.cards(b, Summarize(v.Flows), width)
			}
		}
	})
}

// DumpNodesWide is DumpNodes with one line for each flow.
func DumpNodesWide(w io.Writer, views []View, asked int, now time.Time, width int) error {
	return dumpNodes(w, views, asked, now, width, func(b *strings.Builder) {
		if flowsOf(views) > 0 {
			b.WriteByte('\n')
			tabulate(b, withNode(liveColumns), now, views...)
		}
	})
}

func flowsOf(views []View) int {
	n := 0
	for _, v := range views {
		n += len(v.Flows)
	}
	return n
}

func dumpNodes(w io.Writer, views []View, asked int, now time.Time, width int, rows func(*strings.Builder)) error {
	var b strings.Builder
	var flows []flow.Finding
	suspects, counted := 0, map[flow.Suppression]int{}
	for _, v := range views {
		flows = append(flows, v.Flows...)
		suspects += v.Suspects
		for reason, n := range v.Counted {
			counted[reason] += n
		}
	}
	groups := Summarize(flows)
	summary(&b, groups, now, width)
	rows(&b)
	b.WriteByte('\n')
	if len(groups) > 0 {
		first := groups[0].Findings[0]
		fmt.Fprintf(&b, "The story and the cure of one: %s explain %s --nodes %s\n", Plugin, first.ID, first.Node)
	}
	if watched := Watched(suspects, counted, Plugin); watched != "" {
		b.WriteString(wrap(watched, width, 4) + "\n")
	}
	b.WriteString(wrap(sourcesOf(views, asked, now), width, 4) + "\n")
	_, err := io.WriteString(w, phrase.Text(b.String()))
	return err
}

// sourcesOf names the nodes, and of each the sources that cannot be trusted.
func sourcesOf(views []View, asked int, now time.Time) string {
	var degraded []string
	for _, v := range views {
		var down []flow.Health
		for _, h := range v.Sources {
			if !h.Up {
				down = append(down, h)
			}
		}
		if len(down) > 0 {
			degraded = append(degraded, v.Node+": "+strings.TrimSuffix(strings.TrimPrefix(Sources(down, now), "Sources: "), "."))
		}
	}
	answered := phrase.Count(len(views), "node", "nodes")
	if len(views) < asked {
		answered = fmt.Sprintf("%s of %s", phrase.Number(len(views)), phrase.Count(asked, "node", "nodes"))
	}
	says := fmt.Sprintf("%s answered at %s: %s. ", answered, phrase.Zoned(now, now), someNodes(views))
	if len(degraded) == 0 {
		return says + "All sources ok."
	}
	return says + "Sources: " + strings.Join(degraded, "; ") + "."
}

// someNodes names the nodes while they are few.
func someNodes(views []View) string {
	return phrase.Some(len(views), 10, func(n int) string { return views[n].Node })
}

// EndedNodes is Ended of several nodes.
func EndedNodes(w io.Writer, views []View, now, since time.Time, width int) error {
	var b strings.Builder
	b.WriteString(wrap(endedSummary(views, now, since), width, 4) + "\n")
	for _, v := range views {
		if len(v.Flows) > 0 {
			fmt.Fprintf(&b, "\n%s:\n", v.Node)
			v.endedCards(&b, width)
		}
	}
	_, err := io.WriteString(w, phrase.Text(b.String()))
	return err
}

// EndedNodesWide is EndedNodes with one line for each flow.
func EndedNodesWide(w io.Writer, views []View, now, since time.Time, width int) error {
	return endedWide(w, views, now, since, width, true)
}
