package tracer

import (
	"fmt"
	"time"
	"unsafe"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

const residentSize = int(unsafe.Sizeof(tcpstuckResident{}))

// Residents returns every process that lives in a network namespace in scope, some
// of them more than once. It costs one pass over all tasks of the node, and is safe
// for concurrent use.
func (t *Tracer) Residents() ([]flow.Resident, error) {
	var all []flow.Resident
	err := t.iterate(tcpstuckProgResidents, residentSize, func(raw []byte) error {
		r, err := decodeResident(raw)
		if err == nil {
			all = append(all, r)
		}
		return err
	})
	return all, err
}

func decodeResident(raw []byte) (flow.Resident, error) {
	var r tcpstuckResident
	if len(raw) < residentSize {
		return flow.Resident{}, fmt.Errorf("a process of %d bytes, want %d: %w", len(raw), residentSize, errShort)
	}
	fill(&r, raw)
	return flow.Resident{Process: flow.Process{PID: r.Pid, Started: time.Duration(r.StartedNs)}, NetNS: r.Netns}, nil
}
