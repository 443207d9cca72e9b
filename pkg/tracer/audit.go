package tracer

import (
	"fmt"
	"math"
	"net/netip"
	"time"
	"unsafe"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

const auditedSize = int(unsafe.Sizeof(tcpstuckAudited{}))

// Audit reads every connection (ESTABLISHED or CLOSE_WAIT) that a process holds, in
// every network namespace in scope, each once with its first owner. It does not see
// sockets without a descriptor, those in an accept queue, and MPTCP ones. It costs
// a file scan, and is safe for concurrent use.
func (t *Tracer) Audit() ([]flow.AuditSocket, error) {
	var sockets []flow.AuditSocket
	seen := map[flow.ID]bool{}
	c := now(t.tick)
	err := t.iterate(tcpstuckProgAuditFiles, auditedSize, func(raw []byte) error {
		s, err := decodeAudited(raw, c)
		if err != nil {
			return err
		}
		if seen[s.ID] {
			return nil // another process, or another descriptor, holds it too
		}
		seen[s.ID] = true
		sockets = append(sockets, s)
		return nil
	})
	return sockets, err
}

func decodeAudited(raw []byte, c clock) (flow.AuditSocket, error) {
	var a tcpstuckAudited
	if len(raw) < auditedSize {
		return flow.AuditSocket{}, fmt.Errorf("a connection of %d bytes, want %d: %w", len(raw), auditedSize, errShort)
	}
	fill(&a, raw)
	return flow.AuditSocket{
		Socket: socket(a.Reading, c), ReceiveTimeout: timeout(a.Rcvtimeo, c), SendTimeout: timeout(a.Sndtimeo, c),
	}, nil
}

// timeout returns sk_rcvtimeo or sk_sndtimeo: MAX_SCHEDULE_TIMEOUT is none,
// and so is what no duration can hold.
func timeout(jiffies int64, c clock) time.Duration {
	if jiffies <= 0 || jiffies > math.MaxInt64/int64(c.tick) {
		return 0
	}
	return c.jiffies(jiffies)
}

// Peers returns the remote addresses of every connection that Audit reads, at
// the same cost.
func (t *Tracer) Peers() (map[netip.Addr]struct{}, error) {
	peers := map[netip.Addr]struct{}{}
	c := now(t.tick)
	err := t.iterate(tcpstuckProgAuditFiles, auditedSize, func(raw []byte) error {
		s, err := decodeAudited(raw, c)
		if err != nil {
			return err
		}
		peers[s.Remote.Addr().Unmap()] = struct{}{}
		return nil
	})
	return peers, err
}
