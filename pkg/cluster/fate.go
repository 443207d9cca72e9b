package cluster

import (
	"net/netip"
	"slices"
	"time"
)

// fateKind is what became of a pod.
type fateKind int

const (
	unnamed fateKind = iota // no pod was named
	living                  // in the list, and not finished
	dead                    // seen to go, asked for and not found, or finished
	unseen                  // not in the list, and never was, as far as is remembered
)

// fate is what became of a pod, and when.
type fate struct {
	kind        fateKind
	terminating bool      // living
	finished    bool      // dead, but still in the list
	asked       bool      // dead, though it was never in the list
	at          time.Time // dead: since when
	node        string
	created     time.Time
}

// fate returns what became of a pod.
func (s *State) fate(id string) fate {
	if id == "" {
		return fate{kind: unnamed}
	}
	if p := s.podsByID[id]; p != nil {
		f := fate{kind: living, terminating: p.Terminating, node: p.Node, created: p.CreatedAt}
		if p.Finished {
			f.kind, f.finished, f.at = dead, true, p.changed
		}
		return f
	}
	if g, ok := s.gonePods.get(id); ok {
		return fate{kind: dead, asked: g.asked, at: g.at, node: g.node, created: g.created}
	}
	return fate{kind: unseen}
}

// hostPod reports whether a pod is, or was, known to use its host's network.
func (s *State) hostPod(id string) bool {
	if p := s.podsByID[id]; p != nil {
		return p.HostNetwork
	}
	g, ok := s.gonePods.get(id)
	return ok && g.hostNetwork
}

// lastDead returns the last other pod that had an address and is gone.
func (s *State) lastDead(ip netip.Addr, id string) *Former {
	formers, _ := s.formers.get(ip)
	for _, f := range slices.Backward(formers) {
		if f.id == id || s.hostPod(f.id) {
			continue
		}
		if fate := s.fate(f.id); fate.kind == dead {
			return &Former{
				Namespace: f.pod.Namespace, Pod: f.pod.Name, UID: f.uid, Node: f.node, CreatedAt: fate.created, GoneAt: fate.at,
			}
		}
	}
	return nil
}

// lastServices returns the services that listed a pod at an address before,
// sorted.
func (s *State) lastServices(addr netip.AddrPort, id string) []string {
	formers, _ := s.formers.get(addr.Addr())
	var names []string
	for _, f := range formers {
		if f.id == id && f.service() != "" && f.slice.serves(addr.Port()) {
			names = append(names, f.slice.service())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// podName names a pod in evidence.
func podName(k Key, uid string) string {
	if uid == "" {
		return "pod " + k.String()
	}
	return "pod " + k.String() + " (uid " + uid + ")"
}
