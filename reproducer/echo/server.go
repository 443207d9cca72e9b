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
	"sync"
	"syscall"
	"time"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// server echoes what it reads. SIGTERM ends it at once, or is ignored
// (catchSIGTERM), or begins a drain.
type server struct {
	log          *slog.Logger
	records      *record.Writer
	family       string
	listen       string
	catchSIGTERM bool
	drain        time.Duration
	push         time.Duration
	discard      bool
	sip          time.Duration

	mu    sync.Mutex
	conns map[net.Conn]bool
}

func (s *server) run() error {
	s.conns = map[net.Conn]bool{}
	term := make(chan os.Signal, 1)
	if s.catchSIGTERM || s.drain > 0 {
		signal.Notify(term, syscall.SIGTERM)
	}
	network := map[string]string{"4": "tcp4", "6": "tcp6", "mapped": "tcp"}[s.family]
	if network == "" {
		return fmt.Errorf("unknown family %q", s.family)
	}
	config := net.ListenConfig{KeepAlive: -1} // as the client: a vanished peer is not noticed
	l, err := config.Listen(context.Background(), network, s.listen)
	if err != nil {
		return err
	}
	s.log.Info("Server started", "address", l.Addr())
	write(s.records, record.Record{Time: time.Now(), Kind: record.Listening, Local: addrPort(l.Addr())})
	go s.onSIGTERM(term, l)

	var open sync.WaitGroup
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			open.Wait()
			return nil
		}
		if err != nil {
			return err
		}
		s.track(conn, true)
		open.Go(func() { s.serve(conn) })
	}
}

// onSIGTERM ignores the signal or, with a drain, stops accepting and closes after the
// drain what is still open.
func (s *server) onSIGTERM(term <-chan os.Signal, l net.Listener) {
	for range term {
		if s.drain == 0 {
			s.log.Info("Ignoring SIGTERM")
			continue
		}
		s.log.Info("Draining connections", "at_most", s.drain)
		l.Close()
		time.AfterFunc(s.drain, s.closeAll)
	}
}

func (s *server) serve(conn net.Conn) {
	defer func() {
		s.track(conn, false)
		conn.Close()
		s.log.Info("Connection closed", "address", conn.RemoteAddr())
	}()
	note(s.records, record.Accepted, conn, nil)
	s.log.Info("Accepted connection", "remote_addr", conn.RemoteAddr(), "local_addr", conn.LocalAddr())
	if s.push > 0 {
		done := make(chan struct{})
		defer close(done)
		go s.pushTo(conn, done)
	}
	if err := s.answer(conn); err != nil && !errors.Is(err, net.ErrClosed) {
		s.log.Error("Error echoing data", "error", err)
	}
}

func (s *server) answer(conn net.Conn) error {
	if s.discard {
		return s.drink(conn)
	}
	_, err := io.Copy(conn, conn)
	return err
}

// drink reads and never answers, with a pause before each read if one is wanted.
func (s *server) drink(conn net.Conn) error {
	mouthful := make([]byte, 16<<10)
	for total := int64(0); ; {
		if s.sip > 0 {
			<-time.After(s.sip)
		}
		n, err := conn.Read(mouthful)
		total += int64(n)
		if n > 0 {
			noteBytes(s.records, record.Read, conn, total)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// pushTo sends a line every s.push, without a request, until done or until it fails.
func (s *server) pushTo(conn net.Conn, done <-chan struct{}) {
	tick := time.NewTicker(s.push)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		note(s.records, record.Write, conn, nil)
		if _, err := conn.Write(request); err != nil {
			return
		}
	}
}

func (s *server) track(conn net.Conn, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if open {
		s.conns[conn] = true
		return
	}
	delete(s.conns, conn)
}

func (s *server) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		conn.Close()
	}
}
