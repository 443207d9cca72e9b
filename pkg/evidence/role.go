package evidence

import "github.com/tcpstuck/tcpstuck/pkg/flow"

// role tells an accepted socket from one that connected. An accepted one is the
// end that conntrack's original direction leads to, or its namespace has a
// listener on its local port. The kernel's mark alone proves nothing: a listener
// that disconnects and connects keeps it. Once proven, an accepted socket stays
// one.
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
	// Conntrack has seen it connect, or has picked it up later.
	if s.Accepted && l.Now(s) {
		return flow.Server
	}
	return flow.Client
}

// RoleBySocket is role without an answer of conntrack. A listener that has
// closed since counts only for sockets with the kernel's mark, because a client
// may have got its port.
func RoleBySocket(s flow.Socket, l *Listening) flow.Role {
	if l.Now(s) || s.Accepted && l.Before(s) {
		return flow.Server
	}
	return flow.Client
}
