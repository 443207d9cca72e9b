package conntrack

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	timo "github.com/ti-mo/conntrack"
	"github.com/ti-mo/netfilter"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/internal/privtest"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// script is a wire on which the kernel answers as a test says.
type script struct {
	sent    int
	refuses error
	answer  func(sequences []uint32) []any // datagrams and errors
	waiting []any
}

func (s *script) send(datagram []byte) error {
	s.sent++
	if s.refuses != nil {
		return s.refuses
	}
	var sequences []uint32
	for len(datagram) > 0 {
		sequences = append(sequences, binary.NativeEndian.Uint32(datagram[8:]))
		datagram = datagram[binary.NativeEndian.Uint32(datagram):]
	}
	s.waiting = append(s.waiting, s.answer(sequences)...)
	return nil
}

func (s *script) receive(buffer []byte) (int, error) {
	if len(s.waiting) == 0 {
		return 0, unix.EAGAIN
	}
	next := s.waiting[0]
	s.waiting = s.waiting[1:]
	if err, failed := next.(error); failed {
		return 0, err
	}
	return copy(buffer, next.([]byte)), nil
}

func message(kind uint16, sequence uint32, body []byte) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+len(body)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_MULTI)
	b = binary.NativeEndian.AppendUint32(b, sequence)
	b = binary.NativeEndian.AppendUint32(b, 0)
	return append(b, body...)
}

func refusal(sequence uint32, errno unix.Errno) []byte {
	return message(unix.NLMSG_ERROR, sequence, binary.NativeEndian.AppendUint32(nil, uint32(-int32(errno))))
}

// found is the answer about the entry of a plain connection.
func found(t testing.TB, sequence uint32, tuple flow.Tuple) []byte {
	t.Helper()
	body, err := request(tuple.Src.Addr(), 0, tupleAttribute(attrTupleOrig, tuple), tupleAttribute(attrTupleReply, tuple.Reverse()))
	if err != nil {
		t.Fatal(err)
	}
	return message(newestEntry, sequence, body.Data)
}

func ports(n int) (tuples []flow.Tuple) {
	for k := range n {
		tuples = append(tuples, flow.Tuple{
			Src: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(k+1)), Dst: netip.MustParseAddrPort("10.0.0.2:80"),
		})
	}
	return tuples
}

// TestExchange: of three questions, each has its own answer, whatever comes with it.
func TestExchange(t *testing.T) {
	asked := ports(3)
	for name, c := range map[string]struct {
		answer func(sequences []uint32) []any // to the first datagram
		want   [3]error                       // nil: the entry
		sends  int
		fails  bool
	}{
		"in another order": {func(s []uint32) []any {
			return []any{found(t, s[2], asked[2]), refusal(s[0], unix.ENOENT), found(t, s[1], asked[1])}
		}, [3]error{ErrNotFound, nil, nil}, 1, false},
		"in one datagram": {func(s []uint32) []any {
			return []any{slices.Concat(found(t, s[0], asked[0]), refusal(s[1], unix.EPERM), found(t, s[2], asked[2]))}
		}, [3]error{nil, ErrUnavailable, nil}, 1, false},
		"one is dropped": {func(s []uint32) []any {
			return []any{unix.ENOBUFS, found(t, s[0], asked[0]), refusal(s[1], unix.ENOENT)}
		}, [3]error{nil, ErrNotFound, nil}, 2, false},
		"all but one are dropped": {func(s []uint32) []any {
			return []any{unix.ENOBUFS, found(t, s[1], asked[1])}
		}, [3]error{nil, nil, nil}, 3, false},
		"one says that it is dropped": {func(s []uint32) []any {
			return []any{found(t, s[0], asked[0]), refusal(s[1], unix.ENOBUFS), found(t, s[2], asked[2])}
		}, [3]error{nil, nil, nil}, 2, false},
		"acknowledged, and late ones": {func(s []uint32) []any {
			return []any{
				found(t, s[0]-1, asked[2]), found(t, s[2]+1, asked[2]), refusal(s[0], 0), found(t, s[0], asked[0]),
				refusal(s[0], unix.ENOENT), found(t, s[1], asked[1]), found(t, s[1], asked[0]), found(t, s[2], asked[2]),
			}
		}, [3]error{nil, nil, nil}, 1, false},
		"cut off": {func(s []uint32) []any {
			return []any{found(t, s[0], asked[0])[:60], []byte{1}, refusal(s[1], unix.ENOENT)[:18], refusal(s[2], unix.ENOENT)}
		}, [3]error{nil, nil, ErrNotFound}, 3, false},
		"malformed": {func(s []uint32) []any {
			return []any{message(newestEntry, s[0], []byte{2, 0, 0, 0, 3}), refusal(s[1], unix.ENOENT), refusal(s[2], unix.ENOENT)}
		}, [3]error{errMalformed, ErrNotFound, ErrNotFound}, 1, false},
		"the wire fails": {func(s []uint32) []any {
			return []any{found(t, s[0], asked[0]), unix.EBADF}
		}, [3]error{nil, errLost, errLost}, 1, true},
		"overflows for ever": {func([]uint32) []any {
			return []any{unix.ENOBUFS, unix.ENOBUFS, unix.ENOBUFS}
		}, [3]error{errLost, errLost, errLost}, 1, true},
	} {
		first := true
		w := &script{answer: func(s []uint32) []any {
			if first {
				first = false
				return c.answer(s)
			}
			return []any{found(t, s[0], asked[nth(s[0])])}
		}}
		answers := make([]Answer, len(asked))
		prepare(asked, answers)
		err := askUntilAnswered(w, &batch{next: start}, answers)
		if (err != nil) != c.fails || w.sent != c.sends {
			t.Errorf("%s: %v after %d sends, want %d", name, err, w.sent, c.sends)
		}
		for n, a := range answers {
			switch want := c.want[n]; {
			case want == nil && (a.Err != nil || a.Entry.Orig != asked[n] || a.Entry.Asked != asked[n]):
				t.Errorf("%s: question %d: %+v", name, n, a)
			case want != nil && !errors.Is(a.Err, want):
				t.Errorf("%s: question %d: %v, want %v", name, n, a.Err, want)
			}
		}
	}
}

// start has the numbers of the first datagram wrap around.
const start = ^uint32(0) - 1

// nth returns which of the three is asked again: a datagram has three numbers, and each of
// those after it is for one.
func nth(sequence uint32) int { return int(sequence-start) - 3 }

func TestRefusedSend(t *testing.T) {
	w := &script{refuses: unix.EMSGSIZE}
	answers := make([]Answer, 2)
	prepare(ports(2), answers)
	if err := askUntilAnswered(w, &batch{}, answers); !errors.Is(err, unix.EMSGSIZE) || w.sent != 1 || !lost(answers[1]) {
		t.Errorf("%v after %d sends", err, w.sent)
	}
}

// TestNothingIsLostInAnOverflow: with the smallest receive buffer that the kernel
// allows, and with every size of datagram.
func TestNothingIsLostInAnOverflow(t *testing.T) {
	privtest.InNewNetNS(t)
	table, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	c, err := timo.Dial(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	asked := ports(100)
	for n, tuple := range asked {
		if n%4 == 0 {
			continue // it has none
		}
		if err := c.Create(timo.NewFlow(unix.IPPROTO_TCP, 0, tuple.Src.Addr(), tuple.Dst.Addr(), tuple.Src.Port(), tuple.Dst.Port(), 600, 0)); err != nil {
			t.Fatal(err)
		}
	}
	var s *socket
	for range cap(table.sockets) {
		s = <-table.sockets
		if err := s.SetReadBuffer(1); err != nil {
			t.Fatal(err)
		}
		table.sockets <- s
	}
	answers := make([]Answer, together)
	prepare(asked[:together], answers)
	if err := s.batch.exchange(s, answers); err != nil || !slices.ContainsFunc(answers, lost) {
		t.Fatalf("the buffer has room for %d answers, %v", len(answers), err)
	}
	for n, a := range table.LookupAll(t.Context(), asked) {
		if missing := n%4 == 0; missing != errors.Is(a.Err, ErrNotFound) || missing == (a.Err == nil) || !missing && a.Entry.Orig != asked[n] {
			t.Errorf("question %d: %+v", n, a)
		}
	}
	if _, err := table.Lookup(t.Context(), asked[1]); err != nil {
		t.Errorf("a single one after an overflow: %v", err)
	}
}

// TestABrokenSocketIsReplaced: it costs the questions that were asked on it.
func TestABrokenSocketIsReplaced(t *testing.T) {
	privtest.InNewNetNS(t)
	table, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	for range cap(table.sockets) {
		s := <-table.sockets
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		table.sockets <- s
	}
	for range cap(table.sockets) {
		for n, a := range table.LookupAll(t.Context(), ports(3)) {
			if a.Err == nil || errors.Is(a.Err, ErrNotFound) || errors.Is(a.Err, errLost) {
				t.Errorf("question %d on a broken socket: %v", n, a.Err)
			}
		}
	}
	for n, a := range table.LookupAll(t.Context(), ports(3)) {
		if !errors.Is(a.Err, ErrNotFound) {
			t.Errorf("question %d on a new socket: %v", n, a.Err)
		}
	}
}

// FuzzReadEntry: whatever both decoders can read, they read alike.
func FuzzReadEntry(f *testing.F) {
	for _, addrs := range [][2]string{{"192.168.75.2:43580", "10.96.0.10:8000"}, {"[fd00::2]:43580", "[fd00::10]:8000"}} {
		tuple := flow.Tuple{Src: netip.MustParseAddrPort(addrs[0]), Dst: netip.MustParseAddrPort(addrs[1])}
		for _, state := range []byte{0, 3, 200} {
			msg, err := request(tuple.Src.Addr(), 0,
				tupleAttribute(attrTupleOrig, tuple), tupleAttribute(attrTupleReply, tuple.Reverse()),
				netfilter.Attribute{Type: attrStatus, Data: []byte{0, 0, 0, 0x0e}},
				netfilter.Attribute{Type: attrTimeout, Data: []byte{0, 0, 1, 0x2c}},
				nested(attrProtoInfo, nested(attrProtoInfoTCP, netfilter.Attribute{Type: attrTCPState, Data: []byte{state}})),
				netfilter.Attribute{Type: attrZone, Data: []byte{0, 9}},
			)
			if err != nil {
				f.Fatal(err)
			}
			if e, err := readEntry(msg.Data); err != nil || e.Orig != tuple || e.Zone != 9 || e.State != stateName(state) {
				f.Fatalf("the seed is %+v, %v", e, err)
			}
			f.Add(msg.Data)
		}
	}
	udp := nested(attrTupleOrig, nested(attrTupleProto, netfilter.Attribute{Type: attrProtoNum, Data: []byte{unix.IPPROTO_UDP}}))
	msg, err := request(netip.IPv4Unspecified(), 0, udp)
	if err != nil {
		f.Fatal(err)
	}
	if e, err := readEntry(msg.Data); !errors.Is(err, errNotTCP) {
		f.Fatalf("an entry of UDP: %+v, %v", e, err)
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := readEntry(data)
		want, wantErr := decode(newEntry(data))
		if err != nil || wantErr != nil {
			return
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
			t.Errorf("-library +own\n%s", diff)
		}
	})
}

// FuzzQuestion: the message is the one that the library makes.
func FuzzQuestion(f *testing.F) {
	f.Add([]byte{192, 168, 75, 2}, []byte{10, 96, 0, 10}, uint16(43580), uint16(8000))
	f.Add(make([]byte, 16), netip.MustParseAddr("fd00::10").AsSlice(), uint16(1), uint16(65535))
	f.Fuzz(func(t *testing.T, src, dst []byte, srcPort, dstPort uint16) {
		s, _ := netip.AddrFromSlice(src)
		d, _ := netip.AddrFromSlice(dst)
		tuple, err := normal(flow.Tuple{Src: netip.AddrPortFrom(s, srcPort), Dst: netip.AddrPortFrom(d, dstPort)})
		if err != nil {
			return
		}
		want, err := getRequest(tuple)
		if err != nil {
			t.Fatal(err)
		}
		want.Header.Flags, want.Header.Sequence = unix.NLM_F_REQUEST, 7
		want.Header.Length = uint32(unix.NLMSG_HDRLEN + len(want.Data))
		raw, err := want.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(raw, appendQuestion(nil, 7, tuple)); diff != "" {
			t.Errorf("-library +own\n%s", diff)
		}
	})
}
