package ledger

import (
	"slices"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Snapshot takes a complete look.
func (l *Ledger) Snapshot(sockets []flow.Socket, at time.Time) []Change {
	return append(l.Look(slices.Values(sockets)), l.Absent(at)...)
}

// Reread takes a look that has the named flows that live.
func (l *Ledger) Reread(named []flow.ID, sockets []flow.Socket, at time.Time) []Change {
	return append(l.Look(slices.Values(sockets)), l.AbsentAmong(named, at)...)
}
