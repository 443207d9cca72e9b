package chaos

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// How Attack floods a port.
const (
	floodConnections = "connections"
	floodHeaders     = "headers"
	floodScrapes     = "scrapes"
)

const (
	callers   = 400 // flood one port at once
	callPause = 300 * time.Millisecond
	callHolds = 5 * time.Second // until a caller closes a connection that the agent has not closed
)

// Attack floods ports, each given as network=address, until ctx ends. It is a
// program of its own, so that it takes neither threads nor descriptors from the
// program that watches. It takes no CPU from that either: that would be another
// fault.
func Attack(ctx context.Context, kind string, ports []string) error {
	if err := unix.Setpriority(unix.PRIO_PGRP, 0, 19); err != nil {
		return fmt.Errorf("be nice: %w", err)
	}
	var group sync.WaitGroup
	for _, port := range ports {
		network, address, ok := strings.Cut(port, "=")
		if !ok {
			return fmt.Errorf("port %q: want network=address", port)
		}
		for n := range callers {
			group.Go(func() {
				for ctx.Err() == nil {
					call(ctx, network, address, says(kind, n))
					if kind != floodScrapes {
						_ = pause(ctx, callPause)
					}
				}
			})
		}
	}
	group.Wait()
	return nil
}

// says returns what the nth caller of a flood sends.
func says(kind string, n int) string {
	const begins = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
	switch kind {
	case floodHeaders:
		if n%4 == 0 {
			return begins + shortHeaders() + "\r\n"
		}
		return begins + strings.Repeat("X-A: "+strings.Repeat("b", 1000)+"\r\n", 1000)
	case floodScrapes:
		return "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
	}
	return []string{
		"",                                      // nothing
		begins,                                  // half a header
		begins + "\r\n",                         // and then it is idle
		begins + "Content-Length: 1000\r\n\r\n", // and the body never comes
	}[n%4]
}

// shortHeaders are as many headers as a port takes.
func shortHeaders() string {
	var b strings.Builder
	for i := 0; b.Len() < 15<<10; i++ {
		fmt.Fprintf(&b, "%x:\r\n", i)
	}
	return b.String()
}

// call sends something and reads until the port closes.
func call(ctx context.Context, network, address, says string) {
	dialer := net.Dialer{Timeout: callHolds}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return // the next call may work
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	_ = conn.SetDeadline(time.Now().Add(callHolds))
	_, _ = io.WriteString(conn, says)
	_, _ = io.Copy(io.Discard, conn)
}
