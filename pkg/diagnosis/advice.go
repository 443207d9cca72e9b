package diagnosis

import (
	"net/netip"
	"strconv"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

func now(text string) flow.Advice { return flow.Advice{Now: text} }

func forGood(text string) flow.Advice { return flow.Advice{ForGood: text} }

// kill is the command that ends one connection at once.
func kill(e *Evidence) flow.Advice {
	return now("End this one connection, if you cannot wait: its owner reads ECONNABORTED and can reconnect.\n" + inside(e) + "ss -K " + filter(&e.Socket))
}

// inside prefixes a command so that it runs in the socket's own network
// namespace, if a living process is known there.
func inside(e *Evidence) string {
	if e.Local.PID == 0 || e.Local.Exited {
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
