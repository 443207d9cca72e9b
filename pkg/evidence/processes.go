package evidence

import (
	"errors"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/owner"
)

const (
	ownerAge  = 500 * time.Millisecond
	maxOwners = 1024
	hiddenFor = time.Minute      // how long a process that /proc hid makes the source degraded
	checkAge  = 30 * time.Second // how long /proc counts as open once it was
)

// processes says where processes run; all flows of a process share its answer.
type processes struct {
	Owners
	meter    Meter
	answers  map[flow.Process]ownerAnswer
	hiddenAt time.Time // when /proc last hid a living process
	shownAt  time.Time // when it last showed all
	checked  time.Time // when it was last looked at, and was open
}

type ownerAnswer struct {
	owner flow.Owner
	err   error
	at    time.Time
}

// Lookup implements Owners.
func (p *processes) Lookup(process flow.Process) (flow.Owner, error) {
	began := time.Now()
	a, ok := p.answers[process]
	if ok && began.Sub(a.at) < ownerAge {
		return a.owner, a.err
	}
	found, err := p.Owners.Lookup(process)
	failed := err
	if errors.Is(err, owner.ErrGone) {
		failed = nil // that is an answer
	}
	p.meter.Lookup(flow.SourceOwner, time.Since(began), failed)
	if errors.Is(err, owner.ErrHidden) {
		p.hiddenAt = began
	}
	if len(p.answers) >= maxOwners {
		clear(p.answers)
	}
	p.answers[process] = ownerAnswer{owner: found, err: err, at: began}
	return found, err
}

// health looks at /proc itself, because hidepid hides processes even if nothing
// is stuck.
func (p *processes) health(now time.Time) flow.Health {
	err := p.check(now)
	h := flow.Health{Source: flow.SourceOwner, Up: true, LastSync: p.checked}
	if err == nil && now.Sub(p.hiddenAt) < hiddenFor {
		err = owner.ErrHidden
	}
	if err != nil {
		h.Up, h.Detail, h.LastSync = false, err.Error(), p.shownAt
	}
	p.shownAt = h.LastSync
	return h
}

// check looks at /proc. While that is open, it looks only now and then: for the agent of an
// idle node, the look is a tenth of its work.
func (p *processes) check(now time.Time) error {
	if now.Sub(p.checked) < checkAge {
		return nil
	}
	err := p.Check()
	if err == nil {
		p.checked = now
	}
	return err
}
