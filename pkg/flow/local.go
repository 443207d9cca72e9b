package flow

import (
	"net/netip"
	"time"
)

// Role is the end of the connection that a socket of this node is.
type Role string

// The roles. An unknown role is the empty string.
const (
	Client Role = "client" // it connected
	Server Role = "server" // it was accepted
)

// Local is this node's end of a flow and its owner.
type Local struct {
	Addr         netip.AddrPort `json:"address"`
	Namespace    string         `json:"namespace" zero:"null"`
	Pod          string         `json:"pod" zero:"null"`
	PodUID       string         `json:"pod_uid" zero:"null"`
	Workload     string         `json:"workload" zero:"null"`
	WorkloadKind string         `json:"workload_kind" zero:"null"`
	Container    string         `json:"container" zero:"null"`
	PID          uint32         `json:"pid" zero:"null"`
	Started      time.Duration  `json:"-"`                // with PID, it names the process: see Process
	Comm         string         `json:"comm" zero:"null"` // printable
	Exited       bool           `json:"exited"`           // the process has ended since it was seen to hold the socket
}
