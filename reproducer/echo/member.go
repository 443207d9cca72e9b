package main

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// member is one connection of a crowd and the books on it.
type member struct {
	conn net.Conn

	mu          sync.Mutex
	wrote       int64     // bytes that the kernel took
	asked       time.Time // when the oldest write without an answer was made; zero: none
	lastSegment time.Time
	longest     time.Duration // that it waited for an answer, until resumed
	resumed     time.Time
	over        bool // the peer has closed, or it is broken
	acked       uint64
	queued      int // by the last look: bytes written and not acknowledged
	unsent      int // of these, bytes that were never sent
	still       int // looks in a row that saw the same
}

// say writes, and blocks as long as that takes.
func (m *member) say(words []byte) error {
	m.mu.Lock()
	over := m.over
	if m.asked.IsZero() && !over {
		m.asked = time.Now()
	}
	m.mu.Unlock()
	if over {
		return io.EOF // what is sent to a closed peer is lost
	}
	n, err := m.conn.Write(words)
	m.mu.Lock()
	m.wrote += int64(n)
	m.mu.Unlock()
	return err
}

// listen reads to the end and signals each answer.
func (m *member) listen(answers chan<- struct{}) error {
	buf := make([]byte, 4096)
	for {
		_, err := m.conn.Read(buf)
		if err != nil {
			m.mu.Lock()
			m.over = true
			m.mu.Unlock()
			return err
		}
		m.mu.Lock()
		m.lastSegment = time.Now()
		m.answered(m.lastSegment)
		m.mu.Unlock()
		select {
		case answers <- struct{}{}:
		default:
		}
	}
}

// answered ends a wait, if there is one; the caller holds the lock.
func (m *member) answered(at time.Time) {
	if waited := at.Sub(m.asked); !m.asked.IsZero() && waited > m.longest {
		m.longest, m.resumed = waited, at
	}
	m.asked = time.Time{}
}

// look asks the kernel what it holds. An acknowledgement counts as an answer.
func (m *member) look() {
	info, err := tcpInfo(m.conn)
	if err != nil || info.State == unix.BPF_TCP_CLOSE {
		return // it has ended: the kernel has purged its queue already
	}
	queued, err := queue(m.conn.(*net.TCPConn), unix.SIOCOUTQ)
	if err != nil {
		return
	}
	if again, err := tcpInfo(m.conn); err != nil || again.State != info.State {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if info.Bytes_acked != m.acked {
		m.acked, m.lastSegment = info.Bytes_acked, time.Now()
	}
	if queued == 0 {
		m.answered(time.Now())
	}
	unsent := int(info.Notsent_bytes)
	if m.still++; queued != m.queued || unsent != m.unsent {
		m.still = 0
	}
	m.queued, m.unsent = queued, unsent
}

// waits reports whether some written data is not acknowledged.
func (m *member) waits() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.queued > 0
}

// tcpInfo reads TCP_INFO (tcp(7)). A connection that is no plain TCP has no useful one.
func tcpInfo(conn net.Conn) (info *unix.TCPInfo, err error) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil, err
	}
	if e := raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }); e != nil {
		return nil, e
	}
	return info, err
}

// standing records the state of the connection.
func (m *member) standing(kind record.Kind, failure error, lag time.Duration) record.Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := record.Record{
		Time: time.Now(), Kind: kind, Local: addrPort(m.conn.LocalAddr()), Remote: addrPort(m.conn.RemoteAddr()),
		Bytes: m.wrote, Unsent: int64(m.unsent), Unacknowledged: int64(m.queued - m.unsent), Steady: m.still >= 2,
		Asked: m.asked, LastSegment: m.lastSegment, Resumed: m.resumed, Lag: lag,
	}
	if failure != nil {
		r.Error, r.Errno = failure.Error(), errnoName(failure)
	}
	return r
}

// lateness is how late the kernel wakes this program: a time that it records may be too
// late by that much.
type lateness struct {
	mu     sync.Mutex
	recent [50]time.Duration
	next   int
}

func (l *lateness) run(ctx context.Context) {
	const step = 20 * time.Millisecond
	for ctx.Err() == nil {
		began := time.Now()
		sleep(ctx, step)
		late := time.Since(began) - step
		l.mu.Lock()
		l.recent[l.next] = late
		l.next = (l.next + 1) % len(l.recent)
		l.mu.Unlock()
	}
}

// worst returns the worst of the last second.
func (l *lateness) worst() (d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, late := range l.recent {
		d = max(d, late)
	}
	return d
}
