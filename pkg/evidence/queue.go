package evidence

import (
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// askListener adds the listener of this node that a flow waits for, if that has no room. Only a
// connection that is not whole yet waits for one.
func (a *Asker) askListener(e *diagnosis.Evidence) {
	e.Listener = nil
	s := &e.Socket
	if a.o.Listening == nil || s.State != flow.SynSent && !s.NeverAcked {
		return
	}
	l := a.listenerOf(e)
	if l == nil {
		return
	}
	by := a.names.Whose(flow.Socket{NetNS: l.NetNS, Local: e.Target(), PID: l.PID, Started: l.Started, Comm: l.Comm}, Owned{})
	e.Listener = diagnosis.ListenerOf(*l, by.Local)
}

// listenerOf returns the listener without room that has the address of a flow's segments: one in a
// network namespace that has the address for certain, or the only one that may have it.
func (a *Asker) listenerOf(e *diagnosis.Evidence) *flow.Listener {
	var perhaps []*flow.Listener
	full := a.o.Listening.Full()
	for i := range full {
		l, to := &full[i], e.Target()
		if l.Local.Port() != to.Port() || !l.Local.Addr().IsUnspecified() && l.Local.Addr() != to.Addr() {
			continue
		}
		switch a.has(l.NetNS, e) {
		case certain:
			return l
		case possible:
			perhaps = append(perhaps, l)
		}
	}
	if len(perhaps) == 1 {
		return perhaps[0]
	}
	return nil
}

// belief is whether a network namespace has an address.
type belief uint8

const (
	impossible belief = iota
	possible
	certain
)

// has says whether a network namespace has the address that a flow's segments go to.
func (a *Asker) has(netns uint32, e *diagnosis.Evidence) belief {
	to := e.Target().Addr()
	switch {
	case to.IsLoopback(), to == e.Socket.Local.Addr():
		return certainIf(netns == e.Socket.NetNS)
	case e.Host && e.Route != nil && e.Route.Type == "local":
		return certainIf(netns == e.Socket.NetNS)
	}
	pod, ok := a.names.Cluster.PodByIP(to)
	if !ok || a.names.Cluster.KnowsNode(a.o.Node) && pod.Node != a.o.Node {
		return impossible
	}
	if uid := a.names.Places.Pod(netns); uid != "" {
		return certainIf(uid == pod.UID)
	}
	if netns == a.names.HostNetNS {
		return impossible
	}
	return possible
}

func certainIf(yes bool) belief {
	if yes {
		return certain
	}
	return impossible
}
