package tracer

import (
	"errors"
	"fmt"
	"io"

	"github.com/cilium/ebpf/link"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// iterBuffer is larger than what the kernel returns in one read (32 KiB,
// kernel/bpf/bpf_iter.c), so that no read is cut short.
const iterBuffer = 64 << 10

// Snapshot shows every suspect of every network namespace in scope, and those that
// made progress since they were last shown. One snapshot can miss a living suspect
// while others die (see docs/architecture.md): only the absence from two complete
// ones counts. An error means that it is incomplete. Ends that the ring buffer did
// not bring are delivered on Records.
func (t *Tracer) Snapshot(show func(flow.Socket)) error { return t.readSockets(show) }

// Incremental is an incremental snapshot. It shows the suspects that were not shown
// before, those whose owner a file scan has found since, those that have made
// progress since, and the named ones. Now and then it shows another one, too. In a
// storm it costs a small part of a Snapshot. The absence of a flow that is not
// named means nothing. After records were lost, only a Snapshot has everything.
func (t *Tracer) Incremental(named []flow.ID, show func(flow.Socket)) error {
	err := t.showOnlyNew(true, named)
	if err == nil {
		err = t.readSockets(show)
	}
	return errors.Join(err, t.showOnlyNew(false, nil))
}

// showOnlyNew says whether only what is new is shown, and which flows are shown in any
// case.
func (t *Tracer) showOnlyNew(only bool, named []flow.ID) error {
	words := int(t.objects.Variables[tcpstuckVarAsked].Size() / 8)
	err := errors.Join(
		t.objects.Variables[tcpstuckVarIncremental].Set(uint32(truth(only))),
		t.objects.Variables[tcpstuckVarAsked].Set(bits(named, words)),
	)
	if err != nil {
		return fmt.Errorf("say what is to be shown: %w", err)
	}
	return nil
}

// bits returns a bitmap with a bit for each flow, by the lower bits of its ID.
func bits(of []flow.ID, words int) []uint64 {
	set := make([]uint64, words)
	for _, id := range of {
		bit := uint64(id) % uint64(64*words)
		set[bit/64] |= 1 << (bit % 64)
	}
	return set
}

func (t *Tracer) readSockets(show func(flow.Socket)) error {
	c := now(t.tick)
	err := t.iterate(tcpstuckProgSnapshot, readingSize, func(raw []byte) error {
		r, err := decodeReading(raw)
		if err != nil {
			return err
		}
		if r.Kind == uint8(tcpstuckReadingKindREADING_ENDED) {
			e := end(r, c)
			t.ends = append(t.ends, Record{End: &e})
			return nil
		}
		show(socket(r, c))
		return nil
	})
	t.handOver()
	return err
}

// handOver delivers the ends that reads have shown. The kernel side does not show
// them again: if the queue is full, they wait for the next read.
func (t *Tracer) handOver() {
	for len(t.ends) > 0 {
		select {
		case t.records <- t.ends[0]:
			t.ends = t.ends[1:]
		default:
			return
		}
	}
}

// ScanFiles makes a file scan, one pass over the sockets of all processes. It refreshes
// the owners that the next Snapshot shows, finds stuck sockets that never
// retransmitted, forgets what recovered long ago, and returns the listeners.
func (t *Tracer) ScanFiles() ([]flow.Listener, error) {
	t.scans++
	if err := t.objects.Variables[tcpstuckVarFileScan].Set(t.scans); err != nil {
		return nil, fmt.Errorf("number the file scan: %w", err)
	}
	var listeners []flow.Listener
	err := t.iterate(tcpstuckProgScanFiles, listenerSize, func(raw []byte) error {
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
func (p *programs) iterate(program string, size int, visit func([]byte) error) error {
	iter, ok := p.links[program].(*link.Iter)
	if !ok {
		return fmt.Errorf("iterator %s is not attached", program)
	}
	file, err := iter.Open()
	if err != nil {
		return fmt.Errorf("open iterator %s: %w", program, err)
	}
	defer file.Close()
	buffer, ok := p.buffers.Get().(*[iterBuffer]byte)
	if !ok {
		buffer = new([iterBuffer]byte)
	}
	defer p.buffers.Put(buffer)
	return eachRecord(file, buffer[:], size, visit)
}

func eachRecord(file io.Reader, buffer []byte, size int, visit func([]byte) error) error {
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
