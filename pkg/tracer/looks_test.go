package tracer

import "github.com/tcpstuck/tcpstuck/pkg/flow"

// snapshot returns what a Snapshot shows.
func snapshot(tr *Tracer) (sockets []flow.Socket, err error) {
	err = tr.Snapshot(func(s flow.Socket) { sockets = append(sockets, s) })
	return sockets, err
}
