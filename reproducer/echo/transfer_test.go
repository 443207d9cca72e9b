package main

import (
	"syscall"
	"testing"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// TestTransfer: what is in the send buffer when the producer closes is what
// its consumer misses, unless it drains.
func TestTransfer(t *testing.T) {
	for _, c := range []struct {
		manner  []string
		arrives bool
	}{
		{[]string{careless}, false},
		{[]string{hasty}, false},
		{[]string{draining, "--patience", "50ms"}, false},
		{[]string{draining, "--patience", "10s"}, true},
	} {
		t.Run(c.manner[0]+map[bool]string{true: ", in time", false: ""}[c.arrives], func(t *testing.T) {
			consumer := start(t, "consume", "--listen", "127.0.0.1:0", "--hold", "700ms", "--ping", "100ms")
			listening := consumer.await(t, record.Listening)
			// More than the consumer's window, less than the send buffer.
			args := []string{"produce", "--bytes", "300000", "--consumer", listening.Local.String(), "--manner"}
			producer := start(t, append(args, c.manner...)...)
			wrote := producer.await(t, record.Wrote)
			producer.await(t, record.Closed)
			if err := producer.cmd.Wait(); err != nil {
				t.Errorf("the producer, which was successful, ended with %v", err)
			}
			missing := wrote.Bytes - consumer.await(t, record.Closed).Bytes
			want := wrote.Unsent
			if c.arrives {
				want = 0
			}
			if wrote.Bytes != 300000 || wrote.Unsent == 0 || missing != want {
				t.Errorf("%d bytes written, %d of them not sent; %d are missing, want %d", wrote.Bytes, wrote.Unsent, missing, want)
			}
		})
	}
}

func TestProducerBeginsAtTheSignal(t *testing.T) {
	consumer := start(t, "consume", "--listen", "127.0.0.1:0", "--ping", "10ms")
	listening := consumer.await(t, record.Listening)
	producer := start(t, "produce", "--on-signal", "--bytes", "10", "--consumer", listening.Local.String(), "--manner", draining)
	producer.await(t, record.Ready)
	select {
	case r := <-consumer.records:
		t.Fatalf("before the signal: %+v", r)
	default:
	}
	if err := producer.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	if end := consumer.await(t, record.Closed); end.Bytes != 10 || end.Error != "" {
		t.Errorf("the consumer got %d bytes and %q, want 10 and the end", end.Bytes, end.Error)
	}
}
