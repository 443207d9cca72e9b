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
	for _, l := range a.o.Listening.Full() {
		if !a.accepts(l, e) {
			continue
		}
		by := a.names.Whose(flow.Socket{NetNS: l.NetNS, Local: l.Local, PID: l.PID, Started: l.Started, Comm: l.Comm}, Owned{})
		e.Listener = diagnosis.ListenerOf(l, by.Local)
		return
	}
}

// accepts reports whether a listener has the address that a flow's segments go to: in the same
// network namespace, or in that of the pod with the address, or in the node's own.
func (a *Asker) accepts(l flow.Listener, e *diagnosis.Evidence) bool {
	to := e.Target()
	if l.Local.Port() != to.Port() {
		return false
	}
	anywhere := l.Local.Addr().IsUnspecified()
	switch {
	case !anywhere && l.Local.Addr() != to.Addr():
		return false
	case l.NetNS == e.Socket.NetNS:
		return to.Addr().IsLoopback() || to.Addr() == e.Socket.Local.Addr() || !anywhere || a.isHere(l.NetNS, e)
	case to.Addr().IsLoopback():
		return false
	}
	return a.isHere(l.NetNS, e)
}

// isHere reports whether a network namespace has the address that a flow's segments go to.
func (a *Asker) isHere(netns uint32, e *diagnosis.Evidence) bool {
	to := e.Target()
	if pod, ok := a.names.Cluster.PodByIP(to.Addr()); ok {
		return pod.UID == a.names.Places.Pod(netns)
	}
	return netns == a.names.HostNetNS && e.Route != nil && e.Route.Type == "local"
}
