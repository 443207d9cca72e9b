package audit_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/internal/golden"
	"github.com/tcpstuck/tcpstuck/pkg/audit"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

var at = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// plain is a client's socket as the kernel makes it.
func plain() flow.AuditSocket {
	return flow.AuditSocket{Socket: flow.Socket{
		ID: 0x1f3a, State: flow.Established, PID: 4711, Comm: "client", Retries2: 15, RTOMax: 2 * time.Minute,
		Local: netip.MustParseAddrPort("192.168.75.2:43580"), Remote: netip.MustParseAddrPort("10.96.0.10:8000"),
		KeepaliveIdle: 2 * time.Hour, KeepaliveInterval: 75 * time.Second, KeepaliveProbes: 9,
	}}
}

// keepalive is a client's socket with keepalive of 60 s, 10 s and 3 probes: 90 s.
func keepalive(s *flow.AuditSocket) {
	s.Keepalive, s.KeepaliveIdle, s.KeepaliveInterval, s.KeepaliveProbes = true, time.Minute, 10*time.Second, 3
}

func userTimeout(d time.Duration) func(*flow.AuditSocket) {
	return func(s *flow.AuditSocket) { s.UserTimeout = d }
}

func with(changes ...func(*flow.AuditSocket)) flow.AuditSocket {
	s := plain()
	for _, change := range changes {
		change(&s)
	}
	return s
}

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		name   string
		socket flow.AuditSocket
		want   audit.Class
	}{
		{"nothing set", with(), audit.Unbounded},
		{"SO_RCVTIMEO bounds calls, not the connection", with(func(s *flow.AuditSocket) { s.ReceiveTimeout = time.Second }), audit.Unbounded},
		{"keepalive", with(keepalive), audit.KeepaliveOnly},
		{"user timeout", with(userTimeout(30 * time.Second)), audit.UserTimeoutOnly},
		{"both agree", with(keepalive, userTimeout(90*time.Second)), audit.Bounded},
		{"both agree, on the grid of the probes", with(keepalive, userTimeout(80500*time.Millisecond)), audit.Bounded},
		{"user timeout before the last probe", with(keepalive, userTimeout(80*time.Second)), audit.KeepaliveClipped},
		{"user timeout before the first probe", with(keepalive, userTimeout(10*time.Second)), audit.KeepaliveClipped},
		{"user timeout after the last probe", with(keepalive, userTimeout(91*time.Second)), audit.KeepaliveIgnored},
		{"one probe is always sent", with(keepalive, userTimeout(10*time.Second), func(s *flow.AuditSocket) { s.KeepaliveProbes = 1 }), audit.Bounded},
	} {
		if got := audit.Classify(c.socket.Socket); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func service() audit.Peer {
	return audit.Peer{Class: flow.PeerService, Namespace: "default", Service: "server", Port: 8000}
}

func client() audit.Owner {
	return audit.Owner{Namespace: "default", Workload: "client", WorkloadKind: "Deployment", Comm: "client"}
}

func TestConnectionsAreGrouped(t *testing.T) {
	second := with(func(s *flow.AuditSocket) {
		s.ID, s.Local = 0x1f3b, netip.MustParseAddrPort("192.168.75.2:43581")
		s.KeepaliveIdle = time.Hour // of a keepalive that is off
	})
	accepted := with(keepalive, func(s *flow.AuditSocket) { s.Accepted = true })
	r := audit.New("node-a", at, []audit.Connection{
		{Socket: with(keepalive), Owner: client(), Peer: service()},
		{Socket: with(), Owner: client(), Peer: service()},
		{Socket: second, Owner: client(), Peer: service()},
		{Socket: accepted, Owner: client(), Peer: service()},
		{Socket: with(userTimeout(time.Minute)), Owner: client(), Peer: service()},
		{Socket: with(keepalive, userTimeout(90*time.Second)), Owner: client(), Peer: service()},
		{Socket: with(), Owner: client(), Peer: audit.Peer{Class: flow.PeerSelf, Port: 8000}},
	})
	if r.Node != "node-a" || !r.At.Equal(at) || r.Connections != 7 || r.Bounded != 1 || r.Local != 1 || len(r.NotSeen) == 0 {
		t.Errorf("%+v", r)
	}
	type row struct {
		Class       audit.Class
		Role        flow.Role
		Connections int
		Idle        float64 // -1: for ever
		Sending     float64
		Example     string
	}
	var got []row
	for _, f := range r.Findings {
		idle := -1.0
		if f.WhileIdle != nil {
			idle = *f.WhileIdle
		}
		got = append(got, row{f.Class, f.Role, f.Connections, idle, f.WhileSending, f.Example.ID})
	}
	want := []row{
		{audit.Unbounded, flow.Client, 2, -1, 924.6, "1f3a"},
		{audit.UserTimeoutOnly, flow.Client, 1, -1, 60, "1f3a"},
		{audit.KeepaliveOnly, flow.Client, 1, 90, 924.6, "1f3a"},
		{audit.KeepaliveOnly, flow.Server, 1, 90, 924.6, "1f3a"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestNoConnectionIsAnEmptyList(t *testing.T) {
	if r := audit.New("", at, nil); r.Findings == nil {
		t.Error("no findings are an empty list in JSON, never null")
	}
}

// TestAdvice shows every advice that there is, to be read by people.
func TestAdvice(t *testing.T) {
	var b strings.Builder
	for _, c := range []struct {
		name     string
		socket   flow.AuditSocket
		comm     string
		port     uint16
		accepted bool
	}{
		{"client, nothing set", with(), "client", 8000, false},
		{"client, keepalive of the kernel's defaults", with(func(s *flow.AuditSocket) { s.Keepalive = true }), "client", 8000, false},
		{"client, keepalive", with(keepalive), "client", 8000, false},
		{"client, user timeout", with(userTimeout(30 * time.Second)), "client", 8000, false},
		{"client, clipped", with(keepalive, userTimeout(10*time.Second)), "client", 8000, false},
		{"client, ignored", with(keepalive, userTimeout(120*time.Second)), "client", 8000, false},
		{"server, nothing set", with(), "server", 8000, true},
		{"server, keepalive", with(keepalive), "server", 8000, true},
		{"java, HTTP", with(), "java", 8080, false},
		{"java, PostgreSQL", with(), "java", 5432, false},
		{"python, PostgreSQL", with(), "python3", 5432, false},
		{"envoy upstream, nothing set", with(), "envoy", 8000, false},
		{"envoy upstream, keepalive", with(keepalive), "envoy", 8000, false},
		{"envoy downstream, nothing set", with(), "envoy", 8443, true},
		{"envoy downstream, keepalive", with(keepalive), "envoy", 8443, true},
	} {
		c.socket.Accepted = c.accepted
		r := audit.New("", at, []audit.Connection{{Socket: c.socket, Owner: audit.Owner{Comm: c.comm}, Peer: audit.Peer{Class: flow.PeerExternal, Port: c.port}}})
		if len(r.Findings) != 1 {
			t.Fatalf("%s: %d findings", c.name, len(r.Findings))
		}
		fmt.Fprintf(&b, "%s: %s\n", c.name, r.Findings[0].Class)
		for _, a := range r.Findings[0].Advice {
			fmt.Fprintf(&b, "  %s\n", a.ForGood)
		}
	}
	golden.Check(t, "testdata/advice.golden", []byte(b.String()))
}
