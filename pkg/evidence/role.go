package evidence

import "github.com/tcpstuck/tcpstuck/pkg/flow"

// role tells an accepted socket from one that connected. An accepted one is the
// end that conntrack's original direction leads to, or its local port is
// listened on in its namespace. The kernel's mark alone proves nothing: it is
// left on a listener that is taken for a connection of its own. What was once
// proven to be accepted stays so.
func role(s flow.Socket, entry *flow.Translation, l *Listening, before flow.Role) flow.Role {
	if s.State == flow.SynSent {
		return flow.Client
	}
	if before == flow.Server {
		return flow.Server
	}
	if entry == nil {
		return RoleBySocket(s, l)
	}
	if entry.Accepted() {
		return flow.Server
	}
	// Conntrack has seen it connect, or has picked it up in the middle.
	if s.Accepted && l.Now(s) {
		return flow.Server
	}
	return flow.Client
}

// RoleBySocket is role where conntrack tells nothing. A listener that has
// closed since counts for sockets with the kernel's mark: a client may have
// been given its port.
func RoleBySocket(s flow.Socket, l *Listening) flow.Role {
	if l.Now(s) || s.Accepted && l.Before(s) {
		return flow.Server
	}
	return flow.Client
}
