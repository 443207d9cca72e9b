package main

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// crowd holds many connections and keeps books on each: what was written, what
// the kernel still holds of it, what came from the peer and when, and how it
// ended. After SIGUSR1 it makes no requests until SIGUSR2. On SIGHUP it reports
// the state of each connection.
type crowd struct {
	client
	reconnect  bool
	sendBuffer int

	clock  *lateness
	mu     sync.Mutex
	open   map[*member]bool
	used   map[uint16]bool // ports
	resume chan struct{}   // closed unless it pauses
}

// lookInterval is how often the kernel is asked what it holds of each
// connection.
const lookInterval = 100 * time.Millisecond

func (c *crowd) run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	c.open, c.used, c.resume, c.clock = map[*member]bool{}, map[uint16]bool{}, make(chan struct{}), &lateness{}
	close(c.resume)
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP)
	var wg sync.WaitGroup
	wg.Go(func() { c.obey(ctx, signals) })
	wg.Go(func() { c.clock.run(ctx) })
	wg.Go(func() { c.look(ctx) })
	for n := range c.connections {
		wg.Go(func() {
			sleep(ctx, time.Duration(n)*c.interval/time.Duration(c.connections)) // not all at once
			c.keep(ctx)
		})
	}
	wg.Wait()
	return nil
}

// keep makes one connection or, with reconnect, one after the other.
func (c *crowd) keep(ctx context.Context) {
	for ctx.Err() == nil {
		if made := c.connect(ctx); made && !c.reconnect {
			return
		}
		sleep(ctx, c.interval)
	}
}

// connect makes a connection and lives with it until it ends. It reports
// whether there was one.
func (c *crowd) connect(ctx context.Context) bool {
	local, conn, err := dialFrom(ctx, c.family, c.source, c.server, c.userTimeout, c.multipath, c.fresh, func(r record.Record) { write(c.records, r) })
	if err != nil {
		c.log.Error("Error connecting to server", "error", err)
		if ctx.Err() == nil {
			write(c.records, record.Record{Time: time.Now(), Kind: record.Error, Local: local, Error: err.Error(), Errno: errnoName(err), Lag: c.clock.worst()})
		}
		return false
	}
	defer conn.Close()
	m := &member{conn: conn, lastSegment: time.Now()}
	if err := c.furnish(conn); err != nil {
		c.log.Error("Error setting up connection", "error", err)
		return false
	}
	c.enrol(m, true)
	defer c.enrol(m, false)
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	note(c.records, record.Connected, conn, nil)

	at, failure := c.live(ctx, m)
	if ctx.Err() != nil {
		return true
	}
	r := m.standing(record.Error, failure, c.clock.worst())
	if r.Time = at; errors.Is(failure, io.EOF) {
		r.Kind = record.Closed
	}
	write(c.records, r)
	return true
}

// fresh reports whether a port was never used before, and uses it: the scorer
// knows a connection by its addresses, long after it was closed.
func (c *crowd) fresh(port uint16) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.used[port] {
		return false
	}
	c.used[port] = true
	return true
}

func (c *crowd) furnish(conn net.Conn) error {
	if err := setKeepalive(conn, c.keepalive, c.probes); err != nil {
		return err
	}
	if tcp, ok := conn.(*net.TCPConn); ok && c.sendBuffer > 0 {
		return tcp.SetWriteBuffer(c.sendBuffer)
	}
	return nil
}

func (c *crowd) enrol(m *member, in bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if in {
		c.open[m] = true
		return
	}
	delete(c.open, m)
}

// live reads the answers, and asks or streams meanwhile, until something fails. It
// returns the error and its time.
func (c *crowd) live(ctx context.Context, m *member) (time.Time, error) {
	answers := make(chan struct{}, 1)
	broken := make(chan error, 2)
	go func() { broken <- m.listen(answers) }()
	if !c.idle {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() { broken <- c.talkTo(ctx, m, answers) }()
	}
	err, at := <-broken, time.Now()
	if (errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE)) && c.stream > 0 {
		// The kernel reports an error once: if a write took it, a read sees
		// the end, and if a read took it, a write sees a broken pipe.
		select {
		case other := <-broken:
			if errnoName(other) != "" && !errors.Is(other, syscall.EPIPE) {
				err = other
			}
		case <-time.After(50 * time.Millisecond):
		}
	}
	return at, err
}

// talkTo asks again and again, waiting for each answer; a stream does not wait.
func (c *crowd) talkTo(ctx context.Context, m *member, answers <-chan struct{}) error {
	words := request
	if c.stream > 0 {
		words = make([]byte, c.stream)
	}
	for n := 1; ; n++ {
		if err := c.may(ctx); err != nil {
			return err
		}
		if err := m.say(words); err != nil {
			return err
		}
		if c.stream == 0 {
			select {
			case <-answers:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if n == c.requests {
			<-ctx.Done()
			return ctx.Err()
		}
		sleep(ctx, c.interval)
	}
}

// may waits while the crowd pauses.
func (c *crowd) may(ctx context.Context) error {
	c.mu.Lock()
	resume := c.resume
	c.mu.Unlock()
	select {
	case <-resume:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// look asks the kernel about every connection.
func (c *crowd) look(ctx context.Context) {
	for ctx.Err() == nil {
		for _, m := range c.members() {
			m.look()
		}
		sleep(ctx, lookInterval)
	}
}

func (c *crowd) members() []*member {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]*member, 0, len(c.open))
	for m := range c.open {
		all = append(all, m)
	}
	return all
}

func (c *crowd) obey(ctx context.Context, signals <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-signals:
			switch s {
			case syscall.SIGUSR1:
				c.pause(ctx)
			case syscall.SIGUSR2:
				c.mu.Lock()
				close(c.resume)
				c.mu.Unlock()
			case syscall.SIGHUP:
				for _, m := range c.members() {
					m.look()
					write(c.records, m.standing(record.Standing, nil, c.clock.worst()))
				}
				write(c.records, record.Record{Time: time.Now(), Kind: record.Ready})
			}
		}
	}
}

// pause stops requests. It says so once those in flight have answers, or do not seem to
// get any.
func (c *crowd) pause(ctx context.Context) {
	const patience = time.Second
	c.mu.Lock()
	c.resume = make(chan struct{})
	c.mu.Unlock()
	for end := time.Now().Add(patience); time.Now().Before(end); sleep(ctx, 5*time.Millisecond) {
		waiting := false
		for _, m := range c.members() {
			m.look()
			waiting = waiting || m.waits()
		}
		if !waiting {
			break
		}
	}
	write(c.records, record.Record{Time: time.Now(), Kind: record.Paused})
}

// errnoName returns the name of the errno in an error, or "".
func errnoName(err error) string {
	var e syscall.Errno
	if errors.As(err, &e) {
		return unix.ErrnoName(e)
	}
	return ""
}
