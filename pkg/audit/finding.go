package audit

import (
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/deadline"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Report is the answer to an audit of one node.
type Report struct {
	APIVersion  string    `json:"apiVersion"`
	Node        string    `json:"node"`
	At          time.Time `json:"at"`
	Connections int       `json:"connections"` // looked at
	// Bounded and Local are in no finding. The first have both bounds. The
	// second have their peer in the same network namespace, where the kernel
	// always reports its end.
	Bounded  int       `json:"bounded"`
	Local    int       `json:"local"`
	Findings []Finding `json:"findings"` // worst first
	// NotSeen says what no audit from outside can see.
	NotSeen []string `json:"not_seen"`
}

// Finding is the connections of one workload to one peer with the same
// settings. Bounds are lower bounds, in seconds since the last segment from the
// peer; the kernel's timer wheel and last back-off add up to a tenth.
type Finding struct {
	Edge
	Connections int `json:"connections"`
	// WhileIdle is how long a connection that waits outlives its peer; null:
	// for ever.
	WhileIdle    *float64      `json:"hangs_idle_seconds"`
	WhileSending float64       `json:"hangs_sending_seconds"`
	Example      Example       `json:"example"`
	Advice       []flow.Advice `json:"advice"`
}

// Edge is what the connections of a finding share.
type Edge struct {
	Class    Class     `json:"class"`
	Role     flow.Role `json:"role"`
	Owner    Owner     `json:"owner"`
	Peer     Peer      `json:"peer"`
	Settings Settings  `json:"settings"`
}

// Owner is the workload that holds a connection, or the process outside any
// pod. Empty fields are not known.
type Owner struct {
	Namespace    string `json:"namespace,omitempty"`
	Workload     string `json:"workload,omitempty"` // of a pod without one: the pod
	WorkloadKind string `json:"workload_kind,omitempty"`
	Container    string `json:"container,omitempty"`
	Comm         string `json:"comm"`
}

// Peer is the other end, without anything that differs from one connection to
// the next. Empty fields are not known, or do not matter.
type Peer struct {
	Class     flow.PeerClass `json:"class,omitempty"`
	Namespace string         `json:"namespace,omitempty"`
	Service   string         `json:"service,omitempty"`
	Workload  string         `json:"workload,omitempty"`
	Name      string         `json:"name,omitempty"` // the --name label
	// Address is left out of accepted connections from pods with a workload
	// and from outside the cluster.
	Address netip.Addr `json:"address,omitzero"`
	// Port is the service's: the remote one of a client, the local one of a
	// server.
	Port uint16 `json:"port"`
}

// Settings are the socket's own, in seconds; 0: not set. Those of keepalive are
// present if it is switched on.
type Settings struct {
	Keepalive         bool    `json:"keepalive"`
	KeepaliveIdle     float64 `json:"keepalive_idle_seconds"`
	KeepaliveInterval float64 `json:"keepalive_interval_seconds"`
	KeepaliveProbes   int     `json:"keepalive_probes"`
	UserTimeout       float64 `json:"user_timeout_seconds"`
	Retries2          int     `json:"tcp_retries2"`
	ReceiveTimeout    float64 `json:"so_rcvtimeo_seconds"`
	SendTimeout       float64 `json:"so_sndtimeo_seconds"`
}

// Example is one connection of a finding, to look at with ss.
type Example struct {
	ID     string         `json:"id"`
	PID    uint32         `json:"pid,omitempty"`
	Comm   string         `json:"comm,omitempty"`
	Local  netip.AddrPort `json:"local"`
	Remote netip.AddrPort `json:"remote"`
}

func settings(s flow.AuditSocket) Settings {
	set := Settings{
		Keepalive: s.Keepalive, UserTimeout: s.UserTimeout.Seconds(), Retries2: s.Retries2,
		ReceiveTimeout: s.ReceiveTimeout.Seconds(), SendTimeout: s.SendTimeout.Seconds(),
	}
	if s.Keepalive {
		set.KeepaliveIdle, set.KeepaliveInterval = s.KeepaliveIdle.Seconds(), s.KeepaliveInterval.Seconds()
		set.KeepaliveProbes = s.KeepaliveProbes
	}
	return set
}

func newFinding(e Edge, c Connection) Finding {
	s := c.Socket
	f := Finding{
		Edge: e, WhileSending: deadline.WhileSending(s.Socket).Seconds(),
		Example: Example{ID: s.ID.String(), PID: s.PID, Comm: s.Comm, Local: s.Local, Remote: s.Remote},
		Advice:  advise(e, s.Socket),
	}
	if idle, bounded := deadline.WhileIdle(s.Socket); bounded {
		seconds := idle.Seconds()
		f.WhileIdle = &seconds
	}
	return f
}
