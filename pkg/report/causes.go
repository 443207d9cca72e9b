package report

import "github.com/tcpstuck/tcpstuck/pkg/flow"

// meaning says a cause in half a sentence, for a reader who sees the word for
// the first time.
func meaning(c flow.Cause) string {
	switch c {
	case flow.SlowReader:
		return "the peer is alive and does not read"
	case flow.LocalFilter:
		return "a filter on this host drops what is sent"
	case flow.NoRoute:
		return "this host has no route"
	case flow.AddressReused:
		return "the backend is gone and another pod has its address"
	case flow.StaleConntrack:
		return "conntrack still sends it to a backend that is gone"
	case flow.PeerDeleted:
		return "the pod at the other end is gone"
	case flow.PeerTerminating:
		return "the pod at the other end is terminating"
	case flow.ConntrackMissing:
		return "no conntrack entry translates the Service address any more"
	case flow.PathDrop:
		return "the peer answers, but what is sent to it does not get through"
	case flow.PeerUnreachable:
		return "the backend does not answer, and is not known to be dead"
	case flow.PeerSilent:
		return "the peer does not answer, and no cluster record names it"
	case flow.ClosedUnread:
		return "it was closed with data unread"
	case flow.DataAfterClose:
		return "data arrived after it was closed"
	case flow.ResetByPeer:
		return "the peer reset it"
	}
	return "evidence is missing"
}
