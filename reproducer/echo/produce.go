package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// The manners in which a producer ends its connection.
const (
	careless = "careless" // closes with a ping unread
	hasty    = "hasty"    // reads what has come in, and closes
	draining = "draining" // shuts down its side, reads until the end or until its patience ends, and closes
)

// sendBuffer takes all that a producer has to send at once.
const sendBuffer = 1 << 20

// producer sends all it has to a consumer, successfully, and closes. Whether
// the consumer gets it depends on the manner.
type producer struct {
	log     *slog.Logger
	records *record.Writer
	family  string

	consumer    string
	connections int
	bytes       int
	manner      string
	patience    time.Duration
	onSignal    bool
}

// apart is the time between the beginnings of two transfers.
const apart = 120 * time.Millisecond

func (p *producer) run() error {
	if p.onSignal {
		p.awaitSignal()
	}
	failed := make(chan error, p.connections)
	for n := range p.connections {
		go func() {
			<-time.After(time.Duration(n) * apart)
			failed <- p.transfer()
		}()
	}
	var err error
	for range p.connections {
		err = errors.Join(err, <-failed)
	}
	return err
}

// transfer sends everything over one connection.
func (p *producer) transfer() error {
	c, err := dial(context.Background(), p.family, p.consumer, 0, false)
	if err != nil {
		return err
	}
	conn, ok := c.(*net.TCPConn)
	if !ok {
		return fmt.Errorf("a connection that is a %T", c)
	}
	defer conn.Close() // if something fails
	note(p.records, record.Connected, conn, nil)
	if err := conn.SetWriteBuffer(sendBuffer); err != nil {
		return err
	}
	n, err := conn.Write(make([]byte, p.bytes))
	if err != nil {
		return err
	}
	p.log.Info("Sent everything", "bytes", n)
	unsent, err := settle(conn)
	if err != nil {
		return err
	}
	write(p.records, record.Record{
		Time: time.Now(), Kind: record.Wrote, Local: addrPort(conn.LocalAddr()), Remote: addrPort(conn.RemoteAddr()), Bytes: int64(n), Unsent: int64(unsent),
	})
	if err := p.wait(conn); err != nil {
		return err
	}
	queued, err := queue(conn, unix.SIOCOUTQ)
	if err != nil {
		return err
	}
	if unsent, err = queue(conn, unix.SIOCOUTQNSD); err != nil {
		return err
	}
	unacknowledged := max(0, queued-unsent)
	if p.manner == draining && unsent > 0 {
		unsent-- // the FIN, which waits behind the bytes
	}
	write(p.records, record.Record{
		Time: time.Now(), Kind: record.Closed, Local: addrPort(conn.LocalAddr()), Remote: addrPort(conn.RemoteAddr()), Bytes: int64(n),
		Unsent: int64(unsent), Unacknowledged: int64(unacknowledged),
	})
	p.log.Info("Closing", "manner", p.manner)
	return conn.Close()
}

func (p *producer) awaitSignal() {
	begin := make(chan os.Signal, 1)
	signal.Notify(begin, syscall.SIGUSR1)
	write(p.records, record.Record{Time: time.Now(), Kind: record.Ready})
	<-begin
}

// wait does what the producer's manner demands before it closes.
func (p *producer) wait(conn *net.TCPConn) error {
	switch p.manner {
	case careless:
		return until(func() (bool, error) {
			n, err := queue(conn, unix.SIOCINQ)
			return n > 0, err
		})
	case hasty:
		return readPing(conn)
	case draining:
		return p.drain(conn)
	}
	return fmt.Errorf("unknown manner %q", p.manner)
}

// drain stops right after a ping: the next one is still to come.
func (p *producer) drain(conn *net.TCPConn) error {
	if err := conn.CloseWrite(); err != nil {
		return err
	}
	if err := conn.SetReadDeadline(time.Now().Add(p.patience)); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, conn)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	p.log.Info("Gave up draining", "after", p.patience)
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	return readPing(conn)
}

func readPing(conn net.Conn) error {
	_, err := conn.Read(make([]byte, 4096))
	return err
}

// settle waits until everything is in the consumer's hands or in the send buffer,
// nothing in flight, and returns what is in the send buffer.
func settle(conn *net.TCPConn) (unsent int, err error) {
	err = until(func() (bool, error) {
		outstanding, err := queue(conn, unix.SIOCOUTQ)
		if err != nil {
			return false, err
		}
		unsent, err = queue(conn, unix.SIOCOUTQNSD)
		return outstanding == unsent, err
	})
	return unsent, err
}

// queue returns the length of one of a socket's queues (tcp(7)).
func queue(conn syscall.Conn, which uint) (n int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	if e := raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), which) }); e != nil {
		return 0, e
	}
	return n, err
}

// until polls, for some seconds at most.
func until(ask func() (bool, error)) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for enough := time.After(10 * time.Second); ; {
		if yes, err := ask(); yes || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-enough:
			return errors.New("waited in vain")
		}
	}
}
