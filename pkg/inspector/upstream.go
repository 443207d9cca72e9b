package inspector

import (
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/ledger"
)

// upstreams are the answers of one turn. To find one takes a pass over all flows, and
// the flows of one process share it: a process may have thousands before a closed
// window.
type upstreams struct {
	entries func() []*ledger.Entry
	known   map[reader]*diagnosis.Upstream
}

// reader is a process that has stopped reading, in its network namespace.
type reader struct{ netns, pid uint32 }

// forget drops the answers: the flows have changed.
func (u *upstreams) forget() { clear(u.known) }

// of looks for what a reader that stopped reading may itself wait for: a stuck
// connection of another process in the same network namespace. Nil: there is none.
func (u *upstreams) of(e diagnosis.Evidence) *diagnosis.Upstream {
	if diagnosis.Symptom(e.Socket) != flow.ZeroWindow || e.Host {
		return nil // in the node's own namespace it would be anybody's
	}
	by := reader{e.Socket.NetNS, e.Local.PID}
	found, ok := u.known[by]
	if !ok {
		found = u.find(by)
		u.known[by] = found
	}
	return found
}

func (u *upstreams) find(by reader) *diagnosis.Upstream {
	worst := ledger.Oldest(u.entries(), by.netns, func(other *ledger.Entry) bool {
		o := other.Evidence()
		return o.Role == flow.Client && o.Local.PID != by.pid && diagnosis.Symptom(o.Socket) != flow.ZeroWindow
	})
	if worst == nil {
		return nil
	}
	up := diagnosis.UpstreamOf(new(worst.Evidence()))
	return &up
}
