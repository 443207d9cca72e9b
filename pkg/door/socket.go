package door

import (
	"errors"
	"syscall"
	"time"
)

const (
	sendBytes    = 128 << 10        // that the kernel may hold of an answer
	receiveBytes = 16 << 10         // that it may hold of a request; the kernel doubles it
	deafTimeout  = 10 * time.Second // until it gives up a caller that does not acknowledge
)

// tcpUserTimeout is TCP_USER_TIMEOUT, in milliseconds.
const tcpUserTimeout = 0x12

// Modest is the Control of a net.ListenConfig of a TCP port: it limits what
// the kernel keeps for one connection. Without it a caller that does not read
// has the kernel hold megabytes, and minutes after the agent has hung up on
// it. Accepted sockets inherit all three.
func Modest(_, _ string, c syscall.RawConn) error {
	var set error
	err := c.Control(func(fd uintptr) {
		set = errors.Join(
			syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, sendBytes),
			syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, receiveBytes),
			syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(deafTimeout.Milliseconds())),
		)
	})
	return errors.Join(err, set)
}
