package cluster

import (
	"net/netip"
	"testing"
)

func TestClientsComeAndGo(t *testing.T) {
	s := New(Options{Clients: []netip.Prefix{netip.MustParsePrefix("10.8.0.0/16"), netip.MustParsePrefix("::ffff:10.9.0.0/112"), netip.MustParsePrefix("fd00:8::/32")}})
	for addr, want := range map[string]bool{
		"10.8.1.2": true, "::ffff:10.8.1.2": true, "10.9.0.7": true, "10.10.0.1": false, "fd00:8::1": true, "fd00:9::1": false,
	} {
		if got := s.ComesAndGoes(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
}
