package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

const (
	defaultInterval = 5 * time.Second
	dialTimeout     = 5 * time.Second
)

var request = []byte("hello\n")

// client keeps connections to a server and asks on each of them, one request
// after the other. On SIGTERM it closes them and ends.
type client struct {
	log         *slog.Logger
	records     *record.Writer
	family      string
	server      string
	source      string // the address that connections start from; empty: the kernel's choice
	interval    time.Duration
	connections int
	requests    int
	idle        bool
	stream      int
	multipath   bool
	userTimeout time.Duration
	keepalive   time.Duration
	probes      int // of keepalive
}

func (c *client) flags(flags *flag.FlagSet) {
	flags.StringVar(&c.server, "server", "server:8000", "`address` of the server")
	flags.StringVar(&c.source, "source", "", "`address` of this host that connections start from; a crowd needs it")
	flags.DurationVar(&c.interval, "interval", defaultInterval, "time between requests")
	flags.IntVar(&c.connections, "connections", 1, "how many connections to keep")
	flags.IntVar(&c.requests, "requests", 0, "stop asking after so many requests and hold the connection open and unread, as a pool does; 0: never stop")
	flags.BoolVar(&c.idle, "idle", false, "only read, never send")
	flags.IntVar(&c.stream, "stream", 0, "write so many `bytes` every interval and expect no answer; 0: ask and wait")
	flags.BoolVar(&c.multipath, "multipath", false, "use MPTCP where the server does, too")
	flags.DurationVar(&c.userTimeout, "user-timeout", 0, "set TCP_USER_TIMEOUT; 0: leave it")
	flags.DurationVar(&c.keepalive, "keepalive", 0, "probe after so long a silence, and as often again; 0: never")
	flags.IntVar(&c.probes, "keepalive-probes", 3, "so many unanswered ones end a connection")
}

func (c *client) run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	c.log.Info("Client started")
	var wg sync.WaitGroup
	for range c.connections {
		wg.Go(func() { c.keep(ctx) })
	}
	wg.Wait()
	return nil
}

// keep connects again and again until ctx ends.
func (c *client) keep(ctx context.Context) {
	for ctx.Err() == nil {
		c.connect(ctx)
		sleep(ctx, c.interval)
	}
}

func (c *client) connect(ctx context.Context) {
	c.log.Info("Connecting to server", "remote_addr", c.server)
	conn, err := c.dial(ctx)
	if err != nil {
		c.log.Error("Error connecting to server", "error", err)
		return
	}
	defer func() {
		note(c.records, record.Closed, conn, nil)
		conn.Close()
		c.log.Info("Connection closed", "address", conn.RemoteAddr())
	}()
	if err := setKeepalive(conn, c.keepalive, c.probes); err != nil {
		c.log.Error("Error setting keepalive", "error", err)
		return
	}
	// A blocked read or write returns when ctx ends.
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	note(c.records, record.Connected, conn, nil)

	if err := c.talk(ctx, conn); err != nil && ctx.Err() == nil {
		note(c.records, record.Error, conn, err)
		c.log.Error("Error reading data", "error", err)
	}
}

func (c *client) dial(ctx context.Context) (net.Conn, error) {
	if c.source == "" {
		return dial(ctx, c.family, c.server, c.userTimeout, c.multipath)
	}
	anyPort, tellNobody := func(uint16) bool { return true }, func(record.Record) {}
	_, conn, err := dialFrom(ctx, c.family, c.source, c.server, c.userTimeout, c.multipath, anyPort, tellNobody)
	return conn, err
}

// talk sends and reads until something fails.
func (c *client) talk(ctx context.Context, conn net.Conn) error {
	if c.idle {
		_, err := io.Copy(io.Discard, conn)
		return err
	}
	if c.stream > 0 {
		return c.pour(ctx, conn)
	}
	for n := 1; ctx.Err() == nil; n++ {
		if err := c.exchange(conn); err != nil {
			return err
		}
		if n == c.requests {
			<-ctx.Done() // hold it, as a pool does with an unused connection
			return nil
		}
		if err := c.rest(ctx, conn); err != nil {
			return err
		}
	}
	return nil
}

// pour writes and never reads.
func (c *client) pour(ctx context.Context, conn net.Conn) error {
	drop := make([]byte, c.stream)
	for total := int64(0); ctx.Err() == nil; sleep(ctx, c.interval) {
		note(c.records, record.Write, conn, nil)
		n, err := conn.Write(drop)
		total += int64(n)
		noteBytes(c.records, record.Wrote, conn, total)
		if err != nil {
			return err
		}
	}
	return nil
}

// rest waits for the time of the next request. It notices if the server closes
// meanwhile: data sent after that would be lost.
func (c *client) rest(ctx context.Context, conn net.Conn) error {
	if err := conn.SetReadDeadline(time.Now().Add(c.interval)); err != nil {
		return err
	}
	select {
	case <-ctx.Done(): // it ended before, and the deadline hid that
		return nil
	default:
	}
	_, err := conn.Read(make([]byte, len(request)))
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return conn.SetReadDeadline(time.Time{})
}

func (c *client) exchange(conn net.Conn) error {
	addrs := []any{"remote_addr", conn.RemoteAddr(), "local_addr", conn.LocalAddr()}
	c.log.Info("Sending request", addrs...)
	note(c.records, record.Write, conn, nil)
	if _, err := conn.Write(request); err != nil {
		return err
	}
	if _, err := io.ReadFull(conn, make([]byte, len(request))); err != nil {
		return err
	}
	note(c.records, record.Read, conn, nil)
	c.log.Info("Received response", addrs...)
	return nil
}

// note records what happened on conn, if records are wanted.
func note(w *record.Writer, kind record.Kind, conn net.Conn, failure error) {
	r := record.Record{Time: time.Now(), Kind: kind, Local: addrPort(conn.LocalAddr()), Remote: addrPort(conn.RemoteAddr())}
	if failure != nil {
		r.Error = failure.Error()
	}
	write(w, r)
}

// noteBytes records how many bytes went over conn so far, if records are wanted.
func noteBytes(w *record.Writer, kind record.Kind, conn net.Conn, total int64) {
	write(w, record.Record{
		Time: time.Now(), Kind: kind, Local: addrPort(conn.LocalAddr()), Remote: addrPort(conn.RemoteAddr()), Bytes: total,
	})
}

func write(w *record.Writer, r record.Record) {
	if w == nil {
		return
	}
	if err := w.Write(r); err != nil && !errors.Is(err, syscall.EPIPE) {
		slog.Error("Error writing record", "error", err)
	}
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
