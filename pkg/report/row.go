package report

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

// Row is one finding in words.
type Row struct {
	ID      string
	Owner   string   // on this node
	Where   []string // the peer as the socket sees it, then the backend if it is another
	Why     string   // symptom · cause
	Age     string   // without progress; empty: it was never stuck
	AtRisk  string   // what an application can still lose, or has lost
	GivesUp string   // when the kernel aborts it, or how it ended
}

// NewRow says a finding in words at the moment now.
func NewRow(f flow.Finding, now time.Time) Row {
	return Row{
		ID:      f.ID.String(),
		Owner:   owner(f.Local),
		Where:   where(f, now),
		Why:     why(f),
		Age:     lasted(f, now),
		AtRisk:  atRisk(f),
		GivesUp: givesUp(f, now),
	}
}

// lasted says what the flow did and, if it was stuck, for how long.
func (r Row) lasted() string {
	if r.Age == "" {
		return r.Why
	}
	return r.Why + " for " + r.Age
}

// age grows after the last look at the finding, until it has ended.
func age(f flow.Finding, now time.Time) time.Duration {
	if f.Since.IsZero() || f.Ended() {
		return f.Age()
	}
	return now.Sub(f.Since)
}

func lasted(f flow.Finding, now time.Time) string {
	if f.Symptom == flow.Truncated && f.Since.IsZero() {
		return ""
	}
	return phrase.Duration(age(f, now))
}

func owner(l flow.Local) string {
	if l.Pod == "" {
		return cmp.Or(process(l), "unknown process at "+l.Addr.String())
	}
	var known []string
	if l.Workload != "" && l.Workload != l.Pod {
		known = append(known, strings.TrimSpace(l.WorkloadKind+" "+l.Workload))
	}
	if p := process(l); p != "" {
		known = append(known, p)
	}
	return l.Namespace + "/" + l.Pod + parens(strings.Join(known, ", "))
}

// process names the process that holds a socket, or held it last; empty: none is known.
func process(l flow.Local) string {
	name := phrase.Process(l.Comm, l.PID)
	if name != "" && l.Exited {
		name += ", exited"
	}
	return name
}

func where(f flow.Finding, now time.Time) []string {
	name := peer(f.Peer)
	if f.Backend == nil {
		return []string{name}
	}
	since := ""
	if !f.Backend.Since.IsZero() {
		since = phrase.Duration(now.Sub(f.Backend.Since)) + " ago"
	}
	about := parens(backend(f, since))
	if f.Backend.Addr == f.Peer.Addr {
		return []string{name + about}
	}
	return []string{name, f.Backend.Addr.String() + about}
}

// peer names the remote end as the application knows it.
func peer(p flow.Peer) string {
	switch {
	case p.Service != "":
		return fmt.Sprintf("%s/%s:%d", p.Namespace, p.Service, p.Addr.Port())
	case p.Name != "":
		return fmt.Sprintf("%s (%s)", p.Name, p.Addr)
	}
	return p.Addr.String()
}

// backend names the backend's pod, and its state.
func backend(f flow.Finding, since string) string {
	b := f.Backend
	var known []string
	if b.Pod != "" {
		known = append(known, "pod "+podName(*b, f.Peer))
	}
	switch b.State {
	case flow.BackendDeleted:
		known = append(known, strings.TrimSpace("deleted "+since))
	case flow.BackendTerminating:
		known = append(known, strings.TrimSpace("terminating "+since))
	case flow.BackendUnlisted:
		known = append(known, "no longer a backend")
	case flow.BackendListed:
		known = append(known, "still listed")
	}
	return strings.Join(known, ", ")
}

// podName leaves out the namespace if the Service has it already.
func podName(b flow.Backend, p flow.Peer) string {
	if b.Namespace == "" || p.Service != "" && p.Namespace == b.Namespace {
		return b.Pod
	}
	return b.Namespace + "/" + b.Pod
}

func parens(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}

func why(f flow.Finding) string {
	return string(f.Symptom) + " · " + string(f.Cause)
}

func atRisk(f flow.Finding) string {
	if f.Outcome == flow.Recovered {
		return "nothing lost"
	}
	if f.Symptom == flow.Truncated {
		return truncated(f)
	}
	bytes := uint64(f.Unacknowledged) + uint64(f.Unsent)
	what := "nothing"
	if bytes > 0 {
		what = phrase.Bytes(bytes)
	}
	if !f.Ended() {
		return what + " at risk"
	}
	return what + " outstanding"
}

// truncated says what was certainly lost, and what perhaps.
func truncated(f flow.Finding) string {
	var lost []string
	if f.Unsent > 0 {
		lost = append(lost, phrase.Bytes(uint64(f.Unsent))+" lost")
	}
	if f.Unacknowledged > 0 {
		lost = append(lost, phrase.Bytes(uint64(f.Unacknowledged))+" perhaps")
	}
	return strings.Join(lost, ", ")
}

func givesUp(f flow.Finding, now time.Time) string {
	if f.Ended() {
		return ended(f, now)
	}
	switch {
	case f.GivesUp.Never:
		return "never gives up"
	case !f.GivesUp.Known():
		return "not known when it gives up"
	case f.GivesUp.At.Before(now):
		return "gives up at any moment"
	case f.GivesUp.By.After(f.GivesUp.At):
		return fmt.Sprintf("gives up in %s to %s (from %s on)", phrase.Duration(f.GivesUp.At.Sub(now)), phrase.Duration(f.GivesUp.By.Sub(now)), phrase.Time(f.GivesUp.At, now))
	}
	return fmt.Sprintf("gives up in %s (%s)", phrase.Duration(f.GivesUp.At.Sub(now)), phrase.Time(f.GivesUp.At, now))
}

func ended(f flow.Finding, now time.Time) string {
	how := cmp.Or(string(f.Outcome), "ended unseen")
	if f.Err != "" {
		how += " with " + f.Err
	}
	return how + " at " + phrase.Time(f.EndedAt, now)
}

// destination is where a finding's packets go, in a form that many findings share: it
// leaves out the ephemeral port of a client.
func destination(f flow.Finding) string {
	addr := f.Peer.Addr
	if f.Backend != nil {
		addr = f.Backend.Addr
	}
	if f.Role == flow.Server {
		return addr.Addr().String()
	}
	if f.Peer.Name != "" {
		return peer(flow.Peer{Name: f.Peer.Name, Addr: netip.AddrPortFrom(addr.Addr(), addr.Port())})
	}
	return addr.String()
}
