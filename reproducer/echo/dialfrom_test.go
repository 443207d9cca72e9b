package main

import (
	"net"
	"testing"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// TestEachConnectionHasAPortOfItsOwn: a new connection with the addresses of
// one that was closed would be taken for it.
func TestEachConnectionHasAPortOfItsOwn(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	c := crowd{used: map[uint16]bool{}}
	refused := 0
	fresh := func(port uint16) bool {
		if refused < 3 { // as if it had been used
			refused++
			c.used[port] = true
		}
		return c.fresh(port)
	}
	seen := map[uint16]bool{}
	for range 5 {
		reported := 0
		local, conn, err := dialFrom(t.Context(), "4", "127.0.0.1", listener.Addr().String(), 0, false, fresh, func(record.Record) { reported++ })
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		if seen[local.Port()] || reported != 1 {
			t.Errorf("port %d, seen before: %v, reported %d times", local.Port(), seen[local.Port()], reported)
		}
		seen[local.Port()] = true
		if c.fresh(local.Port()) {
			t.Errorf("port %d may be used again", local.Port())
		}
	}
}
