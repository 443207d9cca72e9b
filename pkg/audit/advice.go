package audit

import (
	"fmt"
	"strings"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/deadline"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

// advise says how to bound the connections of an edge: by the missing setting,
// by role, and in terms of the program that holds them, if it is known.
func advise(e Edge, s flow.Socket) []flow.Advice {
	var texts []string
	switch e.Class {
	case KeepaliveClipped, KeepaliveIgnored:
		texts = []string{align(s)}
	case Unbounded, UserTimeoutOnly, KeepaliveOnly:
		if e.Owner.Comm == "envoy" {
			texts = envoy(e, s)
			break
		}
		texts = append([]string{sockopt(e, s)}, library(e, s)...)
	}
	advice := make([]flow.Advice, len(texts))
	for i, text := range texts {
		advice[i] = flow.Advice{ForGood: text}
	}
	return advice
}

func align(s flow.Socket) string {
	ends, _ := deadline.WhileIdle(s)
	return fmt.Sprintf("With TCP_USER_TIMEOUT (%s) the kernel does not count TCP_KEEPCNT: an idle connection ends after %s instead of %s. Set TCP_USER_TIMEOUT to TCP_KEEPIDLE + TCP_KEEPINTVL × TCP_KEEPCNT = %d ms, or the three to what the user timeout is meant to be.",
		phrase.Duration(s.UserTimeout), phrase.Duration(ends), phrase.Duration(deadline.ByKeepalive(s)), deadline.ByKeepalive(s).Milliseconds())
}

// sockopt names the socket options that are missing.
func sockopt(e Edge, s flow.Socket) string {
	p := propose(s)
	var options, why []string
	if p.keepalive {
		options = append(options, fmt.Sprintf("SO_KEEPALIVE = 1, TCP_KEEPIDLE = %d, TCP_KEEPINTVL = %d, TCP_KEEPCNT = %d", p.idle/time.Second, p.interval/time.Second, p.probes))
		if s.Keepalive {
			why = append(why, fmt.Sprintf("keepalive takes %s now", phrase.Duration(deadline.ByKeepalive(s))))
		} else {
			why = append(why, "keepalive ends a connection that only waits")
		}
	}
	if s.UserTimeout == 0 {
		options = append(options, fmt.Sprintf("TCP_USER_TIMEOUT = %d ms", p.userTimeout.Milliseconds()))
		why = append(why, "the user timeout ends one with data in flight, where keepalive does not run")
	}
	where := "on the socket"
	if e.Role == flow.Server {
		where = "on the listening socket, from which accepted ones inherit them"
	}
	return fmt.Sprintf("Set %s %s: %s.", strings.Join(options, " and "), where, strings.Join(why, ", "))
}

// envoy says the same for Istio.
func envoy(e Edge, s flow.Socket) []string {
	p := propose(s)
	if e.Role == flow.Server {
		return []string{fmt.Sprintf("EnvoyFilter, applyTo: LISTENER, patch: {operation: MERGE, value: {socket_options: [%s]}}", strings.Join(socketOptions(p, s), ", "))}
	}
	var texts []string
	if p.keepalive {
		texts = append(texts, fmt.Sprintf("DestinationRule, trafficPolicy: {connectionPool: {tcp: {tcpKeepalive: {time: %ds, interval: %ds, probes: %d}}}}", p.idle/time.Second, p.interval/time.Second, p.probes))
	}
	if s.UserTimeout == 0 {
		texts = append(texts, fmt.Sprintf("EnvoyFilter, applyTo: CLUSTER, patch: {operation: MERGE, value: {upstream_bind_config: {source_address: {address: 0.0.0.0, port_value: 0}, socket_options: [%s]}}}", socketOption(6, 18, p.userTimeout.Milliseconds())))
	}
	return texts
}

// socketOptions are Envoy's: 1/9 SO_KEEPALIVE, 6/4 TCP_KEEPIDLE, 6/5
// TCP_KEEPINTVL, 6/6 TCP_KEEPCNT, 6/18 TCP_USER_TIMEOUT in ms.
func socketOptions(p proposal, s flow.Socket) []string {
	var options []string
	if p.keepalive {
		options = append(options, socketOption(1, 9, 1), socketOption(6, 4, int64(p.idle/time.Second)),
			socketOption(6, 5, int64(p.interval/time.Second)), socketOption(6, 6, int64(p.probes)))
	}
	if s.UserTimeout == 0 {
		options = append(options, socketOption(6, 18, p.userTimeout.Milliseconds()))
	}
	return options
}

func socketOption(level, name int, value int64) string {
	return fmt.Sprintf("{level: %d, name: %d, int_value: %d, state: STATE_PREBIND}", level, name, value)
}

const (
	postgreSQL = 5432
	mySQL      = 3306
)

// library says how clients of well-known kinds take these options.
func library(e Edge, s flow.Socket) []string {
	const grpc = "gRPC: keepalive of the %s (Time, Timeout) asks the peer while a call waits; Go's and C's also set TCP_USER_TIMEOUT by it."
	if e.Role == flow.Server {
		return []string{fmt.Sprintf(grpc, "server")}
	}
	java, p := e.Owner.Comm == "java", propose(s)
	switch {
	case java && (e.Peer.Port == postgreSQL || e.Peer.Port == mySQL):
		return []string{"JDBC: tcpKeepAlive=true for pooled connections, and socketTimeout for queries (in seconds for PostgreSQL, in ms for MySQL); poll keeps that one, so it does not show here."}
	case java:
		return []string{"Java: setKeepAlive(true) with ExtendedSocketOptions.TCP_KEEPIDLE, and a read time-out (setSoTimeout); poll keeps that one, so it does not show here.", fmt.Sprintf(grpc, "client")}
	case e.Peer.Port == postgreSQL:
		return []string{fmt.Sprintf("libpq: keepalives_idle=%d keepalives_interval=%d keepalives_count=%d tcp_user_timeout=%d in the connection string.", p.idle/time.Second, p.interval/time.Second, p.probes, p.userTimeout.Milliseconds())}
	}
	return []string{fmt.Sprintf(grpc, "client")}
}
