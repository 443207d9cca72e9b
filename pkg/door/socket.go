package door

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"
)

const (
	sendBytes    = 128 << 10        // the kernel may hold so much of an answer
	receiveBytes = 16 << 10         // the kernel may hold so much of a request; it doubles the number
	deafTimeout  = 10 * time.Second // until it drops a caller that does not acknowledge
	dumbSeconds  = 5                // until it passes on a connection on which nothing was sent
)

// tcpUserTimeout is TCP_USER_TIMEOUT, in milliseconds.
const tcpUserTimeout = 0x12

// Listen listens on a TCP address, and limits what the kernel keeps for one
// connection. Guard then limits how many there are.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	return (&net.ListenConfig{Control: modest}).Listen(ctx, "tcp", address)
}

// modest limits what the kernel keeps for one connection. Without it the kernel holds
// megabytes for a caller that does not read, even minutes after the agent has closed
// the connection. A connection on which nothing is sent stays in the kernel, which
// has room for thousands, and takes no place. Accepted sockets inherit all of this.
func modest(_, _ string, c syscall.RawConn) error {
	var set error
	err := c.Control(func(fd uintptr) {
		set = errors.Join(
			syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, sendBytes),
			syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, receiveBytes),
			syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_DEFER_ACCEPT, dumbSeconds),
			syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(deafTimeout.Milliseconds())),
		)
	})
	return errors.Join(err, set)
}
