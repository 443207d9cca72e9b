package diagnosis

import (
	"syscall"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Outcome returns how a socket ended. A time-out's errno is the last soft
// error, if there was one, and ETIMEDOUT otherwise (tcp_write_err), so a
// reset is known by having been received.
func Outcome(e flow.End) flow.Outcome {
	if e.Loss == flow.LostDataAfterClose {
		return flow.Closed // to the kernel it dies as by a reset, but no peer sent one
	}
	if e.ResetReceived {
		return flow.Reset
	}
	switch err := syscall.Errno(e.Err); {
	case err == 0:
		return flow.Closed
	case err == syscall.ETIMEDOUT, e.SoftErr != 0 && e.Err == e.SoftErr:
		return flow.TimedOut
	case err == syscall.ECONNRESET, err == syscall.EPIPE, err == syscall.ECONNREFUSED && e.From == flow.SynSent:
		return flow.Reset
	}
	return flow.Closed
}
