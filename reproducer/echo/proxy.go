package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// proxyMark (SO_MARK) marks everything that the proxy sends, so that the rule that
// redirects the application's connections to it spares its own.
const proxyMark = 1337

// proxy is a sidecar: it accepts the application's connections and passes everything on.
type proxy struct {
	log      *slog.Logger
	records  *record.Writer
	family   string
	listen   string
	upstream string
}

func (p *proxy) run() error {
	network := map[string]string{"4": "tcp4", "6": "tcp6", "mapped": "tcp"}[p.family]
	if network == "" {
		return fmt.Errorf("unknown family %q", p.family)
	}
	config := net.ListenConfig{KeepAlive: -1}
	l, err := config.Listen(context.Background(), network, p.listen)
	if err != nil {
		return err
	}
	p.log.Info("Proxy started", "address", l.Addr())
	write(p.records, record.Record{Time: time.Now(), Kind: record.Listening, Local: addrPort(l.Addr())})
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go p.pass(conn)
	}
}

// pass joins a connection with a new one to the upstream.
func (p *proxy) pass(down net.Conn) {
	defer down.Close()
	up, err := p.dial()
	if err != nil {
		p.log.Error("Error connecting to upstream", "error", err)
		return
	}
	defer up.Close()
	note(p.records, record.Connected, up, nil)
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{up, down}, {down, up}} {
		both.Go(func() {
			defer func() { up.Close(); down.Close() }()
			// One buffer and no splicing: what the upstream does not take
			// stays with the application.
			_, _ = io.CopyBuffer(struct{ io.Writer }{way[0]}, struct{ io.Reader }{way[1]}, make([]byte, 16<<10))
		})
	}
	both.Wait()
}

func (p *proxy) dial() (net.Conn, error) {
	mark := func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, proxyMark) }); e != nil {
			return e
		}
		return err
	}
	dialer := net.Dialer{Timeout: dialTimeout, KeepAlive: -1, Control: mark}
	return dialer.DialContext(context.Background(), "tcp", p.upstream)
}
