package deadline_test

import (
	"fmt"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/deadline"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// A healthy connection whose peer vanishes while data is in flight, with the
// kernel's usual settings and with a user timeout.
func ExampleWhileSending() {
	s := flow.Socket{State: flow.Established, RTO: 200 * time.Millisecond, RTOMax: 2 * time.Minute, Retries2: 15, Tick: 4 * time.Millisecond}
	fmt.Println("tcp_retries2 = 15:", deadline.WhileSending(s))
	s.UserTimeout = 30 * time.Second
	fmt.Println("TCP_USER_TIMEOUT = 30 s:", deadline.WhileSending(s))
	_, ends := deadline.WhileIdle(s)
	fmt.Println("idle, without keepalive, it ends:", ends)
	// Output:
	// tcp_retries2 = 15: 15m24.6s
	// TCP_USER_TIMEOUT = 30 s: 30s
	// idle, without keepalive, it ends: false
}
