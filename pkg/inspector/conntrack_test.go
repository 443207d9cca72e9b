package inspector_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func TestConntrackThatFailedIsAskedAgainSoon(t *testing.T) {
	n := start(t, func(n *node) { n.lasts = time.Hour })
	n.table.fail(syscall.ENOBUFS)
	n.kernel.retransmits(hung())
	if got := verdict(n.await(flow.EventStuck)); got == "Retransmitting · StaleConntrack" {
		t.Fatalf("%s without an answer of conntrack", got)
	}
	if e := n.await(flow.EventDegraded); e.Source != string(flow.SourceConntrack) {
		t.Errorf("degraded: %s", e.Source)
	}
	n.table.fail(nil)
	if e := n.await(flow.EventRevised); e.Flow.Backend == nil || e.Flow.Backend.Addr != server {
		t.Errorf("backend %+v, want %v, which conntrack knows again", e.Flow.Backend, server)
	}
	if e := n.await(flow.EventRestored); e.Source != string(flow.SourceConntrack) {
		t.Errorf("restored: %s", e.Source)
	}
}
