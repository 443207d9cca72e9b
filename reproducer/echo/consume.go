package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

var ping = []byte("ping\n")

// consumer reads what producers send, after a while, and pings them meanwhile.
type consumer struct {
	log     *slog.Logger
	records *record.Writer
	family  string

	listen string
	hold   time.Duration
	ping   time.Duration
}

func (c *consumer) run() error {
	network := map[string]string{"4": "tcp4", "6": "tcp6", "mapped": "tcp"}[c.family]
	if network == "" {
		return fmt.Errorf("unknown family %q", c.family)
	}
	config := net.ListenConfig{KeepAlive: -1}
	l, err := config.Listen(context.Background(), network, c.listen)
	if err != nil {
		return err
	}
	write(c.records, record.Record{Time: time.Now(), Kind: record.Listening, Local: addrPort(l.Addr())})
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		note(c.records, record.Accepted, conn, nil)
		go c.serve(conn)
	}
}

// serve counts the bytes that arrive until the producer's end, or an error.
func (c *consumer) serve(conn net.Conn) {
	defer conn.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go c.keepPinging(ctx, conn)
	<-time.After(c.hold)
	n, err := io.Copy(io.Discard, conn)
	r := record.Record{
		Time: time.Now(), Kind: record.Closed, Local: addrPort(conn.LocalAddr()), Remote: addrPort(conn.RemoteAddr()), Bytes: n,
	}
	if err != nil {
		r.Error = err.Error()
	}
	c.log.Info("The transfer is over", "bytes", n, "error", err)
	write(c.records, r)
}

func (c *consumer) keepPinging(ctx context.Context, conn net.Conn) {
	for ctx.Err() == nil {
		if _, err := conn.Write(ping); err != nil {
			note(c.records, record.Error, conn, err)
			return
		}
		sleep(ctx, c.ping)
	}
}
