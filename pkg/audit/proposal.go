package audit

import (
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/deadline"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// proposal is settings that bound a connection: a user timeout, and keepalive
// that agrees with it.
type proposal struct {
	keepalive      bool // some of its settings have to change
	idle, interval time.Duration
	probes         int
	userTimeout    time.Duration
}

// tooLong is how long keepalive may take before the advice is to shorten it:
// the kernel's own defaults take over two hours.
const tooLong = 10 * time.Minute

// propose keeps sensible settings. Without any: 60 s of silence, then three probes,
// 10 s apart.
func propose(s flow.Socket) proposal {
	switch {
	case s.UserTimeout > 0 && !s.Keepalive:
		interval := max(s.UserTimeout/9, time.Second).Truncate(time.Second)
		idle := (max(s.UserTimeout-3*interval, time.Second) + time.Second - 1).Truncate(time.Second)
		return proposal{keepalive: true, idle: idle, interval: interval, probes: 3, userTimeout: s.UserTimeout}
	case s.Keepalive && deadline.ByKeepalive(s) <= tooLong:
		return proposal{idle: s.KeepaliveIdle, interval: s.KeepaliveInterval, probes: s.KeepaliveProbes, userTimeout: deadline.ByKeepalive(s)}
	}
	return proposal{keepalive: true, idle: time.Minute, interval: 10 * time.Second, probes: 3, userTimeout: 90 * time.Second}
}
