package cluster

import (
	"net/netip"
	"slices"
	"time"
)

// former is a pod that had an address, by its own record, or a claim to it
// that ended. What became of the pod is not in here: see State.fate.
type former struct {
	pod     ref
	node    string
	created time.Time
	slice   *Slice    // whose listing ended, without its endpoints; nil: the pod's own record
	at      time.Time // when it left; zero: the record was only forgotten
}

// place is where a namespace's claims ended.
type place struct {
	ip        netip.Addr
	namespace string
}

const (
	tenantsPerAddress = 8
	leftsPerPlace     = 8
)

// past is who had, or was said to have, each address. Both are bounded; what
// slices said takes no room from what pods' own records did, nor one
// namespace's from another's.
type past struct {
	tenants  *fifo[netip.Addr, []former]
	lefts    *fifo[place, []former]
	speakers map[netip.Addr][]string // the namespaces in lefts
}

func newPast(memory int) past {
	p := past{
		tenants: newFIFO[netip.Addr, []former](memory), lefts: newFIFO[place, []former](memory),
		speakers: make(map[netip.Addr][]string),
	}
	p.lefts.dropped = func(at place) {
		p.speakers[at.ip] = slices.DeleteFunc(p.speakers[at.ip], func(ns string) bool { return ns == at.namespace })
		if len(p.speakers[at.ip]) == 0 {
			delete(p.speakers, at.ip)
		}
	}
	return p
}

// vacated records that a pod does not have an address any more. Of one pod
// only the last time counts.
func (p *past) vacated(ip netip.Addr, t former) {
	old, _ := p.tenants.get(ip)
	list := make([]former, 0, len(old)+1)
	for _, o := range old {
		if o.pod != t.pod {
			list = append(list, o)
		}
	}
	list = append(list, t)
	p.tenants.put(t.pod.Namespace, ip, list[max(0, len(list)-tenantsPerAddress):])
}

// unlisted records that a claim ended. Of one pod and service only the last
// time counts.
func (p *past) unlisted(ip netip.Addr, l former) {
	at := place{ip, l.pod.Namespace}
	old, known := p.lefts.get(at)
	if !known && len(p.speakers[ip]) >= crowd {
		return
	}
	list := make([]former, 0, len(old)+1)
	for _, o := range old {
		if o.pod != l.pod || o.slice.Service != l.slice.Service {
			list = append(list, o)
		}
	}
	list = append(list, l)
	if !known {
		p.speakers[ip] = append(p.speakers[ip], at.namespace)
	}
	p.lefts.put(at.namespace, at, list[max(0, len(list)-leftsPerPlace):])
}

// said returns the claims of a namespace that ended, oldest first; empty:
// those of every one.
func (p *past) said(ip netip.Addr, namespace string) []former {
	if namespace != "" {
		all, _ := p.lefts.get(place{ip, namespace})
		return all
	}
	var all []former
	for _, ns := range p.speakers[ip] {
		some, _ := p.lefts.get(place{ip, ns})
		all = append(all, some...)
	}
	slices.SortStableFunc(all, func(l, m former) int { return l.at.Compare(m.at) })
	return all
}

// had returns the pods that had an address, oldest first.
func (p *past) had(ip netip.Addr) []former {
	all, _ := p.tenants.get(ip)
	return all
}
