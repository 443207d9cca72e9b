package tracer

import (
	"errors"
	"fmt"
	"io"

	"github.com/cilium/ebpf/link"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// iterBuffer is larger than what the kernel hands out in one read (32 KiB,
// kernel/bpf/bpf_iter.c), so that no read is cut short.
const iterBuffer = 64 << 10

// Snapshot returns every suspect of every network namespace in scope, and
// those that made progress since they were last shown. One snapshot can miss a
// living suspect while others die (see docs/architecture.md): absence means
// something only in two complete ones. An error means that it is incomplete.
// Ends that the ring buffer did not bring are delivered on Records.
func (t *Tracer) Snapshot() ([]flow.Socket, error) {
	var sockets []flow.Socket
	c := now(t.tick)
	err := t.iterate(tcpstuckProgSnapshot, readingSize, func(raw []byte) error {
		r, err := decodeReading(raw)
		if err != nil {
			return err
		}
		if r.Kind == uint8(tcpstuckReadingKindREADING_ENDED) {
			e := end(r, c)
			t.deliver(Record{End: &e})
			return nil
		}
		sockets = append(sockets, socket(r, c))
		return nil
	})
	return sockets, err
}

// Sweep makes one pass over the sockets of all processes: it refreshes the
// owners that the next Snapshot shows, finds stuck sockets that never
// retransmitted, forgets what recovered long ago, and returns the listeners.
func (t *Tracer) Sweep() ([]flow.Listener, error) {
	t.sweeps++
	if err := t.objects.Variables[tcpstuckVarSweep].Set(t.sweeps); err != nil {
		return nil, fmt.Errorf("number the sweep: %w", err)
	}
	var listeners []flow.Listener
	err := t.iterate(tcpstuckProgSweepFiles, listenerSize, func(raw []byte) error {
		l, err := decodeListener(raw)
		if err != nil {
			return err
		}
		listeners = append(listeners, l)
		return nil
	})
	return listeners, err
}

// iterate runs an iterator to its end and calls visit for each record of size
// bytes.
func (t *Tracer) iterate(program string, size int, visit func([]byte) error) error {
	iter, ok := t.links[program].(*link.Iter)
	if !ok {
		return fmt.Errorf("iterator %s is not attached", program)
	}
	file, err := iter.Open()
	if err != nil {
		return fmt.Errorf("open iterator %s: %w", program, err)
	}
	defer file.Close()
	return eachRecord(file, size, visit)
}

func eachRecord(file io.Reader, size int, visit func([]byte) error) error {
	buffer := make([]byte, iterBuffer)
	filled := 0
	for {
		n, err := file.Read(buffer[filled:])
		filled += n
		done := 0
		for ; filled-done >= size; done += size {
			if err := visit(buffer[done : done+size]); err != nil {
				return err
			}
		}
		filled = copy(buffer, buffer[done:filled])
		if errors.Is(err, io.EOF) {
			if filled != 0 {
				return fmt.Errorf("%d bytes after the last record: %w", filled, errShort)
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("read an iterator: %w", err)
		}
	}
}
