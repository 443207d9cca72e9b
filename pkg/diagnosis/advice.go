package diagnosis

import (
	"net/netip"
	"strconv"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

func now(text string) flow.Advice { return flow.Advice{Now: text} }

func forGood(text string) flow.Advice { return flow.Advice{ForGood: text} }

// adviseStaleConntrack: deleting the entry cures a socket that still sends. It does
// nothing for an idle socket, and does harm while there is no backend to go to.
func adviseStaleConntrack(e *Evidence) []flow.Advice {
	if symptom(&e.Socket) == flow.HalfOpen {
		return bounded(e, kill(e))
	}
	remove := now(e.Conntrack.Entry.DeleteCommand())
	if e.Service != nil && e.Service.Backends == 0 {
		wait := now("First wait until " + place(e) + " has a ready endpoint: without one kube-proxy rejects the next segment, which an established socket takes for a passing error.")
		return bounded(e, wait, remove)
	}
	then := "the next retransmission reach a living backend, which resets the connection: its owner reads ECONNRESET and can reconnect"
	if e.Socket.State == flow.SynSent {
		then = "the next SYN reach a living backend: the connection comes about"
	}
	look := now("That lets " + then + ". Look again afterwards: where kube-proxy has not yet dropped the dead backend from its rules, the flow is sent there anew.")
	return bounded(e, remove, look)
}

func advisePeerDeleted(e *Evidence) []flow.Advice { return bounded(e, kill(e)) }

func advisePeerUnreachable(e *Evidence) []flow.Advice {
	look := now("Nothing here is known to be dead: do not delete anything. Look at the way to " + target(e).String() + " first.")
	if e.Backend.Node == "" {
		return bounded(e, look)
	}
	return bounded(e, look, now("kubectl describe node "+e.Backend.Node))
}

func advisePeerSilent(e *Evidence) []flow.Advice {
	ask := now("Ask whoever runs " + place(e) + " whether it lives, and look at firewalls and NAT gateways between: they forget idle connections.")
	return bounded(e, ask, kill(e))
}

func adviseAddressReused(e *Evidence) []flow.Advice {
	if redirected(e) {
		return adviseStaleConntrack(e)
	}
	return advisePeerDeleted(e)
}

func advisePeerTerminating(e *Evidence) []flow.Advice {
	return bounded(e, now("Wait for the pod to end, or see why it does not answer while it drains: kubectl describe pod -n "+e.Backend.Namespace+" "+e.Backend.Pod))
}

func adviseConntrackMissing(e *Evidence) []flow.Advice {
	if e.Service != nil && e.Service.Backends == 0 {
		see := now("kubectl get endpointslices -n " + e.Peer.Namespace + " -l kubernetes.io/service-name=" + e.Peer.Service)
		return bounded(e, see, kill(e))
	}
	return bounded(e, kill(e))
}

func advisePathDrop(e *Evidence) []flow.Advice {
	prefix, addr := inside(e), target(e).Addr().String()
	return []flow.Advice{
		now("See whether large packets get through:\n" + prefix + "ping -M do -s 1472 -c 3 " + addr),
		now(prefix + "ip route get " + addr),
		forGood("Let ICMP \"fragmentation needed\" through, set the CNI's MTU below the path's, or switch on net.ipv4.tcp_mtu_probing."),
	}
}

func adviseLocalFilter(e *Evidence) []flow.Advice {
	prefix := inside(e)
	return bounded(e, now(prefix+"nft list ruleset"), now(prefix+"tc -s qdisc show"))
}

func adviseNoRoute(e *Evidence) []flow.Advice {
	return bounded(e, now(inside(e)+"ip route get "+target(e).Addr().String()))
}

func adviseSlowReader(e *Evidence) []flow.Advice {
	return []flow.Advice{
		now("Find out why the reader at " + target(e).String() + " has stopped: a stack trace of that process, or its own stuck upstream."),
		forGood("Give the application a write timeout: TCP_USER_TIMEOUT also bounds a zero window, but kills readers that are merely slow."),
	}
}

func adviseUnknown(e *Evidence) []flow.Advice {
	return bounded(e, now("Look at the socket as the kernel shows it:\n"+inside(e)+"ss -tinop "+filter(&e.Socket)))
}

// kill is the command that ends one connection at once.
func kill(e *Evidence) flow.Advice {
	return now("End this one connection, if you cannot wait: its owner reads ECONNABORTED and can reconnect.\n" + inside(e) + "ss -K " + filter(&e.Socket))
}

// inside prefixes a command so that it runs in the socket's own network
// namespace.
func inside(e *Evidence) string {
	if e.Local.PID == 0 {
		return ""
	}
	return "nsenter -t " + strconv.FormatUint(uint64(e.Local.PID), 10) + " -n "
}

func filter(s *flow.Socket) string {
	return "src " + literal(s.Local.Addr()) + " sport = :" + strconv.Itoa(int(s.Local.Port())) +
		" dst " + literal(s.Remote.Addr()) + " dport = :" + strconv.Itoa(int(s.Remote.Port()))
}

func literal(a netip.Addr) string {
	if a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}

// bounded is the advice for now, followed by the setting that keeps a flow from
// hanging for a quarter of an hour. That depends on the role, because an accepted
// socket takes its options from its listener. An idle one has nothing that could time
// out.
func bounded(e *Evidence, first ...flow.Advice) []flow.Advice {
	all := append(make([]flow.Advice, 0, len(first)+2), first...)
	switch {
	case symptom(&e.Socket) == flow.HalfOpen:
		return append(all, keepalive(e))
	case e.Socket.State == flow.SynSent:
		return append(all, forGood("Give the application a connect timeout of a few seconds, and let it try again; net.ipv4.tcp_syn_retries bounds those that have none."))
	case e.Socket.UserTimeout > 0:
		return append(all, forGood("TCP_USER_TIMEOUT is set to "+phrase.Duration(e.Socket.UserTimeout)+", which bounds the wait: shorten it if that is too long."))
	case e.Role == flow.Server:
		return append(all, forGood("Set TCP_USER_TIMEOUT (30 s, say) on the listening socket: accepted ones inherit it. Add keepalive for connections that only read."))
	}
	return append(all,
		forGood("Set TCP_USER_TIMEOUT (30 s, say) on the client's socket. Keepalive alone does not help: it does not run while data is unacknowledged."),
		forGood("Behind Envoy or Istio: socket_options level 6, name 18 (TCP_USER_TIMEOUT, in ms) on the cluster's upstream_bind_config."),
	)
}

// keepalive is the only setting by which an idle socket notices.
func keepalive(e *Evidence) flow.Advice {
	if e.Socket.Keepalive {
		return forGood("Keepalive is on: shorten TCP_KEEPIDLE and TCP_KEEPINTVL if it takes too long. By default Linux asks after two hours.")
	}
	where := "the client's socket"
	if e.Role == flow.Server {
		where = "the listening socket: accepted ones inherit it"
	}
	return forGood("Switch on keepalive (SO_KEEPALIVE, with TCP_KEEPIDLE of 30 s, say) on " + where + ". TCP_USER_TIMEOUT alone does not help: it does not run while nothing is outstanding.")
}
