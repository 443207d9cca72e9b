package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

// A storm must not scroll its own summary away: neither by many flows to one peer,
// nor by a flow to each of many.
const (
	rowsPerGroup = 50
	groupsShown  = 20 // the largest
)

// View is what a node says of itself at one moment.
type View struct {
	Now      time.Time
	Node     string
	Socket   string         // of its agent; empty: the default
	Started  time.Time      // when its agent started; zero: not known
	Flows    []flow.Finding // live, and where asked for suppressed and ended ones
	Suspects int
	Counted  map[flow.Suppression]int
	Sources  []flow.Health
}

// Dump writes the summary, a row for each flow, and how far the sources can
// be trusted. Lines are at most width characters where words allow it.
func Dump(w io.Writer, v View, width int) error {
	return v.write(w, width, func(b *strings.Builder, groups []Group) { v.cards(b, groups, width) })
}

// DumpWide is Dump with one line for each flow, in columns without spaces.
func DumpWide(w io.Writer, v View, width int) error {
	return v.write(w, width, func(b *strings.Builder, _ []Group) { tabulate(b, liveColumns, v.Now, v) })
}

func (v View) write(w io.Writer, width int, rows func(*strings.Builder, []Group)) error {
	var b strings.Builder
	groups := Summarize(v.Flows)
	if len(groups) == 0 && Hidden(v.Sources) {
		b.WriteString("No flow is known to be stuck, but not all are watched.\n")
	} else {
		summary(&b, groups, v.Now, width)
	}
	if len(v.Flows) > 0 {
		b.WriteByte('\n')
		rows(&b, groups)
	}
	b.WriteByte('\n')
	if len(groups) > 0 {
		fmt.Fprintf(&b, "The story and the cure of one: tcpstuck explain %s%s\n", groups[0].Findings[0].ID, v.socketFlag())
	}
	if watched := Watched(v.Suspects, v.Counted, "tcpstuck"); watched != "" {
		b.WriteString(wrap(watched, width, 4) + "\n")
	}
	where := strings.TrimSpace(v.Node + " at " + phrase.Zoned(v.Now, v.Now))
	b.WriteString(wrap(where+". "+Sources(v.Sources, v.Now), width, 4) + "\n")
	_, err := io.WriteString(w, phrase.Text(b.String()))
	return err
}

// socketFlag is the flag with which a proposed command reaches the same agent.
func (v View) socketFlag() string {
	if v.Socket == "" {
		return ""
	}
	return " --socket " + v.Socket
}

func summary(b *strings.Builder, groups []Group, now time.Time, width int) {
	if len(groups) == 0 {
		b.WriteString("No flow is stuck.\n")
	}
	for _, g := range largest(groups) {
		b.WriteString(wrap(g.Line(now), width, 4) + "\n")
		b.WriteString("    " + wrap(g.Why(), width, 4) + "\n")
	}
	b.WriteString(remainder(groups))
}

func largest(groups []Group) []Group { return groups[:min(len(groups), groupsShown)] }

// remainder says in a line what the largest groups leave out.
func remainder(groups []Group) string {
	rest := groups[len(largest(groups)):]
	if len(rest) == 0 {
		return ""
	}
	flows := 0
	for _, g := range rest {
		flows += len(g.Findings)
	}
	return fmt.Sprintf("… and %s with %s (-o wide lists all)\n", phrase.Count(len(rest), "more group", "more groups"), phrase.Count(flows, "flow", "flows"))
}

// cards writes the rows of the largest groups, then the suppressed flows, then those
// that have ended.
func (v View) cards(b *strings.Builder, groups []Group, width int) {
	var largestID flow.ID // the longest one, too
	for n := range v.Flows {
		largestID = max(largestID, v.Flows[n].ID)
	}
	indent := len(largestID.String()) + 2
	for _, g := range largest(groups) {
		for _, f := range g.Findings[:min(len(g.Findings), rowsPerGroup)] {
			b.WriteString(card(*f, v.Now, width, indent))
		}
		if more := len(g.Findings) - rowsPerGroup; more > 0 {
			fmt.Fprintf(b, "%*s… and %s more like these (-o wide lists all)\n", indent, "", phrase.Number(more))
		}
	}
	v.section(b, "Suppressed:", width, indent, func(f *flow.Finding) bool { return !f.Ended() && f.Suppressed != "" })
	v.section(b, "Ended recently:", width, indent, (*flow.Finding).Ended)
}

func (v View) section(b *strings.Builder, title string, width, indent int, in func(*flow.Finding) bool) {
	var fs []*flow.Finding
	for n := range v.Flows {
		if f := &v.Flows[n]; in(f) {
			fs = append(fs, f)
		}
	}
	if len(fs) == 0 {
		return
	}
	if !strings.HasSuffix(b.String(), "\n\n") { // nothing stands above it
		b.WriteByte('\n')
	}
	b.WriteString(title + "\n")
	for _, f := range fs[:min(len(fs), rowsPerGroup)] {
		b.WriteString(card(*f, v.Now, width, indent))
	}
	if more := len(fs) - rowsPerGroup; more > 0 {
		fmt.Fprintf(b, "%*s… and %s more (-o wide lists all)\n", indent, "", phrase.Number(more))
	}
}

func card(f flow.Finding, now time.Time, width, indent int) string {
	r := NewRow(f, now)
	return fmt.Sprintf("%-*s%s\n%*s%s\n",
		indent, r.ID, pack(path(f, r), " ", width, indent),
		indent, "", pack([]string{r.lasted(), r.AtRisk, r.GivesUp}, " · ", width, indent))
}

// path is owner → peer → backend, or owner ← peer for an accepted flow.
func path(f flow.Finding, r Row) []string {
	arrow := "→ "
	if f.Role == flow.Server {
		arrow = "← "
	}
	parts := []string{r.Owner}
	for _, hop := range r.Where {
		parts = append(parts, arrow+hop)
	}
	return parts
}
