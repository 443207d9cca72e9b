package inspector

import (
	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// askBackend fills in what the records say of the address that a flow's
// packets go to. They speak of this node's network: a socket in some other
// namespace may mean another host by the same address.
func (i *Inspector) askBackend(e *diagnosis.Evidence) {
	e.Related = e.Related || i.related(*e)
	if !e.Related {
		e.Backend = cluster.Backend{
			Addr: e.Target(), State: flow.BackendUnknown,
			How: "its socket is in a network namespace that is neither the host's nor a pod's, and conntrack has no entry for it: the records do not speak of the addresses there",
		}
		return
	}
	b := i.o.Cluster.BackendVia(e.Target(), e.Via(), e.Now)
	if b.Unread && e.Backend.State == flow.BackendDeleted && e.Backend.Addr == b.Addr {
		return // who has the address since, and since when, is being asked: what was known stands
	}
	e.Backend = b
}

// related reports whether the addresses that a socket knows are this node's:
// it is in the host's namespace, it has the address of a pod of this node, or
// conntrack, which sees what leaves a pod, has its very connection.
func (i *Inspector) related(e diagnosis.Evidence) bool {
	if e.Host || e.Conntrack.Entry != nil {
		return true
	}
	pod, ok := i.o.Cluster.PodByIP(e.Socket.Local.Addr())
	return ok && (pod.Node == i.store.node || !i.o.Cluster.KnowsNode(i.store.node))
}
