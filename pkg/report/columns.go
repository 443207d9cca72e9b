package report

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

// column is one column of the wide tables. Its value may have spaces, or be empty if it is not
// known: the table puts "_" and "-" there, for awk and cut.
type column struct {
	title string
	value func(f *flow.Finding, now time.Time) string
}

// The columns by name. A table is a list of them.
var (
	columnID       = column{"ID", func(f *flow.Finding, _ time.Time) string { return f.ID.String() }}
	columnNode     = column{"NODE", func(f *flow.Finding, _ time.Time) string { return f.Node }}
	columnRole     = column{"ROLE", func(f *flow.Finding, _ time.Time) string { return string(f.Role) }}
	columnOwner    = column{"OWNER", func(f *flow.Finding, _ time.Time) string { return namespaced(f.Local.Namespace, f.Local.Pod) }}
	columnWorkload = column{"WORKLOAD", func(f *flow.Finding, _ time.Time) string { return namespaced(f.Local.WorkloadKind, f.Local.Workload) }}
	columnProcess  = column{"PROCESS", func(f *flow.Finding, _ time.Time) string { return phrase.Process(f.Local.Comm, f.Local.PID) }}
	columnLocal    = column{"LOCAL", func(f *flow.Finding, _ time.Time) string { return f.Local.Addr.String() }}
	columnPeer     = column{"PEER", func(f *flow.Finding, _ time.Time) string { return peerColumn(f.Peer) }}
	columnBackend  = column{"BACKEND", ofBackend(func(b *flow.Backend) string { return b.Addr.String() })}
	columnPod      = column{"POD", ofBackend(func(b *flow.Backend) string { return b.Pod })}
	columnState    = column{"STATE", ofBackend(func(b *flow.Backend) string { return string(b.State) })}
	columnSymptom  = column{"SYMPTOM", func(f *flow.Finding, _ time.Time) string { return string(f.Symptom) }}
	columnCause    = column{"CAUSE", func(f *flow.Finding, _ time.Time) string { return string(f.Cause) }}
	columnAge      = column{"AGE", func(f *flow.Finding, now time.Time) string { return phrase.Duration(age(*f, now)) }}
	columnStuckFor = column{"STUCK-FOR", stuckFor}
	columnUnacked  = column{"UNACKED", func(f *flow.Finding, _ time.Time) string { return number(f.Unacknowledged) }}
	columnUnsent   = column{"UNSENT", func(f *flow.Finding, _ time.Time) string { return number(f.Unsent) }}
	columnTimeouts = column{"TIMEOUTS", func(f *flow.Finding, _ time.Time) string { return strconv.Itoa(f.Timeouts) }}
	columnGivesUp  = column{"GIVES-UP", givesUpColumn}
	columnOutcome  = column{"OUTCOME", func(f *flow.Finding, _ time.Time) string { return string(f.Outcome) }}
	columnError    = column{"ERROR", func(f *flow.Finding, _ time.Time) string { return f.Err }}
	columnEnded    = column{"ENDED", func(f *flow.Finding, _ time.Time) string { return phrase.Stamp(f.EndedAt) }}
)

// liveColumns are those of dump -o wide, endedColumns those of dump --ended -o wide.
var (
	liveColumns = []column{
		columnID, columnRole, columnOwner, columnWorkload, columnProcess, columnLocal, columnPeer, columnBackend, columnPod,
		columnState, columnSymptom, columnCause, columnAge, columnUnacked, columnUnsent, columnTimeouts, columnGivesUp, columnOutcome,
	}
	endedColumns = []column{
		columnID, columnRole, columnOwner, columnWorkload, columnProcess, columnLocal, columnPeer, columnBackend, columnPod,
		columnSymptom, columnCause, columnStuckFor, columnOutcome, columnError, columnEnded, columnUnsent, columnUnacked,
	}
)

// withNode returns the columns of a table about many nodes.
func withNode(columns []column) []column { return append([]column{columnNode}, columns...) }

// tabulate writes a line of titles, and one line for each flow of each node.
func tabulate(b *strings.Builder, columns []column, now time.Time, views ...View) {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	row := make([]string, len(columns))
	for n, c := range columns {
		row[n] = c.title
	}
	_, _ = fmt.Fprintln(t, strings.Join(row, "\t"))
	for _, v := range views {
		for i := range v.Flows {
			for n, c := range columns {
				row[n] = cmp.Or(strings.ReplaceAll(c.value(&v.Flows[i], now), " ", "_"), "-")
			}
			_, _ = fmt.Fprintln(t, strings.Join(row, "\t"))
		}
	}
	_ = t.Flush()
}

func namespaced(namespace, name string) string {
	if name == "" {
		return ""
	}
	return namespace + "/" + name
}

func peerColumn(p flow.Peer) string {
	if p.Service != "" {
		return peer(p)
	}
	return cmp.Or(p.Name, p.Addr.String())
}

func ofBackend(value func(*flow.Backend) string) func(*flow.Finding, time.Time) string {
	return func(f *flow.Finding, _ time.Time) string {
		if f.Backend == nil {
			return ""
		}
		return value(f.Backend)
	}
}

func stuckFor(f *flow.Finding, now time.Time) string {
	if f.Since.IsZero() {
		return ""
	}
	return phrase.Duration(age(*f, now))
}

func givesUpColumn(f *flow.Finding, _ time.Time) string {
	switch {
	case f.GivesUp.Never:
		return "never"
	case f.GivesUp.Known():
		return phrase.Stamp(f.GivesUp.At)
	}
	return ""
}

func number(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
