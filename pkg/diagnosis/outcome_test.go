package diagnosis_test

import (
	"syscall"
	"testing"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func TestOutcome(t *testing.T) {
	for _, c := range []struct {
		name string
		end  flow.End
		want flow.Outcome
	}{
		{"time-out", flow.End{From: flow.Established, Err: int(syscall.ETIMEDOUT)}, flow.TimedOut},
		{"time-out behind a REJECT", flow.End{From: flow.Established, Err: int(syscall.ECONNREFUSED), SoftErr: int(syscall.ECONNREFUSED)}, flow.TimedOut},
		{"time-out with a dead neighbour", flow.End{From: flow.Established, Err: int(syscall.EHOSTUNREACH), SoftErr: int(syscall.EHOSTUNREACH)}, flow.TimedOut},
		{"reset", flow.End{From: flow.Established, Err: int(syscall.ECONNRESET), ResetReceived: true}, flow.Reset},
		{"reset whose errno is that of an earlier soft error", flow.End{From: flow.SynSent, Err: int(syscall.ECONNREFUSED), SoftErr: int(syscall.ECONNREFUSED), ResetReceived: true}, flow.Reset},
		{"reset where the kernel does not show it", flow.End{From: flow.CloseWait, Err: int(syscall.EPIPE)}, flow.Reset},
		{"refused", flow.End{From: flow.SynSent, Err: int(syscall.ECONNREFUSED)}, flow.Reset},
		{"killed by data after its close", flow.End{From: flow.FinWait1, Err: int(syscall.ECONNRESET), Loss: flow.LostDataAfterClose}, flow.Closed},
		{"closed by its owner", flow.End{From: flow.FinWait2}, flow.Closed},
		{"killed by an administrator", flow.End{From: flow.Established, Err: int(syscall.ECONNABORTED)}, flow.Closed},
	} {
		if got := diagnosis.Outcome(c.end); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
