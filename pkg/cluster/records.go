package cluster

import (
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// records are all that is known. Each concept is a type of its own; records
// does what concerns several of them.
type records struct {
	source    *source
	pods      *pods
	slices    *endpointSlices
	services  *services
	nodes     *nodes
	addrs     *addresses
	past      *past
	changes   *changes
	questions *questions // with a lock of its own
	asker     asker
}

func newRecords(o Options) *records {
	memory := o.Memory
	if memory <= 0 {
		memory = defaultMemory
	}
	r := &records{
		source: &source{maxStaleness: o.MaxStaleness}, changes: newChanges(), past: newPast(memory), questions: newQuestions(memory),
	}
	interned := make(interner)
	r.addrs = &addresses{byIP: make(map[netip.Addr]*address), networks: make(podNetworks), past: r.past, changes: r.changes}
	r.pods = &pods{
		node: o.Node, byKey: make(map[Key]*pod), byUID: make(map[string]*pod),
		addrs: r.addrs, past: r.past, changes: r.changes, interned: interned, questions: r.questions,
	}
	r.asker = asker{r.source, r.pods, r.questions}
	r.slices = &endpointSlices{
		byKey: make(map[Key]*slice), byService: make(map[Key][]*slice),
		addrs: r.addrs, pods: r.pods, past: r.past, changes: r.changes, interned: interned, asker: r.asker,
	}
	r.services = &services{
		byKey: make(map[Key]*service), bound: make(map[netip.AddrPort]bindings),
		ended: newFIFO[netip.AddrPort, endedBinding](memory), changes: r.changes,
	}
	r.nodes = &nodes{
		byName: make(map[string]*node), deleted: newFIFO[string, time.Time](memory), addrs: r.addrs, changes: r.changes,
	}
	return r
}

func (r *records) setPod(p Pod, at time.Time) {
	r.source.hasPods = true
	r.pods.set(p, at)
}

// forgetPod takes a pod that the source does not list out of the records.
func (r *records) forgetPod(k Key, uid string) {
	if p := r.pods.byKey[k]; p != nil && p.UID == uid && !r.source.lists(p.Node) {
		r.pods.forget(p)
	}
}

func (r *records) setSlice(sl Slice, at time.Time) {
	if r.slices.set(sl, at) {
		r.services.mark(sl.serviceKey())
	}
}

func (r *records) deleteSlice(k Key, at time.Time) {
	if service, deleted := r.slices.delete(k, at); deleted {
		r.services.mark(service)
	}
}

func (r *records) setNode(n Node, at time.Time) {
	if r.nodes.set(n, at) {
		r.markOnNodes(map[string]bool{n.Name: true})
	}
}

func (r *records) deleteNode(name string, at time.Time) {
	if r.nodes.delete(name, at) {
		r.markOnNodes(map[string]bool{name: true})
	}
}

// markOnNodes marks the addresses of what runs on some nodes: the state of a
// node is part of their answer. It looks at every address, so that a reading
// calls it once for all nodes.
func (r *records) markOnNodes(names map[string]bool) {
	for _, p := range r.pods.byKey {
		if names[p.Node] {
			r.changes.mark(p.IPs...)
		}
	}
	for ip, entry := range r.addrs.byIP {
		entry.claims.each(func(c *claim) bool {
			found := names[c.node()]
			if found {
				r.changes.mark(ip)
			}
			return !found
		})
	}
}

// nodeState returns the state of a node. A source that lists no nodes does not
// say when one changes: its readings age.
func (r *records) nodeState(name string, now time.Time) NodeState {
	if r.source.limited {
		return r.nodes.state(name, 2*NodeAge, now)
	}
	return r.nodes.state(name, 0, now)
}

// service returns the Service that an address belongs to.
func (r *records) service(addr netip.AddrPort) (ServiceAddress, bool) {
	found, ok := r.services.at(addr, r.addrs.of(addr.Addr()).isHost())
	if ok && !found.Deleted {
		found.Backends = r.slices.ready(Key{found.Namespace, found.Name}, addr.Addr())
	}
	return found, ok
}

// contradicted reports whether a pod's own record, as it was at since or
// later, says that the pod does not have an address.
func (r *records) contradicted(pod ref, ip netip.Addr, since time.Time) bool {
	return r.pods.contradict(pod, ip, since, r.source.lists)
}

// backend judges an address, as far as the source can be trusted.
func (r *records) backend(addr, service netip.AddrPort, now time.Time) Backend {
	res := r.resolver(addr, service)
	b := res.backend()
	if addr.Port() != 0 { // a flow is behind it
		res.ask(b, now)
	}
	b.Addr, b.NodeState = addr, r.nodeState(b.Node, now)
	if r.source.name != "" {
		b.How += ", " + r.source.name
	}
	if why := r.source.distrust(now); why != "" {
		b.NodeState = ""
		b.setUnknown(why, r.source.distrustSince())
	} else if b.State == flow.BackendDeleted && r.source.podlessTooLong(now) {
		b.setUnknown(r.source.podsUnknown(), r.source.podlessSince())
	}
	return b
}

// departed returns since when a pod is gone for which only slices claim, or
// claimed, an address.
func (r *records) departed(ip netip.Addr) (since time.Time, ok bool) {
	examine := func(pod ref) {
		status := r.pods.status(pod)
		if status.presence == podGone && status.notFound && status.at.After(since) && !r.pods.had(pod, ip) {
			since, ok = status.at, true
		}
	}
	for _, c := range r.addrs.of(ip).claimed("") {
		examine(c.pod())
	}
	for _, f := range r.past.claimsAt(ip, "") {
		examine(f.pod)
	}
	return since, ok
}

// notePeers asks for the pods that slices alone say this node has connections
// to.
func (r *records) notePeers(ips map[netip.Addr]struct{}) {
	if !r.source.limited {
		return
	}
	for ip := range ips {
		if entry := r.addrs.of(ip); entry.holder() == nil {
			r.asker.claimed(ip, entry.claimed(""), false)
		}
	}
}
