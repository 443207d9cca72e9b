package tracer

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// endOf returns the end of one socket; there may be others.
func endOf(t *testing.T, tr *Tracer, id flow.ID) *flow.End {
	t.Helper()
	for {
		if e := next(t, tr).End; e != nil && e.ID == id {
			return e
		}
	}
}

func losses(t *testing.T, tr *Tracer) map[flow.LossReason]flow.Losses {
	t.Helper()
	c, err := tr.Counters()
	if err != nil {
		t.Fatal(err)
	}
	for reason, l := range c.Losses {
		if l == (flow.Losses{}) {
			delete(c.Losses, reason)
		}
	}
	return c.Losses
}

func TestBytesDieWithTheirSocket(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		die  func(t *testing.T, producer, consumer *net.TCPConn)
		want flow.End
	}{
		{"closed unread", func(t *testing.T, producer, consumer *net.TCPConn) {
			ping(t, producer, consumer)
			shut(t, producer)
		}, flow.End{From: flow.Established, Loss: flow.LostClosedUnread, Unread: 5}},
		{"closed unread after the peer's FIN", func(t *testing.T, producer, consumer *net.TCPConn) {
			ping(t, producer, consumer)
			if err := consumer.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			awaitQueues(t, "the FIN has come in", func() bool { return state(t, producer) == flow.CloseWait })
			shut(t, producer)
		}, flow.End{From: flow.CloseWait, Loss: flow.LostClosedUnread, Unread: 5}},
		{"data after close", func(t *testing.T, producer, consumer *net.TCPConn) {
			shut(t, producer)
			if _, err := consumer.Write([]byte("ping\n")); err != nil {
				t.Fatal(err)
			}
		}, flow.End{From: flow.FinWait1, Loss: flow.LostDataAfterClose, Err: int(syscall.ECONNRESET), Orphan: true}},
		{"reset by the peer", func(t *testing.T, _, consumer *net.TCPConn) {
			shut(t, consumer)
		}, flow.End{From: flow.Established, Loss: flow.LostResetByPeer, Err: int(syscall.ECONNRESET)}},
		{"reset by the peer after its FIN", func(t *testing.T, _, consumer *net.TCPConn) {
			if err := consumer.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			shut(t, consumer)
		}, flow.End{From: flow.CloseWait, Loss: flow.LostResetByPeer, Err: int(syscall.EPIPE)}},
		{"reset by the peer after close", func(t *testing.T, producer, consumer *net.TCPConn) {
			shut(t, producer)
			shut(t, consumer)
		}, flow.End{From: flow.FinWait1, Loss: flow.LostResetByPeer, Err: int(syscall.ECONNRESET), Orphan: true}},
		{"shut down, not closed, and data comes in", func(t *testing.T, producer, consumer *net.TCPConn) {
			if err := errors.Join(producer.CloseWrite(), producer.CloseRead()); err != nil {
				t.Fatal(err)
			}
			if _, err := consumer.Write([]byte("ping\n")); err != nil {
				t.Fatal(err)
			}
		}, flow.End{From: flow.FinWait1, Loss: flow.LostDataAfterClose, Err: int(syscall.ECONNRESET)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tr := watch(t, nettest.Loopback(t))
			producer, consumer := nettest.Pair(t, "tcp4", "127.0.0.1:0")
			id := cookie(t, producer)
			_, unsent := brim(t, producer)
			c.die(t, producer, consumer)

			end := endOf(t, tr, id)
			c.want.Unsent = uint32(unsent)
			got := flow.End{
				From: end.From, Loss: end.Loss, Unread: end.Unread, Err: end.Err, Orphan: end.Orphan,
				Unsent: end.Unsent, Unacknowledged: end.Unacknowledged,
			}
			if got != c.want {
				t.Errorf("ended as %+v, want %+v", got, c.want)
			}
			if byUs := end.Last.PID == uint32(os.Getpid()); byUs != (c.want.Loss == flow.LostClosedUnread) {
				t.Errorf("pid %d: only who closes with data unread is known", end.Last.PID)
			}
			want := map[flow.LossReason]flow.Losses{c.want.Loss: {Closes: 1, Unsent: uint64(unsent)}}
			if c.want.Loss == flow.LostDataAfterClose { // and what it lost by dies with the consumer
				want[flow.LostResetByPeer] = flow.Losses{Closes: 1, Unacknowledged: 5}
			}
			if diff := cmp.Diff(want, losses(t, tr)); diff != "" {
				t.Errorf("counters, -want +got\n%s", diff)
			}
		})
	}
}

func TestMissingBytesAreThoseThatDied(t *testing.T) {
	t.Parallel()
	tr := watch(t, nettest.Loopback(t))
	producer, consumer := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	id := cookie(t, producer)
	written, unsent := brim(t, producer)
	ping(t, producer, consumer)
	shut(t, producer)
	arrived, err := io.Copy(io.Discard, consumer)
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the consumer read %v, want a reset", err)
	}
	if missing := written - int(arrived); missing != unsent {
		t.Errorf("%d bytes are missing, %d were not sent", missing, unsent)
	}
	if end := endOf(t, tr, id); int(end.Unsent) != unsent {
		t.Errorf("the end is %+v, want %d bytes unsent", end, unsent)
	}
}

func TestTimeOutsLoseBytes(t *testing.T) {
	t.Parallel()
	tr := watch(t, nettest.Loopback(t))
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	hang(t, client, server, "request")
	if next(t, tr).Suspect == nil {
		t.Fatal("no suspect")
	}
	userTimeout(t, client, 800*time.Millisecond)
	if end := next(t, tr).End; end == nil || end.Loss != flow.LostTimedOut || end.Unacknowledged != 7 {
		t.Errorf("the end is %+v, want 7 bytes timed out", end)
	}
	want := map[flow.LossReason]flow.Losses{flow.LostTimedOut: {Closes: 1, Unacknowledged: 7}}
	if diff := cmp.Diff(want, losses(t, tr)); diff != "" {
		t.Errorf("counters, -want +got\n%s", diff)
	}
}

// What an owner asks for, and what has nothing in it, is no loss.
func TestNoLoss(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		end  func(t *testing.T, producer, consumer *net.TCPConn)
	}{
		{"linger 0", func(t *testing.T, producer, _ *net.TCPConn) {
			brim(t, producer)
			if err := producer.SetLinger(0); err != nil {
				t.Fatal(err)
			}
			shut(t, producer)
		}},
		{"unread, and nothing to send", func(t *testing.T, producer, consumer *net.TCPConn) {
			ping(t, producer, consumer)
			shut(t, producer)
		}},
		{"drained", func(t *testing.T, producer, consumer *net.TCPConn) {
			_, _ = brim(t, producer)
			ping(t, producer, consumer)
			done := make(chan error, 1)
			go func() {
				_, err := io.Copy(io.Discard, consumer)
				done <- errors.Join(err, consumer.Close())
			}()
			if err := producer.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, producer); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			shut(t, producer)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tr := watch(t, nettest.Loopback(t))
			producer, consumer := nettest.Pair(t, "tcp4", "127.0.0.1:0")
			c.end(t, producer, consumer)
			awaitClosed(t, producer, consumer)
			if got := losses(t, tr); len(got) != 0 {
				t.Errorf("losses %v, want none", got)
			}
			for { // on a busy machine a timer may have run out meanwhile
				select {
				case r := <-tr.Records():
					if r.End != nil && (r.End.Loss != "" || r.End.Timeouts == 0) {
						t.Errorf("an end was reported: %+v", r.End)
					}
					continue
				default:
				}
				break
			}
		})
	}
}

// awaitClosed ends the test's connection for good and waits until the kernel
// side must have seen that: its own close comes after it.
func awaitClosed(t *testing.T, producer, consumer *net.TCPConn) {
	t.Helper()
	_, _ = producer.Close(), consumer.Close()
	time.Sleep(2 * answerTime)
}

func TestRefusedConnectLosesNothing(t *testing.T) {
	tr := watch(t, nettest.Loopback(t))
	if _, err := net.Dial("tcp4", "127.0.0.1:9"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("connect: %v", err)
	}
	if got := losses(t, tr); len(got) != 0 {
		t.Errorf("losses %v, want none", got)
	}
}

func TestAResetThatMeetsARequestIsCountedAndNotReported(t *testing.T) {
	t.Parallel()
	tr := watch(t, nettest.Loopback(t))
	client, server := nettest.Pair(t, "tcp4", "127.0.0.1:0")
	if _, err := client.Write([]byte("unread")); err != nil {
		t.Fatal(err)
	}
	awaitQueues(t, "the request has come in", func() bool { return queued(t, server, inQueued) == 6 && queued(t, client, outQueued) == 0 })
	nettest.NewWall(t).Drop(server.LocalAddr().(*net.TCPAddr).Port)
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	shut(t, server)
	awaitQueues(t, "the reset has come in", func() bool { return state(t, client) == flow.Close })
	want := map[flow.LossReason]flow.Losses{flow.LostResetByPeer: {Closes: 1, Unacknowledged: 1}}
	if diff := cmp.Diff(want, losses(t, tr)); diff != "" {
		t.Errorf("counters, -want +got\n%s", diff)
	}
	select {
	case r := <-tr.Records():
		t.Errorf("a record was sent: %+v", r.End)
	case <-time.After(3 * answerTime):
	}
}

// TestWithoutTheOptionalTracepoints: a reset shows by its errno; only what
// late data killed then reads as one.
func TestWithoutTheOptionalTracepoints(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		die  func(t *testing.T, producer, consumer *net.TCPConn)
	}{
		{"reset by the peer", func(t *testing.T, _, consumer *net.TCPConn) { shut(t, consumer) }},
		{"data after close", func(t *testing.T, producer, consumer *net.TCPConn) {
			shut(t, producer)
			if _, err := consumer.Write([]byte("ping\n")); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inum := nettest.Loopback(t)
			tr := open(t, Options{Scope: []uint32{inum}})
			for _, optional := range []string{tcpstuckProgReceiveReset, tcpstuckProgSendReset} {
				if err := tr.links[optional].Close(); err != nil {
					t.Fatal(err)
				}
				delete(tr.links, optional)
			}
			run(t, tr)
			producer, consumer := nettest.Pair(t, "tcp4", "127.0.0.1:0")
			id := cookie(t, producer)
			_, unsent := brim(t, producer)
			c.die(t, producer, consumer)
			if end := endOf(t, tr, id); end.Loss != flow.LostResetByPeer || int(end.Unsent) != unsent {
				t.Errorf("lost %d bytes, %s; want %d, reset by the peer", end.Unsent, end.Loss, unsent)
			}
		})
	}
}
