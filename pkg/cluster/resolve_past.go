package cluster

import (
	"fmt"
	"slices"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// fromPast judges an address that no object has or claims, by the last pod or
// endpoint that was there.
func (q resolver) fromPast() (Backend, bool) {
	ip := q.addr.Addr()
	for _, f := range slices.Backward(q.past.at(ip, q.trusted())) {
		host := q.onHost(f.pod)
		if host && (f.slice == nil || !f.slice.serves(q.addr.Port())) {
			continue
		}
		status := q.pods.status(f.pod)
		if status.presence == podGone && !status.notFound && !q.pods.had(f.pod, ip) {
			continue // its own record said that it was elsewhere
		}
		if q.hearsay(f.pod, f.node, f.at) {
			continue
		}
		b := q.fromFormer(f, status, host)
		b.Services = q.lastServices(f.pod)
		if b.State != flow.BackendDeleted && !host {
			b.Former = q.lastGone(f.pod)
			b.Unread = b.Former != nil && status.presence == podUnseen
		}
		return b, true
	}
	return Backend{}, false
}

func (q resolver) fromFormer(f former, status podStatus, host bool) Backend {
	b := Backend{
		Namespace: f.pod.Namespace, Pod: f.pod.Name, PodUID: f.pod.UID, Node: f.node, HostNetwork: host, CreatedAt: f.created, Since: f.at,
	}
	if !f.pod.named() {
		b.Namespace = ""
	}
	left, podsUnknown := f.how(), q.source.podsUnknown()
	b.addStatus(status)
	switch {
	case status.presence == podUnnamed:
		b.State, b.How = flow.BackendUnlisted, "an endpoint without a pod "+left
	case status.presence == podGone && q.verified(f.pod, status, f.of(q.via)):
		q.setDeleted(&b, status, f.pod.String())
		if status.notFound && b.State == flow.BackendDeleted && !f.at.IsZero() && f.at.Before(b.Since) {
			b.Since = f.at // it was asked for because it left
		}
	case status.presence == podGone:
		b.setUnverified(status, left)
	case status.presence == podUnseen && !q.source.lists(f.node):
		b.State, b.How = flow.BackendUnlisted, left+", and was not asked for yet"
	case podsUnknown != "":
		b.State, b.How = flow.BackendUnknown, left+", and "+podsUnknown
	case status.presence == podPresent:
		b.State, b.How = flow.BackendUnlisted, left+", and is in the list"
	default:
		b.State, b.How = flow.BackendUnknown, left+", and was never seen in the list"
	}
	return b
}

// lastServices returns the Services that listed a pod at the address before,
// sorted.
func (q resolver) lastServices(pod ref) []string {
	var names []string
	for _, f := range q.past.claimsAt(q.addr.Addr(), pod.Namespace) {
		if f.pod == pod && f.slice.Service != "" && f.slice.serves(q.addr.Port()) {
			names = append(names, f.slice.service())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// how says, in a clause of evidence, that a pod or an endpoint left.
func (f former) how() string {
	switch {
	case f.slice == nil && f.at.IsZero():
		return f.pod.String() + " had the address when it was last asked for"
	case f.slice == nil:
		return fmt.Sprintf("%s gave its address up at %s", f.pod, clock(f.at))
	case f.pod.named():
		return fmt.Sprintf("%s left %s at %s", f.pod, f.slice.service(), clock(f.at))
	}
	return fmt.Sprintf("left %s at %s", f.slice.service(), clock(f.at))
}
