package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/audit"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

// Audit writes which connections would hang if their peer vanished, class by class,
// how to bound them, and what an audit cannot see.
func Audit(w io.Writer, r audit.Report, width int) error {
	p := page{width: width}
	p.b.WriteString(wrap(auditSummary(r), width, 0) + "\n")
	for _, class := range audit.Classes() {
		p.auditClass(class, r.Findings)
	}
	p.title("Not seen from outside:")
	for _, text := range r.NotSeen {
		p.item("- ", text)
	}
	_, err := io.WriteString(w, phrase.Text(p.b.String()))
	return err
}

func auditSummary(r audit.Report) string {
	where := cmp.Or(r.Node, "this node")
	hang := r.Connections - r.Bounded - r.Local
	rest := fmt.Sprintf("%s bounded on both sides, %s a peer in the same network namespace.",
		phrase.Count(r.Bounded, "is", "are"), phrase.Count(r.Local, "has", "have"))
	if hang == 0 {
		return fmt.Sprintf("None of %s of %s would hang if its peer vanished now: %s", phrase.Count(r.Connections, "connection", "connections"), where, rest)
	}
	return fmt.Sprintf("%s of %s of %s would hang, or end at another time than it was set to, if their peer vanished now; %s",
		phrase.Number(hang), phrase.Count(r.Connections, "connection", "connections"), where, rest)
}

func (p *page) auditClass(class audit.Class, all []audit.Finding) {
	var findings []audit.Finding
	connections := 0
	for _, f := range all {
		if f.Class == class {
			findings = append(findings, f)
			connections += f.Connections
		}
	}
	if len(findings) == 0 {
		return
	}
	p.title(wrap(fmt.Sprintf("%s (%s): %s", class, phrase.Count(connections, "connection", "connections"), classMeaning(class)), p.width, 4))
	var advice distinct
	for n, f := range findings {
		if n < rowsPerGroup {
			p.auditCard(f)
		}
		for _, a := range f.Advice {
			advice.add(cmp.Or(a.Now, a.ForGood))
		}
	}
	if more := len(findings) - rowsPerGroup; more > 0 {
		fmt.Fprintf(&p.b, "  … and %s more (-o json lists all)\n", phrase.Number(more))
	}
	for _, text := range advice.list {
		p.item("- ", text)
	}
}

func classMeaning(c audit.Class) string {
	switch c {
	case audit.Unbounded:
		return "nothing ends a connection that waits for an answer; one with data in flight takes all of tcp_retries2."
	case audit.UserTimeoutOnly:
		return "nothing ends a connection that waits for an answer; the user timeout ends one with data in flight."
	case audit.KeepaliveOnly:
		return "keepalive ends a connection that waits; one with data in flight takes all of tcp_retries2."
	case audit.KeepaliveIgnored:
		return "the user timeout keeps a waiting connection for longer than its keepalive was set to."
	case audit.KeepaliveClipped:
		return "the user timeout ends a waiting connection before its keepalive has sent all probes."
	}
	return ""
}

func (p *page) auditCard(f audit.Finding) {
	arrow := "→ "
	if f.Role == flow.Server {
		arrow = "← "
	}
	head := []string{phrase.Count(f.Connections, "connection", "connections") + " of " + auditOwner(f.Owner), arrow + auditPeer(f.Peer, f.Role)}
	s := f.Settings
	facts := []string{"waiting: " + hangs(f.WhileIdle), "sending: " + hangs(&f.WhileSending), keepaliveWords(s), "user timeout " + setting(s.UserTimeout)}
	if s.ReceiveTimeout > 0 || s.SendTimeout > 0 {
		facts = append(facts, "SO_RCVTIMEO "+setting(s.ReceiveTimeout), "SO_SNDTIMEO "+setting(s.SendTimeout))
	}
	facts = append(facts, example(f.Example, arrow))
	fmt.Fprintf(&p.b, "  %s\n    %s\n", pack(head, " ", p.width, 4), pack(facts, " · ", p.width, 4))
}

func auditOwner(o audit.Owner) string {
	if o.Workload == "" {
		return cmp.Or(o.Comm, "an unknown process")
	}
	known := []string{}
	if o.WorkloadKind != "" {
		known = append(known, o.WorkloadKind)
	}
	return o.Namespace + "/" + o.Workload + parens(strings.Join(append(known, cmp.Or(o.Container, o.Comm)), ", "))
}

func auditPeer(peer audit.Peer, role flow.Role) string {
	name := cmp.Or(peer.Service, peer.Workload)
	if name != "" {
		name = peer.Namespace + "/" + name
	} else {
		name = peer.Name
	}
	if name == "" && peer.Address.IsValid() {
		name = peer.Address.String()
		if peer.Address.Is6() && role == flow.Client {
			name = "[" + name + "]"
		}
	}
	name = cmp.Or(name, "outside the cluster")
	if role == flow.Server {
		return fmt.Sprintf("%s, on port %d", name, peer.Port)
	}
	return fmt.Sprintf("%s:%d", name, peer.Port)
}

func hangs(seconds *float64) string {
	if seconds == nil {
		return "for ever"
	}
	return phrase.Duration(fromSeconds(*seconds))
}

func keepaliveWords(s audit.Settings) string {
	if !s.Keepalive {
		return "keepalive off"
	}
	return fmt.Sprintf("keepalive %s + %d × %s", phrase.Duration(fromSeconds(s.KeepaliveIdle)), s.KeepaliveProbes, phrase.Duration(fromSeconds(s.KeepaliveInterval)))
}

func setting(seconds float64) string {
	if seconds == 0 {
		return "off"
	}
	return phrase.Duration(fromSeconds(seconds))
}

func fromSeconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func example(e audit.Example, arrow string) string {
	return fmt.Sprintf("e.g. %s %s %s%s", phrase.Process(e.Comm, e.PID), e.Local, arrow, e.Remote)
}
