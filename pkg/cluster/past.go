package cluster

import (
	"net/netip"
	"slices"
	"time"
)

// departedPod is a pod that is not in the list any more.
type departedPod struct {
	node        string
	ips         []netip.Addr // that it had last
	hostNetwork bool
	created     time.Time
	notFound    bool // it was never in the list: a lookup did not find it
	at          time.Time
}

// former is a pod that had an address by its own record, or a claim of a slice
// that ended. Whether the pod still lives is not in here: see pods.status.
type former struct {
	pod     ref
	node    string
	created time.Time
	slice   *Slice    // whose claim ended, without its endpoints; nil: the pod's own record
	at      time.Time // when it ended; zero: the record was only forgotten
}

// of reports whether the claim was made by a slice of a Service.
func (f former) of(service Key) bool {
	return service != Key{} && f.slice != nil && f.slice.serviceKey() == service
}

// place is where the claims of one namespace ended.
type place struct {
	ip        netip.Addr
	namespace string
}

const (
	podsPerAddress = 8
	claimsPerPlace = 8
)

// past is what is remembered of deleted pods and of each address. All of it is
// bounded. Claims of slices take no room from the pods' own records, and no
// namespace takes room from another one.
type past struct {
	departed   *fifo[ref, departedPod]
	pods       *fifo[netip.Addr, []former]
	claims     *fifo[place, []former]
	namespaces map[netip.Addr][]string // those in claims
}

func newPast(memory int) *past {
	p := &past{
		departed: newFIFO[ref, departedPod](memory), pods: newFIFO[netip.Addr, []former](memory),
		claims: newFIFO[place, []former](memory), namespaces: make(map[netip.Addr][]string),
	}
	p.claims.dropped = func(at place) {
		p.namespaces[at.ip] = slices.DeleteFunc(p.namespaces[at.ip], func(ns string) bool { return ns == at.namespace })
		if len(p.namespaces[at.ip]) == 0 {
			delete(p.namespaces, at.ip)
		}
	}
	return p
}

// addDeparted records that a pod was deleted.
func (p *past) addDeparted(old *pod, at time.Time) {
	p.departed.put(old.Namespace, old.ref(), departedPod{
		node: old.Node, ips: old.IPs, hostNetwork: old.HostNetwork, created: old.CreatedAt, at: at,
	})
}

// addNotFound records that a lookup did not find a pod. It reports whether
// that is new.
func (p *past) addNotFound(r ref, at time.Time) bool {
	if _, known := p.departed.get(r); known {
		return false
	}
	p.departed.put(r.Namespace, r, departedPod{notFound: true, at: at})
	return true
}

// addPod records that a pod does not have an address any more. It replaces
// what is remembered of the same pod.
func (p *past) addPod(ip netip.Addr, f former) {
	old, _ := p.pods.get(ip)
	list := make([]former, 0, len(old)+1)
	for _, o := range old {
		if o.pod != f.pod {
			list = append(list, o)
		}
	}
	list = append(list, f)
	p.pods.put(f.pod.Namespace, ip, list[max(0, len(list)-podsPerAddress):])
}

// addClaim records that a claim ended. It replaces what is remembered of the
// same pod and Service.
func (p *past) addClaim(ip netip.Addr, f former) {
	at := place{ip, f.pod.Namespace}
	old, known := p.claims.get(at)
	if !known && len(p.namespaces[ip]) >= manyClaims {
		return
	}
	list := make([]former, 0, len(old)+1)
	for _, o := range old {
		if o.pod != f.pod || o.slice.Service != f.slice.Service {
			list = append(list, o)
		}
	}
	list = append(list, f)
	if !known {
		p.namespaces[ip] = append(p.namespaces[ip], at.namespace)
	}
	p.claims.put(at.namespace, at, list[max(0, len(list)-claimsPerPlace):])
}

// podsAt returns the pods that had an address by their own records, oldest
// first.
func (p *past) podsAt(ip netip.Addr) []former {
	all, _ := p.pods.get(ip)
	return all
}

// claimsAt returns the ended claims of one namespace, oldest first, or those of
// all namespaces if it is empty.
func (p *past) claimsAt(ip netip.Addr, namespace string) []former {
	if namespace != "" {
		all, _ := p.claims.get(place{ip, namespace})
		return all
	}
	var all []former
	for _, ns := range p.namespaces[ip] {
		some, _ := p.claims.get(place{ip, ns})
		all = append(all, some...)
	}
	slices.SortStableFunc(all, func(f, g former) int { return f.at.Compare(g.at) })
	return all
}

// at returns the pods that had an address, and the ended claims of a namespace
// (empty: of all), oldest first.
func (p *past) at(ip netip.Addr, namespace string) []former {
	all := slices.Concat(p.podsAt(ip), p.claimsAt(ip, namespace))
	slices.SortStableFunc(all, func(f, g former) int { return f.at.Compare(g.at) })
	return all
}
