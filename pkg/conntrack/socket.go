package conntrack

import (
	"context"
	"syscall"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// socket serves one lookup at a time: a single question by the netlink library,
// which waits, or many at once, without waiting.
type socket struct {
	*netlink.Conn
	raw   syscall.RawConn
	batch batch
}

func dial() (*socket, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		_ = conn.Close() // nothing was asked
		return nil, err
	}
	return &socket{Conn: conn, raw: raw}, nil
}

func (s *socket) query(ctx context.Context, req netlink.Message) ([]netlink.Message, error) {
	deadline, _ := ctx.Deadline() // the zero time is no deadline
	if err := s.SetReadDeadline(deadline); err != nil {
		return nil, err
	}
	return s.Execute(req)
}

// send implements wire.
func (s *socket) send(datagram []byte) (err error) {
	failed := s.raw.Control(func(fd uintptr) {
		err = unix.Sendto(int(fd), datagram, unix.MSG_DONTWAIT, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	})
	if failed != nil {
		return failed
	}
	return err
}

// receive implements wire.
func (s *socket) receive(buffer []byte) (n int, err error) {
	failed := s.raw.Control(func(fd uintptr) {
		n, _, _, _, err = unix.Recvmsg(int(fd), buffer, nil, unix.MSG_DONTWAIT)
	})
	if failed != nil {
		return 0, failed
	}
	return n, err
}
