package inspector_test

import (
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

// kernel is a kernel side whose sockets the test sets.
type kernel struct {
	records chan tracer.Record

	mu        sync.Mutex
	sockets   map[flow.ID]flow.Socket
	idle      []flow.Socket // that SetGone may turn into suspects
	listeners []flow.Listener
	lost      uint64
	err       error
	readings  int     // how often its suspects were read
	lostFrom  flow.ID // of which a record was lost: only a whole snapshot shows it; 0: none
	scanned   bool
	unowned   bool   // a socket's owner shows only once a file scan has seen it
	asked     func() // what happens when it is next asked for its losses; nil: nothing
}

func newKernel() *kernel {
	return &kernel{records: make(chan tracer.Record, 100), sockets: map[flow.ID]flow.Socket{}}
}

func (k *kernel) Records() <-chan tracer.Record { return k.records }

func (k *kernel) Snapshot(show func(flow.Socket)) error {
	k.mu.Lock()
	k.lostFrom = 0
	k.mu.Unlock()
	return k.Incremental(nil, show)
}

// Incremental shows more than is new, which the contract allows.
func (k *kernel) Incremental(_ []flow.ID, show func(flow.Socket)) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.readings++
	for _, s := range k.sockets {
		if s.ID == k.lostFrom {
			continue
		}
		s.At = time.Now()
		if k.unowned && !k.scanned {
			s.PID, s.Started, s.Comm = 0, 0, ""
		}
		show(s)
	}
	return k.err
}

// happens has something happen, once.
func happens(what *func()) {
	if f := *what; f != nil {
		*what = nil
		f()
	}
}

func (k *kernel) ScanFiles() ([]flow.Listener, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.scanned = true
	return k.listeners, k.err
}

func (k *kernel) Signs() (tracer.Signs, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	happens(&k.asked)
	return tracer.Signs{Lost: k.lost}, nil
}

// SetGone makes suspects of the idle sockets, as a file scan would.
func (k *kernel) SetGone(tuples []flow.Tuple, addrs []netip.Addr) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.idle {
		delete(k.sockets, s.ID)
		if slices.Contains(tuples, s.Tuple()) || slices.Contains(addrs, s.Remote.Addr()) {
			s.Since, s.Live = time.Now(), true
			k.sockets[s.ID] = s
		}
	}
	return nil
}

// awaitReadings waits until the suspects were read n times more.
func (k *kernel) awaitReadings(t *testing.T, n int) {
	t.Helper()
	made := func() int {
		k.mu.Lock()
		defer k.mu.Unlock()
		return k.readings
	}
	want := made() + n
	for deadline := time.Now().Add(4 * patience); made() < want; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d readings, want %d", made(), want)
		}
	}
}

// set puts a socket where snapshots find it.
func (k *kernel) set(s flow.Socket) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sockets[s.ID] = s
}

// retransmits sets a socket and sends its record.
func (k *kernel) retransmits(s flow.Socket) {
	k.set(s)
	k.records <- tracer.Record{Suspect: &s}
}

func (k *kernel) change(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f()
}
