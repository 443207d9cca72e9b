// Package drops asks the kernel why it dropped segments of suspects: skb:kfree_skb, with the
// reasons of enum skb_drop_reason. It is optional.
//
// Kernel floor: 5.17 with BTF, for the reason. It needs CAP_BPF and CAP_PERFMON to open. It sees
// what this node's software drops; drivers and hardware drop unseen.
package drops

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// ErrMissing is a kernel that gives no reason for a drop.
var ErrMissing = errors.New("this kernel gives no reason for a drop (Linux 5.17 does)")

// most is how many flows are watched at once (WATCHED_FLOWS).
const most = 1024

// Watcher watches the drops of some flows. It is for one goroutine.
type Watcher struct {
	objects dropsObjects
	link    link.Link
	reasons map[uint32]string
	watched map[flow.ID]watched
}

// watched is what is watched of a flow.
type watched struct {
	since time.Time
	forms []dropsSegment
}

// Open attaches the watcher, which watches nothing yet. If scope is not empty, only what is dropped
// in these network namespaces counts.
func Open(scope []uint32) (*Watcher, error) {
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return nil, fmt.Errorf("read the kernel's types: %w", err)
	}
	reasons := reasonsOf(kernel)
	if len(reasons) == 0 {
		return nil, ErrMissing
	}
	w := &Watcher{reasons: reasons, watched: map[flow.ID]watched{}}
	spec, err := loadDrops()
	if err != nil {
		return nil, fmt.Errorf("read the program: %w", err)
	}
	if err := spec.Variables["scoped"].Set(uint32(min(len(scope), 1))); err != nil {
		return nil, fmt.Errorf("set the scope: %w", err)
	}
	if err := spec.LoadAndAssign(&w.objects, &ebpf.CollectionOptions{Programs: ebpf.ProgramOptions{KernelTypes: kernel}}); err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	for _, netns := range scope {
		if err := w.objects.Here.Put(netns, uint8(1)); err != nil {
			return nil, errors.Join(fmt.Errorf("set the scope: %w", err), w.objects.Close())
		}
	}
	if w.link, err = link.AttachTracing(link.TracingOptions{Program: w.objects.Drop}); err != nil {
		return nil, errors.Join(fmt.Errorf("attach: %w", err), w.objects.Close())
	}
	return w, nil
}

// Close detaches the watcher.
func (w *Watcher) Close() error { return errors.Join(w.link.Close(), w.objects.Close()) }

// Watch watches a flow's segments, or goes on with what it has sent since. Sent and answers are
// the tuples that its segments and those of its peer have, here or there on this node. Una and
// span are the sequence numbers that stand: una to una+span. Beyond a thousand flows it watches
// no more.
func (w *Watcher) Watch(id flow.ID, sent, answers []flow.Tuple, una, span uint32, now time.Time) error {
	known, again := w.watched[id]
	if !again {
		if len(w.watched) >= most {
			return nil
		}
		known.since = now
		if err := w.objects.Dropped.Put(uint64(id), dropsDrops{}); err != nil {
			return fmt.Errorf("watch the drops of %s: %w", id, err)
		}
	}
	forms := make([]dropsSegment, 0, len(sent)+len(answers))
	for i, tuples := range [][]flow.Tuple{sent, answers} {
		for _, t := range tuples {
			form := segmentOf(t)
			forms = append(forms, form)
			if err := w.objects.Watched.Put(form, dropsWatch{Flow: uint64(id), Una: una, Span: span, Answers: uint32(i)}); err != nil {
				return fmt.Errorf("watch the drops of %s: %w", id, err)
			}
		}
	}
	w.forgetForms(known.forms, forms)
	known.forms = forms
	w.watched[id] = known
	return w.arm()
}

// forgetForms forgets what is no form of a flow any more.
func (w *Watcher) forgetForms(before, now []dropsSegment) {
	still := make(map[dropsSegment]bool, len(now))
	for _, f := range now {
		still[f] = true
	}
	for _, f := range before {
		if !still[f] {
			_ = w.objects.Watched.Delete(f)
		}
	}
}

// Forget watches a flow no more.
func (w *Watcher) Forget(id flow.ID) error {
	known, ok := w.watched[id]
	if !ok {
		return nil
	}
	w.forgetForms(known.forms, nil)
	_ = w.objects.Dropped.Delete(uint64(id))
	delete(w.watched, id)
	return w.arm()
}

func (w *Watcher) arm() error {
	armed := uint32(0)
	if len(w.watched) > 0 {
		armed = 1
	}
	if err := w.objects.Armed.Set(armed); err != nil {
		return fmt.Errorf("arm the watch for drops: %w", err)
	}
	return nil
}

// Of returns what was dropped of a flow, and since when it is watched; zero: it is not.
func (w *Watcher) Of(id flow.ID, now time.Time) (all []flow.Drop, since time.Time, err error) {
	known, ok := w.watched[id]
	if !ok {
		return nil, time.Time{}, nil
	}
	var d dropsDrops
	if err := w.objects.Dropped.Lookup(uint64(id), &d); err != nil {
		return nil, time.Time{}, fmt.Errorf("read the drops of %s: %w", id, err)
	}
	var mono unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono); err != nil {
		return nil, time.Time{}, err
	}
	for _, k := range d.Kinds {
		if k.Count == 0 {
			continue
		}
		all = append(all, flow.Drop{
			Answers: k.Answers != 0, Reason: w.name(k.Reason), Place: unix.ByteSliceToString(bytesOf(k.Place[:])), Count: int(k.Count),
			LastAt: now.Add(-time.Duration(mono.Nano() - int64(k.LastNs))),
		})
	}
	return all, known.since, nil
}

func bytesOf(text []int8) []byte {
	b := make([]byte, len(text))
	for i, c := range text {
		b[i] = byte(c)
	}
	return b
}

func segmentOf(t flow.Tuple) dropsSegment {
	return dropsSegment{Src: inFront(t.Src.Addr()), Dst: inFront(t.Dst.Addr()), SrcPort: swapped(t.Src.Port()), DstPort: swapped(t.Dst.Port())}
}

// inFront is an address as a segment has it: IPv4 in the first four bytes.
func inFront(a netip.Addr) (b [16]byte) {
	copy(b[:], a.Unmap().AsSlice())
	return b
}

func swapped(port uint16) uint16 { return port<<8 | port>>8 }
