package conntrack

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

var (
	// ErrNotFound is returned when no entry in the table has the tuple.
	ErrNotFound = errors.New("no conntrack entry")

	// ErrUnavailable is returned when the table cannot be asked at all: the
	// kernel has no nf_conntrack_netlink, or the caller lacks CAP_NET_ADMIN.
	// The text says which.
	ErrUnavailable = errors.New("conntrack is unavailable")
)

// explain puts the package's sentinels into an error of the kernel.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOENT):
		return ErrNotFound
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("%w: CAP_NET_ADMIN is missing: %w", ErrUnavailable, err)
	case errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.EAFNOSUPPORT):
		return fmt.Errorf("%w: the kernel has no nfnetlink: %w", ErrUnavailable, err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	return err
}

// answered reports whether err is the kernel's answer to the request, after
// which the socket can be used again.
func answered(err error) bool {
	return err == nil || errors.Is(err, unix.ENOENT)
}
