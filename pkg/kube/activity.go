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

// activity is when the server last sent something, on any connection: a byte, or the
// end of the connection. It is safe for concurrent use.
type activity struct{ at atomic.Pointer[time.Time] }

func (a *activity) note() { a.at.Store(new(time.Now())) }

// last returns that time, or the present time if the server sent nothing yet.
func (a *activity) last() time.Time {
	if at := a.at.Load(); at != nil {
		return *at
	}
	return time.Now()
}

type dial = func(ctx context.Context, network, address string) (net.Conn, error)

// watch returns a dial whose connections note what the server sends.
func (a *activity) watch(dial dial) dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &watchedConn{Conn: c, activity: a}, nil
	}
}

type watchedConn struct {
	net.Conn
	activity *activity
}

// Read notes what the server sends. It does not note that this side closed the
// connection, nor that the connection timed out.
func (c *watchedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		c.activity.note()
	}
	return n, err
}
