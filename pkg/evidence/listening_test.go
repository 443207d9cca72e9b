package evidence_test

import (
	"net/netip"
	"testing"

	"github.com/tcpstuck/tcpstuck/pkg/evidence"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func listener(netns uint32, port uint16) flow.Listener {
	return flow.Listener{NetNS: netns, Local: netip.AddrPortFrom(netip.IPv6Unspecified(), port)}
}

func serving(netns uint32, port uint16) flow.Socket {
	return flow.Socket{NetNS: netns, Local: netip.AddrPortFrom(netip.MustParseAddr("192.168.75.2"), port)}
}

func TestListeningRemembersPerNamespace(t *testing.T) {
	l := evidence.NewListening()
	quiet := []flow.Listener{listener(1, 443)}
	l.Set(quiet)
	l.Set(nil)
	for port := uint16(1); port <= 200; port++ { // of a process that opens and closes all day
		l.Set([]flow.Listener{listener(2, port)})
	}
	if !l.Before(serving(1, 443)) {
		t.Error("one namespace's listeners made another's forgotten")
	}
	if l.Before(serving(2, 100)) || !l.Before(serving(2, 199)) || !l.Now(serving(2, 200)) || l.Before(serving(2, 200)) {
		t.Error("of one namespace, not the latest 64 are remembered")
	}
	for netns := uint32(1000); netns < 4000; netns++ {
		l.Set([]flow.Listener{listener(netns, 80)})
	}
	remembered := 0
	for netns := range uint32(4000) {
		if l.Before(serving(netns, 80)) {
			remembered++
		}
	}
	if remembered > 1024 || remembered < 1000 {
		t.Errorf("%d namespaces are remembered, want some 1,024", remembered)
	}
}

func TestAListenerThatOpensAgain(t *testing.T) {
	l := evidence.NewListening()
	for range 3 {
		l.Set([]flow.Listener{listener(1, 443), listener(1, 80)})
		l.Set([]flow.Listener{listener(1, 80)})
	}
	if l.Now(serving(1, 443)) || !l.Before(serving(1, 443)) || !l.Now(serving(1, 80)) || l.Before(serving(1, 80)) {
		t.Error("443 is closed and 80 is open")
	}
}
