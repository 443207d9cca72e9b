// Package tracer is the edge to the kernel: it loads and attaches the programs
// of bpf/, and turns their records into values of package flow. Nothing else
// in tcpstuck knows what a BPF map is.
//
// Kernel floor: 5.12 with BTF (socket storage and socket cookies in tracing
// programs). It needs CAP_BPF and CAP_PERFMON, and CAP_NET_ADMIN for iterators
// over socket storage. Everything ends with the process: nothing is pinned.
package tracer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Options are the settings of the kernel side. Zero values are the defaults.
type Options struct {
	// Scope lists network namespaces by inode number. If it is not empty, the
	// kernel side sees nothing outside them.
	Scope []uint32
	// RingBytes is the size of the ring buffer, a power of two of at least
	// one page; 1 MiB by default.
	RingBytes uint32
	// RecordInterval is the shortest time between two records of one socket;
	// 1 s by default.
	RecordInterval time.Duration
	// ForgetRecovered is how long a snapshot keeps showing a flow that made
	// progress; 1 min by default.
	ForgetRecovered time.Duration
	// LossRecords limits the reports of sockets that were no suspects and died
	// with bytes in them: so many in ten seconds for one owner while no other
	// loses any. All owners share five times as many, and each may have a quarter
	// of what the others leave. The rest is only counted. 200 by default.
	LossRecords uint32
	// Unstored is how many sockets without room for storage are watched: a fifth of
	// these for one network namespace while no other has any. Owners share them as
	// they share LossRecords. 4096 by default and at most.
	Unstored uint32
	// QueueLength is how many decoded records wait for the reader; 8192 by
	// default.
	QueueLength int
	Log         *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.RingBytes == 0 {
		o.RingBytes = 1 << 20
	}
	if o.RecordInterval == 0 {
		o.RecordInterval = time.Second
	}
	if o.ForgetRecovered == 0 {
		o.ForgetRecovered = time.Minute
	}
	if o.LossRecords == 0 {
		o.LossRecords = 200
	}
	if o.Unstored == 0 {
		o.Unstored = mostUnstored
	}
	if o.QueueLength == 0 {
		o.QueueLength = 8192
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// mostUnstored is how many sockets without room for storage are watched (bpf/lib/unstored.h).
const mostUnstored = 4096

// Tracer holds the attached programs. Run, Counters, Lost and the three
// Snapshot, Incremental and ScanFiles may be called from one goroutine each.
type Tracer struct {
	programs
	ring    *ringbuf.Reader
	records chan Record
	tick    time.Duration
	scans   uint32
	ends    []Record // that reads have shown while the queue was full
	gone    map[tcpstuckGoneKey]struct{}
	log     *slog.Logger

	features map[string]bool

	held held

	resetsMu sync.Mutex
	resets   flow.Losses // the most that was shown as reset by the peer

	queueLost, decodeLost atomic.Uint64
}

// Open loads and attaches the kernel side. An error that wraps ErrKernel says
// what the kernel lacks; os.ErrPermission means a missing capability.
func Open(o Options) (*Tracer, error) { return openWith(btf.NewCache(), o) }

// openWith is Open. The kernel's types take a while to read: they are read once
// for all that share a cache.
func openWith(types *btf.Cache, o Options) (*Tracer, error) {
	o = o.withDefaults()
	tick, err := jiffy()
	if err != nil {
		return nil, err
	}
	kernel, err := types.Kernel()
	if err != nil {
		return nil, fmt.Errorf("%w: it has no readable BTF (/sys/kernel/btf/vmlinux); kernels built with CONFIG_DEBUG_INFO_BTF have it: %w", ErrKernel, err)
	}
	spec, err := loadTcpstuck()
	if err != nil {
		return nil, fmt.Errorf("read the kernel programs: %w", err)
	}
	dropped, err := drop(spec, kernel)
	if err != nil {
		return nil, err
	}
	for _, a := range dropped {
		o.Log.Warn("this kernel lacks an optional tracepoint", "tracepoint", a.tracepoint, "consequence", a.needs)
	}
	if err := configure(spec, o); err != nil {
		return nil, err
	}
	objects, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{Programs: ebpf.ProgramOptions{KernelTypes: kernel}, Cache: types})
	if err != nil {
		return nil, explainLoad(err, lacking(kernel))
	}
	t := &Tracer{
		programs: programs{objects: objects, links: map[string]link.Link{}}, gone: map[tcpstuckGoneKey]struct{}{}, tick: tick, log: o.Log,
		records: make(chan Record, o.QueueLength), features: features(kernel),
	}
	if err := t.start(o.Scope); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

func (t *Tracer) start(scope []uint32) error {
	if err := fillScope(t.objects.Maps[tcpstuckMapScope], scope); err != nil {
		return err
	}
	ring, err := ringbuf.NewReader(t.objects.Maps[tcpstuckMapRecords])
	if err != nil {
		return fmt.Errorf("open the ring buffer: %w", err)
	}
	t.ring = ring
	return t.attach(t.log)
}

// configure sets what the programs must know before they are loaded.
func configure(spec *ebpf.CollectionSpec, o Options) error {
	spec.Maps[tcpstuckMapRecords].MaxEntries = o.RingBytes
	for name, value := range map[string]any{
		tcpstuckVarPidNamespace:         pidNamespace(),
		tcpstuckVarCpus:                 cpusWith(o.Scope),
		tcpstuckVarRecordIntervalNs:     uint64(o.RecordInterval),
		tcpstuckVarForgetRecoveredNs:    uint64(o.ForgetRecovered),
		tcpstuckVarLossRecordsPerWindow: o.LossRecords,
		tcpstuckVarUnstoredPlaces:       min(o.Unstored, mostUnstored),
	} {
		if err := spec.Variables[name].Set(value); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	return nil
}

// explainLoad turns the kernel's refusal of programs into an error that an operator
// can act on. It names missing features of the kernel first: an old one may refuse
// as if a capability were missing (before 5.11 it counts locked memory).
func explainLoad(err error, lacking []string) error {
	if len(lacking) > 0 {
		return fmt.Errorf("%w: it lacks %s; Linux 5.12 is the oldest that has all it needs", ErrKernel, strings.Join(lacking, ", "))
	}
	var refused *ebpf.VerifierError
	if errors.Is(err, os.ErrPermission) && !errors.As(err, &refused) {
		// The library's own text speaks of memory limits, which is wrong here.
		return fmt.Errorf("load the kernel programs: %w: that needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN", os.ErrPermission)
	}
	return fmt.Errorf("%w: load the kernel programs: %w; Linux 5.12 is the oldest that has all it needs", ErrKernel, err)
}

// Records returns the channel on which Run delivers.
func (t *Tracer) Records() <-chan Record { return t.records }

// Run reads the ring buffer until the context ends. It never waits for the reader
// of Records: if the queue is full, it counts the record, and the next snapshot
// shows it.
func (t *Tracer) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = t.ring.Close() })
	defer stop()
	var raw ringbuf.Record
	for {
		err := t.ring.ReadInto(&raw)
		switch {
		case errors.Is(err, ringbuf.ErrClosed):
			return nil
		case err == nil:
			t.take(raw.RawSample)
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("read the ring buffer: %w", err)
		}
		for _, record := range t.held.due(time.Now()) {
			t.deliver(record)
		}
		t.ring.SetDeadline(t.held.next())
	}
}

func (t *Tracer) take(raw []byte) {
	record, err := decodeRecord(raw, now(t.tick))
	switch {
	case err != nil:
		t.decodeLost.Add(1)
	case record.answered != 0:
		t.held.answered(record.answered)
	case record.End != nil && ambiguous(*record.End) && t.attached(tcpstuckProgSendReset):
		t.held.hold(record, time.Now())
	default:
		t.deliver(record)
	}
}

func (t *Tracer) deliver(record Record) {
	select {
	case t.records <- record:
	default:
		t.queueLost.Add(1)
	}
}

// Close detaches everything. Nothing of tcpstuck stays in the kernel.
func (t *Tracer) Close() error {
	var err error
	if t.ring != nil {
		err = t.ring.Close()
	}
	return errors.Join(err, t.close())
}

func truth(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}
