package owner

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

const (
	refreshAge = time.Second // the shortest time between two passes over all processes
	perSpace   = 4           // processes of one network namespace whose pod is looked up
	perRefresh = 1000        // and of all in one pass
	maxLeft    = 1024        // remembered namespaces without any process
)

// Places knows the pods of network namespaces: a namespace belongs to the pod in whose
// control group a process there is. Addresses do not count. It is safe for concurrent
// use.
type Places struct {
	residents func() ([]flow.Resident, error)
	lookup    func(flow.Process) (flow.Owner, error)
	host      uint32

	refreshing sync.Mutex // held while processes are read and looked up
	at         time.Time

	mu     sync.RWMutex
	seen   map[uint32]bool  // namespaces that had a process at the last pass
	spaces map[uint32]space // those that are a pod's
	homes  map[string]uint32
}

// space is a network namespace of a pod, and the process that proves it.
type space struct {
	podUID string
	proof  flow.Process
}

// NewPlaces returns Places that know nothing yet. residents lists the processes
// of the node, lookup says where one runs, and host is the node's own network
// namespace, which is no pod's.
func NewPlaces(residents func() ([]flow.Resident, error), lookup func(flow.Process) (flow.Owner, error), host uint32) *Places {
	return &Places{residents: residents, lookup: lookup, host: host}
}

// Pod returns the UID of the pod that a network namespace belongs to; "" if no
// process proved one. A namespace whose processes have all gone stays its pod's.
func (p *Places) Pod(netns uint32) string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.spaces[netns].podUID
}

// Elsewhere reports whether a pod is known to live in other network namespaces than
// this one.
func (p *Places) Elsewhere(podUID string, netns uint32) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	home, known := p.homes[podUID]
	return known && home != netns && p.spaces[netns].podUID != podUID
}

// Knows reports whether the last pass saw a process in a network namespace, or an
// earlier one proved its pod.
func (p *Places) Knows(netns uint32) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	_, proven := p.spaces[netns]
	return p.seen[netns] || proven || netns == p.host
}

// Refresh makes a pass over the processes of the node, unless the last one was within
// a second. It asks /proc only about new namespaces.
func (p *Places) Refresh(now time.Time) error {
	p.refreshing.Lock()
	defer p.refreshing.Unlock()
	if now.Sub(p.at) < refreshAge {
		return nil
	}
	p.at = now
	all, err := p.residents()
	if err != nil {
		return fmt.Errorf("read the processes of every network namespace: %w", err)
	}
	spaces := p.prove(p.bySpace(all))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen, p.homes = map[uint32]bool{}, map[string]uint32{}
	for _, r := range all {
		if s, ok := spaces[r.NetNS]; ok && !p.seen[r.NetNS] {
			p.homes[s.podUID] = r.NetNS
		}
		p.seen[r.NetNS] = true
	}
	p.spaces = spaces
	return nil
}

// bySpace returns the processes that the agent can look up, by namespace: the
// oldest first, in the oldest namespace first. So a user who makes thousands of
// namespaces displaces no namespace that was there before.
func (p *Places) bySpace(all []flow.Resident) [][]flow.Resident {
	byNetNS := map[uint32][]flow.Resident{}
	for _, r := range all {
		if r.PID != 0 && r.NetNS != p.host {
			byNetNS[r.NetNS] = append(byNetNS[r.NetNS], r)
		}
	}
	groups := make([][]flow.Resident, 0, len(byNetNS))
	for _, group := range byNetNS {
		slices.SortFunc(group, func(a, b flow.Resident) int { return cmp.Compare(a.Started, b.Started) })
		groups = append(groups, slices.Compact(group))
	}
	slices.SortFunc(groups, func(a, b []flow.Resident) int { return cmp.Compare(a[0].Started, b[0].Started) })
	return groups
}

// prove returns which namespaces belong to a pod. Only Refresh changes p.spaces, so
// prove reads it without the lock.
func (p *Places) prove(groups [][]flow.Resident) map[uint32]space {
	spaces := map[uint32]space{}
	living := map[uint32]bool{}
	left := perRefresh
	for _, group := range groups {
		netns := group[0].NetNS
		living[netns] = true
		was, known := p.spaces[netns]
		if known && slices.ContainsFunc(group, func(r flow.Resident) bool { return r.Process == was.proof }) {
			spaces[netns] = was
			continue
		}
		if s, asked := p.ask(group, &left); s.podUID != "" {
			spaces[netns] = s
		} else if known && !asked {
			spaces[netns] = was
		}
	}
	for netns, was := range p.spaces {
		if len(spaces) >= len(living)+maxLeft {
			break
		}
		if !living[netns] {
			spaces[netns] = was // what its last process left behind may still hang
		}
	}
	return spaces
}

// ask returns the pod of a namespace's oldest processes, and whether any of them
// could be looked up. A namespace that two pods share is a node's.
func (p *Places) ask(group []flow.Resident, left *int) (found space, asked bool) {
	for _, r := range group[:min(len(group), perSpace)] {
		if *left == 0 {
			break
		}
		*left--
		o, err := p.lookup(r.Process)
		if err != nil {
			continue
		}
		asked = true
		switch {
		case o.PodUID == "" || o.PodUID == found.podUID:
		case found.podUID == "":
			found = space{o.PodUID, r.Process}
		default:
			return space{}, true
		}
	}
	return found, asked
}
