package kube

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// heard is when the last sign of life came from the server, on any connection: a
// byte, or the end of the connection. It may be used from any goroutine.
type heard struct{ at atomic.Pointer[time.Time] }

func (h *heard) note() { h.at.Store(new(time.Now())) }

// last returns the time of that sign; now, where there was none yet.
func (h *heard) last() time.Time {
	if at := h.at.Load(); at != nil {
		return *at
	}
	return time.Now()
}

type dial = func(ctx context.Context, network, address string) (net.Conn, error)

// on returns a dial whose connections are listened to.
func (h *heard) on(dial dial) dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &heardConn{Conn: c, heard: h}, nil
	}
}

type heardConn struct {
	net.Conn
	heard *heard
}

// Read notes what comes from the server. A connection that we end, and one that
// times out, says nothing.
func (c *heardConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		c.heard.note()
	}
	return n, err
}
