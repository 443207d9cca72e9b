package evidence

import (
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Drops watches what this node's kernel drops of some flows. See drops.Watcher.
type Drops interface {
	Watch(id flow.ID, sent, answers []flow.Tuple, una, span uint32, now time.Time) error
	Of(id flow.ID, now time.Time) ([]flow.Drop, time.Time, error)
	Forget(id flow.ID) error
}

// dropped watches the drops of suspects. A failure is kept: it is no answer about any flow.
type dropped struct {
	drops Drops // nil: not watched
	err   error
}

// watch watches a flow's segments in each form that they have on this node.
func (d *dropped) watch(e *diagnosis.Evidence) {
	if d.drops == nil || e.Socket.Timeouts == 0 {
		return
	}
	sent, answers := forms(e)
	// The FIN, or the SYN, takes a number as well.
	d.err = d.drops.Watch(e.Socket.ID, sent, answers, e.Socket.Una, e.Socket.AtRisk()+1, e.Now)
}

// ask adds what was dropped of a flow.
func (d *dropped) ask(e *diagnosis.Evidence) {
	if d.drops == nil {
		return
	}
	all, since, err := d.drops.Of(e.Socket.ID, time.Now())
	if d.err = err; err != nil || since.IsZero() {
		return
	}
	e.Drops = &diagnosis.Drops{Since: since, Seen: all}
}

func (d *dropped) forget(id flow.ID) {
	if d.drops != nil {
		d.err = d.drops.Forget(id)
	}
}

// forms are the tuples of a flow's segments as its socket sends them and as conntrack translates
// them, and those of the answers.
func forms(e *diagnosis.Evidence) (sent, answers []flow.Tuple) {
	own := e.Socket.Tuple()
	sent, answers = []flow.Tuple{own}, []flow.Tuple{own.Reverse()}
	t := e.Conntrack.Entry
	if t == nil || !t.Translated() {
		return sent, answers
	}
	out := t.Reply.Reverse()
	if t.Accepted() {
		out = t.Orig.Reverse()
	}
	if out != own {
		sent, answers = append(sent, out), append(answers, out.Reverse())
	}
	return sent, answers
}
