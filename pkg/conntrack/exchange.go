package conntrack

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ti-mo/netfilter"
	"golang.org/x/sys/unix"
)

const (
	newestEntry = uint16(netfilter.NFSubsysCTNetlink) << 8 // IPCTNL_MSG_CT_NEW: the answer about an entry
	errnoSize   = 4
)

// wire carries netlink datagrams without waiting: receive returns EAGAIN when there is
// none.
type wire interface {
	send(datagram []byte) error
	receive(buffer []byte) (int, error)
}

// batch asks many questions with one datagram. Its buffers are used again.
type batch struct {
	next    uint32 // sequence number
	out, in []byte
}

// exchange asks for each entry that has no answer yet. The kernel handles every request
// of the datagram before the send returns, so its answers are all there to be read,
// one for each question: the entry or an error. Those that find no room in the
// receive buffer are dropped. Only an error leaves something unread on the wire.
func (b *batch) exchange(w wire, answers []Answer) error {
	first := b.next
	b.next += uint32(len(answers))
	b.out = b.out[:0]
	for n := range answers {
		if lost(answers[n]) {
			b.out = appendQuestion(b.out, first+uint32(n), answers[n].Entry.Asked)
		}
	}
	if len(b.out) == 0 {
		return nil
	}
	if err := w.send(b.out); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return b.collect(w, first, answers)
}

// collect reads until the wire is empty. The kernel reports an overflow once,
// before the answers that it did not drop.
func (b *batch) collect(w wire, first uint32, answers []Answer) error {
	if b.in == nil {
		b.in = make([]byte, 2*unix.Getpagesize())
	}
	dropped := false
	for {
		n, err := w.receive(b.in)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.ENOBUFS) && !dropped:
			dropped = true
		case err != nil:
			return fmt.Errorf("receive: %w", err)
		default:
			take(b.in[:n], first, answers)
		}
	}
}

// take gives the messages of a datagram to the questions that they answer. It passes
// over what is cut off or answers nothing that was asked.
func take(datagram []byte, first uint32, answers []Answer) {
	for len(datagram) >= unix.NLMSG_HDRLEN {
		size := binary.NativeEndian.Uint32(datagram)
		if size < unix.NLMSG_HDRLEN || uint64(size) > uint64(len(datagram)) {
			return
		}
		kind, sequence := binary.NativeEndian.Uint16(datagram[4:]), binary.NativeEndian.Uint32(datagram[8:])
		if n := sequence - first; uint64(n) < uint64(len(answers)) && lost(answers[n]) {
			answers[n].take(kind, datagram[unix.NLMSG_HDRLEN:size])
		}
		datagram = datagram[min(aligned(int(size)), len(datagram)):]
	}
}

// take reads the message that answers the question. ENOBUFS is no answer: the
// kernel had no room for the real one.
func (a *Answer) take(kind uint16, body []byte) {
	switch {
	case kind == newestEntry:
		entry, err := readEntry(body)
		if err != nil {
			a.fail(err)
			return
		}
		entry.Asked = a.Entry.Asked
		a.Entry, a.Err = entry, nil
	case kind == unix.NLMSG_ERROR && len(body) >= errnoSize:
		switch errno := unix.Errno(-int32(binary.NativeEndian.Uint32(body))); errno {
		case 0, unix.ENOBUFS:
		case unix.ENOENT:
			*a = Answer{Err: ErrNotFound}
		default:
			a.fail(explain(errno))
		}
	}
}
