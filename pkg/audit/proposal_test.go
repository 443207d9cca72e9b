package audit

import (
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/deadline"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// TestWhoFollowsTheAdviceIsBounded applies each proposal and audits again.
func TestWhoFollowsTheAdviceIsBounded(t *testing.T) {
	defaults := flow.Socket{KeepaliveIdle: 2 * time.Hour, KeepaliveInterval: 75 * time.Second, KeepaliveProbes: 9, Retries2: 15}
	for name, change := range map[string]func(*flow.Socket){
		"nothing set":         func(*flow.Socket) {},
		"keepalive, defaults": func(s *flow.Socket) { s.Keepalive = true },
		"keepalive, Go's": func(s *flow.Socket) {
			s.Keepalive, s.KeepaliveIdle, s.KeepaliveInterval = true, 15*time.Second, 15*time.Second
		},
		"user timeout of 30 s":  func(s *flow.Socket) { s.UserTimeout = 30 * time.Second },
		"user timeout of 1.5 s": func(s *flow.Socket) { s.UserTimeout = 1500 * time.Millisecond },
		"user timeout of 10 ms": func(s *flow.Socket) { s.UserTimeout = 10 * time.Millisecond },
		"user timeout of 7.3 s": func(s *flow.Socket) { s.UserTimeout = 7300 * time.Millisecond },
		"user timeout of 2 h":   func(s *flow.Socket) { s.UserTimeout = 2 * time.Hour },
		"one probe":             func(s *flow.Socket) { s.Keepalive, s.KeepaliveIdle, s.KeepaliveProbes = true, time.Minute, 1 },
	} {
		s := defaults
		change(&s)
		p := propose(s)
		set := s
		set.Keepalive, set.KeepaliveIdle, set.KeepaliveInterval, set.KeepaliveProbes, set.UserTimeout = true, p.idle, p.interval, p.probes, p.userTimeout
		if set.UserTimeout < 4*time.Second {
			continue // too short for three probes on a grid of seconds
		}
		if got := Classify(set); got != Bounded {
			t.Errorf("%s: who sets %+v is %s", name, p, got)
		}
		if !p.keepalive && deadline.ByKeepalive(s) != deadline.ByKeepalive(set) {
			t.Errorf("%s: %+v changes keepalive and says that it does not", name, p)
		}
	}
}
