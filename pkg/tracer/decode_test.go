package tracer

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

var (
	anchor = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	hz250  = clock{wall: anchor, monotonicNS: 1000e9, tick: 4 * time.Millisecond}
)

// stuck is a reading at the anchor: IPv4, 7 bytes of a first RTO 2 s ago.
func stuck() tcpstuckReading {
	return tcpstuckReading{
		Cookie: 0x1f3a, NowNs: 1000e9, BeganNs: 998e9, Jiffies: 500_000, TimerJiffies: 500_100, Family: 2,
		Local: [16]uint8{192, 168, 75, 2}, Remote: [16]uint8{10, 96, 0, 10}, LocalPort: 43580, RemotePort: 8000,
		Kind: uint8(tcpstuckReadingKindREADING_SUSPECT), State: uint8(flow.Established), Pending: uint8(flow.TimerRetransmit),
		SndUna: 100, SndNxt: 107, WriteSeq: 107, PacketsOut: 1, SndWnd: 65535, Rto: 204, Timeouts: 3, RcvTstamp: 499_000,
		RetransStamp: 998_000, Lsndtime: 499_900, Retries2: 15, OrphanRetries: 4, SynRetries: 6, SynLinearTimeouts: 3,
		KeepaliveTime: 1_800_000, KeepaliveIntvl: 18_750, KeepaliveProbes: 9, Lrcvtime: 498_000, ProbesTstamp: 499_500,
		TimerLevel: 1, KeepaliveJiffies: 2_300_000, KeepaliveLevel: 5,
	}
}

func raw(r tcpstuckReading) []byte {
	return bytes.Clone(unsafe.Slice((*byte)(unsafe.Pointer(&r)), readingSize))
}

func TestDecodeReading(t *testing.T) {
	r, err := decodeRecord(raw(stuck()), hz250)
	if err != nil {
		t.Fatal(err)
	}
	s := r.Suspect
	if s.ID != 0x1f3a || s.Local.String() != "192.168.75.2:43580" || s.Remote.String() != "10.96.0.10:8000" {
		t.Errorf("socket %s, %s → %s", s.ID, s.Local, s.Remote)
	}
	for name, c := range map[string]struct{ got, want time.Time }{
		"read":        {s.At, anchor},
		"since":       {s.Since, anchor.Add(-2 * time.Second)},
		"last ack":    {s.LastAck, anchor.Add(-4 * time.Second)},
		"timer":       {s.TimerAt, anchor.Add(400 * time.Millisecond)},
		"retransmits": {s.RetransStamp, anchor.Add(-2 * time.Second)},
	} {
		if !c.got.Equal(c.want) {
			t.Errorf("%s at %v, want %v", name, c.got, c.want)
		}
	}
	if s.RTO != 816*time.Millisecond || s.RTOMax != 2*time.Minute || !s.Sent.Equal(anchor.Add(-400*time.Millisecond)) || s.Unacknowledged != 7 {
		t.Errorf("%+v", s)
	}
}

func TestSettingsOfTheSocket(t *testing.T) {
	s := socket(stuck(), hz250)
	got := flow.Socket{
		Retries2: s.Retries2, OrphanRetries: s.OrphanRetries, SynRetries: s.SynRetries, SynLinear: s.SynLinear,
		KeepaliveIdle: s.KeepaliveIdle, KeepaliveInterval: s.KeepaliveInterval, KeepaliveProbes: s.KeepaliveProbes,
		LastReceive: s.LastReceive, ProbesStamp: s.ProbesStamp, TimerLevel: s.TimerLevel,
		KeepaliveJiffies: s.KeepaliveJiffies, KeepaliveLevel: s.KeepaliveLevel,
	}
	want := flow.Socket{
		Retries2: 15, OrphanRetries: 4, SynRetries: 6, SynLinear: 3,
		KeepaliveIdle: 2 * time.Hour, KeepaliveInterval: 75 * time.Second, KeepaliveProbes: 9,
		LastReceive: anchor.Add(-8 * time.Second), ProbesStamp: anchor.Add(-2 * time.Second), TimerLevel: 1,
		KeepaliveJiffies: 2_300_000, KeepaliveLevel: 5,
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestSince(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*tcpstuckReading)
		want   time.Duration // before the anchor
	}{
		{"the episode's own stamp", func(*tcpstuckReading) {}, 2 * time.Second},
		{"older than the agent", func(r *tcpstuckReading) { r.BeganNs, r.RetransStamp, r.RcvTstamp = 0, 940_000, 480_000 }, time.Minute},
		{"microseconds", func(r *tcpstuckReading) {
			r.BeganNs, r.RetransStamp, r.Flags = 0, 940e6, uint16(tcpstuckReadingFlagFLAG_USEC_TS)
			r.RcvTstamp = 480_000
		}, time.Minute},
		{"milliseconds that wrapped", func(r *tcpstuckReading) {
			r.NowNs, r.BeganNs, r.RetransStamp, r.RcvTstamp = 1000e9, 0, ^uint32(0)-1000+1, 0
		}, 1001 * time.Second},
		{"partial progress before the agent came", func(r *tcpstuckReading) { r.BeganNs, r.RetransStamp = 0, 990_000 }, 4 * time.Second},
		{"the peer answers, the head does not get through", func(r *tcpstuckReading) {
			r.BeganNs, r.RetransStamp, r.SackedOut = 0, 990_000, 2
		}, 10 * time.Second},
		{"no stamp yet", func(r *tcpstuckReading) { r.BeganNs, r.RetransStamp = 0, 0 }, 0},
		{"the persist timer's own stamp", func(r *tcpstuckReading) {
			r.PacketsOut, r.Pending, r.ProbesTstamp = 0, uint8(flow.TimerProbe), 497_500
		}, 10 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := stuck()
			c.change(&r)
			s := socket(r, hz250)
			if got := anchor.Sub(s.Since); got != c.want {
				t.Errorf("%v ago, want %v", got, c.want)
			}
		})
	}
}

func TestBytesAtRisk(t *testing.T) {
	type answer struct {
		Unacknowledged, Unsent uint32
		FIN                    bool
	}
	for _, c := range []struct {
		name           string
		state          flow.TCPState
		una, nxt, wseq uint32
		want           answer
	}{
		{"established", flow.Established, 100, 107, 150, answer{7, 43, false}},
		{"numbers that wrap", flow.Established, ^uint32(0) - 2, 4, 10, answer{7, 6, false}},
		{"connecting: the SYN", flow.SynSent, 100, 101, 101, answer{0, 0, false}},
		{"connecting with data queued", flow.SynSent, 100, 101, 111, answer{0, 10, false}},
		{"a FIN sent", flow.FinWait1, 100, 108, 108, answer{7, 0, true}},
		{"a FIN waiting behind data", flow.FinWait1, 100, 107, 118, answer{7, 10, true}},
		{"only the FIN", flow.LastAck, 100, 101, 101, answer{0, 0, true}},
		{"only the FIN, unsent", flow.LastAck, 100, 100, 101, answer{0, 0, true}},
		{"the FIN is acknowledged", flow.FinWait1, 101, 101, 101, answer{0, 0, false}},
		{"closing", flow.Closing, 100, 103, 103, answer{2, 0, true}},
		{"half-closed by the peer", flow.CloseWait, 100, 107, 107, answer{7, 0, false}},
		{"half-accepted", flow.SynRecv, 100, 101, 101, answer{0, 0, false}},
	} {
		var got answer
		got.Unacknowledged, got.Unsent, got.FIN = bytesAtRisk(c.state, c.una, c.nxt, c.wseq)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", c.name, diff)
		}
	}
}

func TestMappedAddress(t *testing.T) {
	r := stuck()
	r.Family = afInet6
	r.Remote = [16]uint8{10: 0xff, 11: 0xff, 12: 10, 13: 96, 14: 0, 15: 10}
	if s := socket(r, hz250); !s.Mapped || s.Remote.String() != "10.96.0.10:8000" {
		t.Errorf("mapped %v, remote %s", s.Mapped, s.Remote)
	}
}

func TestShortRecords(t *testing.T) {
	whole := raw(stuck())
	for _, n := range []int{0, 1, readingSize - 1} {
		if _, err := decodeRecord(whole[:n], hz250); !errors.Is(err, errShort) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if err := eachRecord(bytes.NewReader(whole[:readingSize-1]), make([]byte, iterBuffer), readingSize, func([]byte) error { return nil }); !errors.Is(err, errShort) {
		t.Errorf("an iterator that ends inside a record: %v", err)
	}
}

func TestEachRecordAcrossReads(t *testing.T) {
	var stream []byte
	for i := range 1000 {
		r := stuck()
		r.Cookie = uint64(i)
		stream = append(stream, raw(r)...)
	}
	want := uint64(0)
	err := eachRecord(&stutter{stream}, make([]byte, iterBuffer), readingSize, func(b []byte) error {
		r, err := decodeReading(b)
		if r.Cookie != want {
			t.Errorf("record %d came as number %d", r.Cookie, want)
		}
		want++
		return err
	})
	if err != nil || want != 1000 {
		t.Errorf("%d records, %v", want, err)
	}
}

// stutter reads in odd pieces.
type stutter struct{ left []byte }

func (s *stutter) Read(b []byte) (int, error) {
	if len(s.left) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), 1013)], s.left)
	s.left = s.left[n:]
	return n, nil
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add(raw(stuck()))
	ended := stuck()
	ended.Kind = uint8(tcpstuckReadingKindREADING_ENDED)
	f.Add(raw(ended))
	answered := stuck()
	answered.Kind = uint8(tcpstuckReadingKindREADING_ANSWERED)
	f.Add(raw(answered))
	answered.Cookie = 0
	f.Add(raw(answered))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRecord(b, hz250)
		if err != nil {
			return
		}
		kinds := 0
		for _, is := range []bool{r.Suspect != nil, r.End != nil, r.answered != 0} {
			if is {
				kinds++
			}
		}
		if kinds != 1 {
			t.Errorf("a record is a suspect, an end or an answer: %+v", r)
		}
	})
}
