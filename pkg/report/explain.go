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

// Explain writes everything that is known of one flow: its owner and peer, the
// sentence, its story, the evidence, the kernel's clock, what is at risk, and
// what to do. Commands are never broken, so that they can be pasted.
func Explain(w io.Writer, f flow.Finding, now time.Time, width int) error {
	p := page{now: now, width: width}
	p.head(f)
	p.story(f.History)
	p.evidence(f.Evidence)
	p.clock(f)
	p.bytes(f)
	p.advice(f)
	_, err := io.WriteString(w, phrase.Text(p.b.String()))
	return err
}

// page is a text in the making.
type page struct {
	b     strings.Builder
	now   time.Time
	width int
}

func (p *page) title(s string) { fmt.Fprintf(&p.b, "\n%s\n", s) }

// item writes one line of a section, wrapped with an indent.
func (p *page) item(mark, text string) {
	indent := 2 + len(mark)
	fmt.Fprintf(&p.b, "  %s%s\n", mark, wrap(text, p.width, indent))
}

func (p *page) head(f flow.Finding) {
	r := NewRow(f, p.now)
	fmt.Fprintf(&p.b, "%s  %s\n", r.ID, pack(path(f, r), " ", p.width, len(r.ID)+2))
	state := fmt.Sprintf("%s for %s, since %s", r.Why, r.Age, phrase.Time(f.Since, p.now))
	if f.Since.IsZero() {
		state = r.Why
	}
	if f.Ended() {
		state = fmt.Sprintf("ended · %s, then %s", r.lasted(), ended(f, p.now))
	}
	p.b.WriteString(state + "\n")
	p.b.WriteString(wrap(place(f)+", at "+phrase.Zoned(p.now, p.now), p.width, 0) + "\n")
	if f.Sentence != "" {
		p.b.WriteString("\n" + wrap(f.Sentence, p.width, 0) + "\n")
	}
}

// place names the socket and the process that holds it.
func place(f flow.Finding) string {
	parts := []string{string(cmp.Or(f.Role, "role unknown")), f.State.String(), f.Local.Addr.String() + " → " + f.Peer.Addr.String()}
	if name := process(f.Local); name != "" {
		parts = append(parts, name)
	}
	if f.Local.Container != "" {
		parts = append(parts, "container "+f.Local.Container)
	}
	parts = append(parts, fmt.Sprintf("network namespace %d", f.NetNS))
	if f.Node != "" {
		parts = append(parts, "node "+f.Node)
	}
	return strings.Join(parts, ", ")
}

func (p *page) story(steps []flow.Step) {
	if len(steps) == 0 {
		return
	}
	p.title("Story")
	steps = slices.Clone(steps)
	slices.SortStableFunc(steps, func(a, b flow.Step) int { return a.At.Compare(b.At) })
	for _, s := range steps {
		p.item(phrase.Milli(s.At, p.now)+"  ", s.What)
	}
}

func (p *page) evidence(evidence []flow.Evidence) {
	if len(evidence) == 0 {
		return
	}
	p.title("Evidence")
	for i, e := range evidence {
		mark := fmt.Sprintf("%d. ", i+1)
		p.item(mark, fmt.Sprintf("%s, %s: %s", e.Source, phrase.Time(e.At, p.now), e.Asked))
		p.item(strings.Repeat(" ", len(mark)), "→ "+e.Answer)
	}
}

func (p *page) clock(f flow.Finding) {
	p.title("The kernel's clock")
	says := phrase.Count(f.Timeouts, "timeout", "timeouts") + " without progress"
	if f.RTO > 0 {
		says += ", retransmission timeout " + phrase.Duration(f.RTO)
	}
	p.item("", says)
	if f.ZeroWindow && f.State != flow.SynSent { // before the handshake there is none
		p.item("", "the peer's window is closed")
	}
	limit := "TCP_USER_TIMEOUT is not set"
	if f.UserTimeout > 0 {
		limit = "TCP_USER_TIMEOUT is " + phrase.Duration(f.UserTimeout)
	}
	if f.Keepalive {
		limit += ", keepalive is on"
	} else {
		limit += ", keepalive is off"
	}
	p.item("", limit)
	p.item("", givesUp(f, p.now))
}

func (p *page) bytes(f flow.Finding) {
	if f.Ended() && f.Outcome == flow.Recovered {
		return
	}
	title, unsent := "Bytes at risk", "certainly lost if the flow dies"
	if f.Ended() {
		title, unsent = "Bytes when it ended", "certainly lost"
	}
	p.title(title)
	if f.Unacknowledged == 0 && f.Unsent == 0 {
		p.item("", "none")
		return
	}
	p.item("", fmt.Sprintf("%s B sent and not acknowledged: perhaps delivered", phrase.Number(f.Unacknowledged)))
	p.item("", fmt.Sprintf("%s B not sent yet: %s", phrase.Number(f.Unsent), unsent))
	if f.SendBufferUsed > 0 {
		p.item("", fmt.Sprintf("the send buffer is %.0f %% full", 100*f.SendBufferUsed))
	}
}

// advice leaves out what only helps while a flow is stuck.
func (p *page) advice(f flow.Finding) {
	var now, forGood []string
	for _, a := range f.Advice {
		if a.Now != "" && !f.Ended() {
			now = append(now, a.Now)
		}
		if a.ForGood != "" {
			forGood = append(forGood, a.ForGood)
		}
	}
	p.steps("Now", now)
	p.steps("For good", forGood)
}

func (p *page) steps(title string, steps []string) {
	if len(steps) == 0 {
		return
	}
	p.title(title)
	for i, s := range steps {
		fmt.Fprintf(&p.b, "  %d. %s\n", i+1, strings.ReplaceAll(s, "\n", "\n     "))
	}
}
