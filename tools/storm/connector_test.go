package main

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
	"github.com/tcpstuck/tcpstuck/internal/privtest"
)

// TestNoSocketOutlivesItsProcess: closing is what the kernel does for a process that
// was killed. A socket that stays would retransmit for an hour.
func TestNoSocketOutlivesItsProcess(t *testing.T) {
	privtest.Require(t)
	nettest.Loopback(t)
	listener, err := (&net.ListenConfig{KeepAlive: -1, Control: outlast}).Listen(context.Background(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	client, err := silent.Dial("tcp4", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	wall := nettest.NewWall(t)
	for _, c := range []net.Conn{client, server} {
		wall.Drop(c.LocalAddr().(*net.TCPAddr).Port)
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []interface{ Close() error }{client, server, listener} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	sockets, err := os.ReadFile("/proc/thread-self/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(strings.TrimSpace(string(sockets)), "\n"); len(lines) != 1 { // the titles
		t.Errorf("sockets stay:\n%s", sockets)
	}
}
