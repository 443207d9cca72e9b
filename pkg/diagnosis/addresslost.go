package diagnosis

import "github.com/tcpstuck/tcpstuck/pkg/flow"

var addressLost = Cause{Name: flow.AddressLost, Meaning: "this host does not have the socket's own address any more", Here: true}

// fromNowhere needs the kernel's refusal, too: a transparent proxy sends from addresses that its
// host never had.
func fromNowhere(e *Evidence, _ flow.Symptom) bool {
	if !e.Host || e.Route == nil || e.Route.Own || !e.Route.Src.IsValid() {
		return false
	}
	h := hindered(&e.Socket)
	return h == byRoute || h == unexplained
}

func whyAddressLost(e *Evidence) string {
	return "its own address " + e.Socket.Local.Addr().String() + " is not on this host any more, so routing refuses what it sends, and answers go elsewhere"
}

func adviseAddressLost(e *Evidence) []flow.Advice {
	look := now("See which addresses this host has, and bring this one back if it belongs here:\nip -br addr")
	return bounded(e, look, kill(e), forGood("Where an address moves between hosts (keepalived, a secondary address of a cloud), end the connections from it before it goes."))
}
