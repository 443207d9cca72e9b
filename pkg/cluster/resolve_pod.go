package cluster

import (
	"fmt"
	"slices"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// fromPod judges an address that a living pod has. Only slices of the pod's
// own namespace count.
func (q resolver) fromPod(p *pod) Backend {
	claims := q.entry.claimsFor(p)
	b := Backend{
		Namespace: p.Namespace, Pod: p.Name, PodUID: p.UID, Node: p.Node, CreatedAt: p.CreatedAt,
		Services: servicesOf(claims, q.addr.Port()), Former: q.lastGone(p.ref()),
	}
	listed, terminating := earliest{}, earliest{}
	if p.Terminating {
		terminating.add(p.changed)
	}
	for _, c := range claims {
		if c.terminating > 0 {
			terminating.add(c.since)
		} else {
			listed.add(c.since)
		}
	}
	what := p.ref().String()
	left, wasListed := q.leftSlice(p)
	podsUnknown := q.source.podsUnknown()
	switch {
	case !terminating.at.IsZero():
		b.State, b.Since, b.How = flow.BackendTerminating, terminating.at, what+" is terminating"
	case !listed.at.IsZero():
		b.State, b.Since, b.How = flow.BackendListed, listed.at, what+" is in the list, and in a slice"
	case wasListed && podsUnknown != "":
		b.State, b.Since = flow.BackendUnknown, left.at
		b.How = fmt.Sprintf("%s left %s at %s, and %s", what, left.slice.service(), clock(left.at), podsUnknown)
	case wasListed:
		b.State, b.Since = flow.BackendUnlisted, left.at
		b.How = fmt.Sprintf("%s left %s at %s, and is in the list", what, left.slice.service(), clock(left.at))
		b.Services = q.lastServices(left.pod)
	default:
		b.State, b.Since, b.How = flow.BackendListed, p.seen, what+" is in the list"
	}
	return b
}

// claimsFor returns the claims of a pod's own namespace for the pod: by its
// name, or without a name.
func (a *address) claimsFor(p *pod) []*claim {
	var found []*claim
	for _, r := range []ref{p.ref(), {Key: Key{Namespace: p.Namespace}}} {
		if c := a.claims.get(r); c != nil {
			found = append(found, c)
		}
	}
	return found
}

// leftSlice returns the last claim for a living pod that ended.
func (q resolver) leftSlice(p *pod) (former, bool) {
	for _, f := range slices.Backward(q.past.claimsAt(q.addr.Addr(), p.Namespace)) {
		if f.pod == p.ref() || !f.pod.named() && !f.at.Before(p.seen) {
			return f, true
		}
	}
	return former{}, false
}

// earliest finds the earliest of some times; zero: there was none.
type earliest struct{ at time.Time }

func (e *earliest) add(t time.Time) {
	if e.at.IsZero() || t.Before(e.at) {
		e.at = t
	}
}
