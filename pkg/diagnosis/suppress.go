package diagnosis

import (
	"net/netip"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Suppress returns why a flow is suppressed, or "" if it is to be reported.
func Suppress(e *Evidence) flow.Suppression {
	s := &e.Socket
	switch {
	case s.AtRisk() == 0 && !waits(s):
		return flow.SuppressedClosing
	case vanished(e) && !windowAnswered(e) && !answersLately(e):
		return flow.SuppressedExternalClient
	}
	return ""
}

// waits reports whether somebody may wait for the peer: a descriptor is open, and the peer has
// not said that it will send no more. A socket that is only shut for writing waits for an answer.
func waits(s *flow.Socket) bool {
	switch s.State {
	case flow.SynSent, flow.Established, flow.CloseWait, flow.FinWait1:
		return !s.Orphan
	}
	return false
}

// vanished reports whether a peer may have left as clients do all day: it connected from the
// internet, and nobody has named it; or its address is one of --clients.
func vanished(e *Evidence) bool {
	if e.Role != flow.Server || e.Peer.Class != flow.PeerExternal {
		return false
	}
	return e.Transient || e.Peer.Name == "" && public(e)
}

// sharedSpace is for carriers' own networks (RFC 6598); clouds use it inside, too.
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// public reports whether the client's address is one of the internet. An accepted socket's
// target is its client.
func public(e *Evidence) bool {
	a := target(e).Addr()
	return a.IsGlobalUnicast() && !a.IsPrivate() && !sharedSpace.Contains(a)
}

// windowAnswered is a client that lives and does not read.
func windowAnswered(e *Evidence) bool {
	return symptom(&e.Socket) == flow.ZeroWindow && windowConfirmed(e)
}
