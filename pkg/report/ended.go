package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

// Ended writes the flows that have ended on a node, latest first: cause, owner, end,
// and losses. since is the earliest end that was asked for; zero: all that the agent
// still has.
func Ended(w io.Writer, v View, since time.Time, width int) error {
	var b strings.Builder
	b.WriteString(wrap(endedSummary([]View{v}, v.Now, since), width, 4) + "\n")
	if len(v.Flows) > 0 {
		b.WriteByte('\n')
		v.endedCards(&b, width)
	}
	_, err := io.WriteString(w, phrase.Text(b.String()))
	return err
}

// EndedWide is Ended with one line for each flow, in columns without spaces.
func EndedWide(w io.Writer, v View, since time.Time, width int) error {
	return endedWide(w, []View{v}, v.Now, since, width, false)
}

func endedWide(w io.Writer, views []View, now, since time.Time, width int, node bool) error {
	var b strings.Builder
	b.WriteString(wrap(endedSummary(views, now, since), width, 4) + "\n\n")
	columns := endedColumns
	if node {
		columns = withNode(columns)
	}
	tabulate(&b, columns, now, views...)
	_, err := io.WriteString(w, phrase.Text(b.String()))
	return err
}

// endedSummary counts the flows by how they ended, and says what they lost and since
// when ends are known.
func endedSummary(views []View, now, since time.Time) string {
	var words []string
	outcomes := map[string]int{}
	var unsent, unacknowledged uint64
	total := 0
	for _, v := range views {
		for _, f := range v.Flows {
			total++
			outcomes[outcome(f)]++
			if f.Outcome != flow.Recovered {
				unsent += uint64(f.Unsent)
				unacknowledged += uint64(f.Unacknowledged)
			}
		}
	}
	where := cmp.Or(views[0].Node, "this node")
	if len(views) > 1 {
		where = phrase.Count(len(views), "node", "nodes")
	}
	for _, o := range append(flow.Outcomes(), unseen) {
		if n := outcomes[string(o)]; n > 0 {
			words = append(words, fmt.Sprintf("%s %s", phrase.Number(n), o))
		}
	}
	says := fmt.Sprintf("%s ended on %s", phrase.Count(total, "finding", "findings"), where)
	if total == 0 {
		says = "No finding ended on " + where
	}
	if since.IsZero() {
		says += " by " + phrase.Zoned(now, now)
	} else {
		says += " between " + phrase.Time(since, now) + " and " + phrase.Zoned(now, now)
	}
	if total > 0 {
		says += ": " + strings.Join(words, ", ") + "; " + sum(unsent, unacknowledged)
	}
	return says + ". " + memory(views, now)
}

// unseen says how a flow ended whose end was not seen.
const unseen flow.Outcome = "ended unseen"

func outcome(f flow.Finding) string { return string(cmp.Or(f.Outcome, unseen)) }

// memory says what cannot be known.
func memory(views []View, now time.Time) string {
	last := slices.MaxFunc(views, func(a, b View) int { return a.Started.Compare(b.Started) }).Started
	switch {
	case last.IsZero():
		return "The latest 1,000 are kept, none from before the agent started."
	case len(views) == 1:
		return "The latest 1,000 are kept, none from before the agent started at " + phrase.Time(last, now) + "."
	}
	return "Each agent keeps the latest 1,000, none from before it started; the last did at " + phrase.Time(last, now) + "."
}

func sum(unsent, unacknowledged uint64) string {
	if unsent+unacknowledged == 0 {
		return "nothing lost"
	}
	return fmt.Sprintf("%s lost for certain, %s perhaps", phrase.Bytes(unsent), phrase.Bytes(unacknowledged))
}

func (v View) endedCards(b *strings.Builder, width int) {
	indent := 0
	for _, f := range v.Flows {
		indent = max(indent, len(f.ID.String())+2)
	}
	for _, f := range v.Flows[:min(len(v.Flows), rowsPerGroup)] {
		r := NewRow(f, v.Now)
		fmt.Fprintf(b, "%-*s%s\n%*s%s\n", indent, r.ID, pack(path(f, r), " ", width, indent),
			indent, "", pack([]string{r.lasted(), ended(f, v.Now), endedLoss(f)}, " · ", width, indent))
	}
	if more := len(v.Flows) - rowsPerGroup; more > 0 {
		fmt.Fprintf(b, "%*s… and %s more (-o wide lists all)\n", indent, "", phrase.Number(more))
	}
}

func endedLoss(f flow.Finding) string {
	if f.Outcome == flow.Recovered || f.Unsent == 0 && f.Unacknowledged == 0 {
		return "nothing lost"
	}
	return truncated(f)
}
