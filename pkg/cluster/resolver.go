package cluster

import (
	"net/netip"
	"slices"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// resolver answers what the records say of one address that packets go to.
type resolver struct {
	*records
	addr  netip.AddrPort
	entry *address // nil: there is none
	via   Key      // the Service that the connection was opened to; zero: none
}

// resolver returns that of an address, for connections that were opened to an
// address of a Service. The zero service address means that they were not.
func (r *records) resolver(addr, service netip.AddrPort) resolver {
	q := resolver{records: r, addr: addr, entry: r.addrs.of(addr.Addr())}
	if service.IsValid() {
		svc, _ := r.service(service)
		q.via = Key{svc.Namespace, svc.Name}
	}
	return q
}

// backend asks, in this order: the living pod that has the address by its own
// record, the slices that list the address, the past, the node.
func (q resolver) backend() Backend {
	if p := q.entry.holder(); p != nil {
		return q.fromPod(p)
	}
	listed, isListed := q.fromClaims()
	if isListed && listed.State != flow.BackendDeleted && !listed.Unverified {
		return listed
	}
	// A slice may be behind, and name a pod that was not the last one there.
	former, hadFormer := q.fromPast()
	if hadFormer && (!isListed || listed.Unverified || former.Since.After(listed.Since)) {
		return former
	}
	if isListed {
		return listed
	}
	if q.entry != nil && q.entry.node != nil {
		name := q.entry.node.Name
		return Backend{Node: name, HostNetwork: true, State: flow.BackendListed, How: "an address of node " + name + ", which is in the list"}
	}
	return Backend{State: flow.BackendUnknown, HostNetwork: q.entry.isHost(), How: "no record of " + q.addr.Addr().String()}
}

// trusted returns the namespace whose slices count for an address that no
// living pod is known to have. It is the namespace of the last pod that had
// the address, if that pod is gone: a slice of another namespace does not
// revive it. Else it is that of the Service; empty: any.
func (q resolver) trusted() string {
	had := q.past.podsAt(q.addr.Addr())
	if len(had) == 0 {
		return q.via.Namespace
	}
	if last := had[len(had)-1]; q.pods.status(last.pod).presence == podGone {
		if q.claimedByService() {
			return q.via.Namespace
		}
		return last.pod.Namespace
	}
	return q.via.Namespace
}

// claimedByService reports whether the Service's own slices name a pod at the
// address whose record was not read yet. What the Service sends there goes to
// that pod, as far as is known, whichever pod had the address before.
func (q resolver) claimedByService() bool {
	if q.via == (Key{}) {
		return false
	}
	return slices.ContainsFunc(q.entry.claimed(q.via.Namespace), func(c *claim) bool {
		return c.of(q.via) && !q.source.lists(c.node()) && q.pods.status(c.pod()).presence == podUnseen
	})
}

// hearsay reports whether only a slice speaks of an address outside the cluster,
// and no record supports it. Any tenant may list any address. So such a slice
// counts only for connections that a Service sent there, or if the source has no
// records of pods.
func (q resolver) hearsay(pod ref, node string, since time.Time) bool {
	ip := q.addr.Addr()
	if q.via != (Key{}) || q.source.podsUnknown() != "" || !q.outside(ip, q.entry) {
		return false
	}
	return !q.pods.had(pod, ip) && !q.credible(pod, node, ip, since)
}

// verified reports whether it is certain that a pod that is gone had the
// address: by the pod's own record, or where that was never read, by a slice
// of the Service that the connection was opened to. kube-proxy went by that
// slice.
func (q resolver) verified(pod ref, status podStatus, byItsService bool) bool {
	return q.pods.had(pod, q.addr.Addr()) || status.notFound && byItsService
}

// onHost reports whether a pod's address is its node's.
func (q resolver) onHost(pod ref) bool { return q.entry.isHost() || q.pods.onHostNetwork(pod) }

// setDeleted judges a backend whose pod is gone. The address of a node is gone
// only if the node is.
func (q resolver) setDeleted(b *Backend, status podStatus, what string) {
	b.setDeleted(status, what)
	if !b.HostNetwork {
		return
	}
	nodeGone, ok := q.nodes.deleted.get(b.Node)
	switch {
	case !ok:
		b.State = flow.BackendUnlisted
		b.How += ", but its address is its host's"
	case nodeGone.After(b.Since):
		b.Since = nodeGone
	}
}

// lastGone returns the last other pod that had the address and is gone.
func (q resolver) lastGone(other ref) *Former {
	for _, f := range slices.Backward(q.past.at(q.addr.Addr(), q.via.Namespace)) {
		if f.pod == other || q.pods.onHostNetwork(f.pod) {
			continue
		}
		if status := q.pods.status(f.pod); status.presence == podGone && q.verified(f.pod, status, f.of(q.via)) {
			return &Former{
				Namespace: f.pod.Namespace, Pod: f.pod.Name, UID: f.pod.UID, Node: f.node, CreatedAt: status.created, GoneAt: status.at,
			}
		}
	}
	return nil
}

// ask asks the source for what would make a judgement more certain: the
// backend's Node, the pods that slices alone name at the address, and the pods
// that had or have it.
func (q resolver) ask(b Backend, now time.Time) {
	if !q.source.limited {
		return
	}
	ip := q.addr.Addr()
	if b.Node != "" && !q.nodes.readWithin(b.Node, NodeAge, now) {
		q.questions.ask(Question{Node: b.Node, Urgent: true})
	}
	if q.entry.holder() == nil { // a claim that does not count may yet be right
		q.asker.claimed(ip, slices.Concat(q.entry.claimed(q.via.Namespace), q.entry.claimed("")), true)
	}
	formers := q.past.at(ip, q.trusted())
	for _, f := range formers[max(0, len(formers)-askedPerAddress):] {
		q.asker.pod(f.pod, f.node, ip, true)
	}
	q.asker.pod(ref{Key{b.Namespace, b.Pod}, b.PodUID}, b.Node, ip, true)
}
