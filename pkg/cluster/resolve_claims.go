package cluster

import (
	"slices"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// fromClaims judges by the slices alone. Of several claims it takes the one
// that leaves the backend most alive.
func (q resolver) fromClaims() (best Backend, ok bool) {
	var by *claim
	for _, c := range q.entry.claimed(q.trusted()) {
		if q.onHost(c.pod()) && !c.serves(q.addr.Port()) {
			continue // another process of the same host
		}
		if q.contradicted(c.pod(), q.addr.Addr(), c.since) || q.hearsay(c.pod(), c.node(), c.since) {
			continue
		}
		b := q.fromClaim(c)
		if by == nil || rank(b.State) < rank(best.State) || b.State == best.State && b.Since.Before(best.Since) {
			best, by = b, c
		}
	}
	if by == nil {
		return Backend{}, false
	}
	best.Services = servicesOf([]*claim{by}, q.addr.Port())
	if best.Pod != "" && !best.HostNetwork {
		best.Former = q.lastGone(by.pod())
		best.Unread = best.Former != nil && q.pods.status(by.pod()).presence == podUnseen
	}
	return best, true
}

func (q resolver) fromClaim(c *claim) Backend {
	b := Backend{Node: c.node(), HostNetwork: q.onHost(c.pod()), Since: c.since}
	what := "an endpoint without a pod"
	if c.pod().named() {
		b.Namespace, b.Pod, b.PodUID = c.pod().Namespace, c.pod().Name, c.pod().UID
		what = c.pod().String()
	}
	where := " in slice " + c.first.slice.Key().String()
	status := q.pods.status(c.pod())
	b.addStatus(status)
	switch podsUnknown := q.source.podsUnknown(); {
	case status.presence == podGone && q.verified(c.pod(), status, c.of(q.via)):
		q.setDeleted(&b, status, what)
	case status.presence == podGone:
		b.setUnverified(status, what+where)
	case status.presence == podUnseen && podsUnknown == "" && q.source.lists(c.node()):
		b.State, b.How = flow.BackendUnknown, what+where+" is not in the list, and was never seen there"
	case c.terminating > 0 || status.terminating:
		b.State, b.How = flow.BackendTerminating, what+where+" is terminating"
	default:
		b.State, b.How = flow.BackendListed, what+" is"+where
	}
	return b
}

// rank orders the states by how alive they leave a backend.
func rank(state flow.BackendState) int {
	return slices.Index([]flow.BackendState{
		flow.BackendListed, flow.BackendTerminating, flow.BackendUnlisted, flow.BackendUnknown, flow.BackendDeleted,
	}, state)
}
