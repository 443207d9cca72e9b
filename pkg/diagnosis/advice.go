package diagnosis

import (
	"fmt"
	"net/netip"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

func now(format string, args ...any) flow.Advice {
	return flow.Advice{Now: fmt.Sprintf(format, args...)}
}

func forGood(format string, args ...any) flow.Advice {
	return flow.Advice{ForGood: fmt.Sprintf(format, args...)}
}

// adviseStaleConntrack: deleting the entry cures a socket that still sends. It does
// nothing for an idle socket, and does harm while there is no backend to go to.
func adviseStaleConntrack(e Evidence) []flow.Advice {
	if Symptom(e.Socket) == flow.HalfOpen {
		return append(kill(e), bound(e)...)
	}
	remove := now("%s", e.Conntrack.Entry.DeleteCommand())
	if e.Service != nil && e.Service.Backends == 0 {
		wait := now("First wait until %s has a ready endpoint: without one kube-proxy rejects the next segment, which an established socket takes for a passing error.", place(e))
		return append([]flow.Advice{wait, remove}, bound(e)...)
	}
	then := "the next retransmission reach a living backend, which resets the connection: its owner reads ECONNRESET and can reconnect"
	if e.Socket.State == flow.SynSent {
		then = "the next SYN reach a living backend: the connection comes about"
	}
	look := now("That lets %s. Look again afterwards: where kube-proxy has not yet dropped the dead backend from its rules, the flow is sent there anew.", then)
	return append([]flow.Advice{remove, look}, bound(e)...)
}

func advisePeerDeleted(e Evidence) []flow.Advice {
	return append(kill(e), bound(e)...)
}

func advisePeerUnreachable(e Evidence) []flow.Advice {
	advice := []flow.Advice{now("Nothing here is known to be dead: do not delete anything. Look at the way to %s first.", e.Target())}
	if e.Backend.Node != "" {
		advice = append(advice, now("kubectl describe node %s", e.Backend.Node))
	}
	return append(advice, bound(e)...)
}

func advisePeerSilent(e Evidence) []flow.Advice {
	advice := []flow.Advice{now("Ask whoever runs %s whether it lives, and look at firewalls and NAT gateways between: they forget idle connections.", place(e))}
	return append(append(advice, kill(e)...), bound(e)...)
}

func adviseAddressReused(e Evidence) []flow.Advice {
	if e.redirected() {
		return adviseStaleConntrack(e)
	}
	return advisePeerDeleted(e)
}

func advisePeerTerminating(e Evidence) []flow.Advice {
	advice := []flow.Advice{now("Wait for the pod to end, or see why it does not answer while it drains: kubectl describe pod -n %s %s", e.Backend.Namespace, e.Backend.Pod)}
	return append(advice, bound(e)...)
}

func adviseConntrackMissing(e Evidence) []flow.Advice {
	var advice []flow.Advice
	if e.Service != nil && e.Service.Backends == 0 {
		advice = append(advice, now("kubectl get endpointslices -n %s -l kubernetes.io/service-name=%s", e.Peer.Namespace, e.Peer.Service))
	}
	return append(append(advice, kill(e)...), bound(e)...)
}

func advisePathDrop(e Evidence) []flow.Advice {
	return []flow.Advice{
		now("See whether large packets get through:\n%sping -M do -s 1472 -c 3 %s", inside(e), e.Target().Addr()),
		now("%sip route get %s", inside(e), e.Target().Addr()),
		forGood("Let ICMP \"fragmentation needed\" through, set the CNI's MTU below the path's, or switch on net.ipv4.tcp_mtu_probing."),
	}
}

func adviseLocalFilter(e Evidence) []flow.Advice {
	return append([]flow.Advice{
		now("%snft list ruleset", inside(e)),
		now("%stc -s qdisc show", inside(e)),
	}, bound(e)...)
}

func adviseNoRoute(e Evidence) []flow.Advice {
	return append([]flow.Advice{now("%sip route get %s", inside(e), e.Target().Addr())}, bound(e)...)
}

func adviseSlowReader(e Evidence) []flow.Advice {
	advice := []flow.Advice{now("Find out why the reader at %s has stopped: a stack trace of that process, or its own stuck upstream.", e.Target())}
	return append(advice, forGood("Give the application a write timeout: TCP_USER_TIMEOUT also bounds a zero window, but kills readers that are merely slow."))
}

func adviseUnknown(e Evidence) []flow.Advice {
	return append([]flow.Advice{now("Look at the socket as the kernel shows it:\n%sss -tinop %s", inside(e), filter(e.Socket))}, bound(e)...)
}

// kill is the command that ends one connection at once.
func kill(e Evidence) []flow.Advice {
	return []flow.Advice{now("End this one connection, if you cannot wait: its owner reads ECONNABORTED and can reconnect.\n%sss -K %s", inside(e), filter(e.Socket))}
}

// inside prefixes a command so that it runs in the socket's own network
// namespace.
func inside(e Evidence) string {
	if e.Local.PID == 0 {
		return ""
	}
	return fmt.Sprintf("nsenter -t %d -n ", e.Local.PID)
}

func filter(s flow.Socket) string {
	return fmt.Sprintf("src %s sport = :%d dst %s dport = :%d", literal(s.Local.Addr()), s.Local.Port(), literal(s.Remote.Addr()), s.Remote.Port())
}

func literal(a netip.Addr) string {
	if a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}

// bound is the setting that keeps a flow from hanging for a quarter of an hour. It
// depends on the role, because an accepted socket takes its options from its
// listener. An idle one has nothing that could time out.
func bound(e Evidence) []flow.Advice {
	if Symptom(e.Socket) == flow.HalfOpen {
		return []flow.Advice{keepalive(e)}
	}
	if e.Socket.State == flow.SynSent {
		return []flow.Advice{forGood("Give the application a connect timeout of a few seconds, and let it try again; net.ipv4.tcp_syn_retries bounds those that have none.")}
	}
	if e.Socket.UserTimeout > 0 {
		return []flow.Advice{forGood("TCP_USER_TIMEOUT is set to %s, which bounds the wait: shorten it if that is too long.", phrase.Duration(e.Socket.UserTimeout))}
	}
	if e.Role == flow.Server {
		return []flow.Advice{forGood("Set TCP_USER_TIMEOUT (30 s, say) on the listening socket: accepted ones inherit it. Add keepalive for connections that only read.")}
	}
	return []flow.Advice{
		forGood("Set TCP_USER_TIMEOUT (30 s, say) on the client's socket. Keepalive alone does not help: it does not run while data is unacknowledged."),
		forGood("Behind Envoy or Istio: socket_options level 6, name 18 (TCP_USER_TIMEOUT, in ms) on the cluster's upstream_bind_config."),
	}
}

// keepalive is the only setting by which an idle socket notices.
func keepalive(e Evidence) flow.Advice {
	if e.Socket.Keepalive {
		return forGood("Keepalive is on: shorten TCP_KEEPIDLE and TCP_KEEPINTVL if it takes too long. By default Linux asks after two hours.")
	}
	where := "the client's socket"
	if e.Role == flow.Server {
		where = "the listening socket: accepted ones inherit it"
	}
	return forGood("Switch on keepalive (SO_KEEPALIVE, with TCP_KEEPIDLE of 30 s, say) on %s. TCP_USER_TIMEOUT alone does not help: it does not run while nothing is outstanding.", where)
}
