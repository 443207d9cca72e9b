package exporter

import (
	"cmp"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// overflow is the peer_service of the bucket into which edges beyond the
// limit fall. Its other labels are empty.
const overflow = "_overflow"

// edge is a kind of connection between two parties that an operator knows by name. It
// holds no address, no ephemeral port, no process and no id, so its number does not
// grow with connections.
type edge struct {
	role, peer, localNamespace, localWorkload, localWorkloadKind string
	peerNamespace, peerService, port, symptom, cause             string
}

// edgeLabels returns the label names, in the order of values.
func edgeLabels() []string {
	return []string{
		"role", "peer", "local_namespace", "local_workload", "local_workload_kind",
		"peer_namespace", "peer_service", "port", "symptom", "cause",
	}
}

func (e edge) values() []string {
	return []string{
		e.role, e.peer, e.localNamespace, e.localWorkload, e.localWorkloadKind,
		e.peerNamespace, e.peerService, e.port, e.symptom, e.cause,
	}
}

func edgeOf(f flow.Finding) edge {
	return edge{
		role: string(f.Role), peer: string(f.Peer.Class),
		localNamespace: f.Local.Namespace, localWorkload: f.Local.Workload, localWorkloadKind: f.Local.WorkloadKind,
		peerNamespace: f.Peer.Namespace, peerService: peerName(f.Peer),
		port: servicePort(f), symptom: string(f.Symptom), cause: string(f.Cause),
	}
}

// peerName returns the Service or the label that an operator gave. A label is
// free text, and a scrape must be UTF-8.
func peerName(p flow.Peer) string {
	return strings.ToValidUTF8(cmp.Or(p.Service, p.Name), "?")
}

// servicePort returns the port that the service listens on. It is empty while the
// role is unknown, because either port may be an ephemeral one.
func servicePort(f flow.Finding) string {
	switch f.Role {
	case flow.Client:
		return strconv.Itoa(int(f.Peer.Addr.Port()))
	case flow.Server:
		return strconv.Itoa(int(f.Local.Addr.Port()))
	}
	return ""
}

// tally is what the gauges show of an edge.
type tally struct {
	flows   int
	oldest  time.Duration
	unacked uint64    // bytes
	giveUp  time.Time // the soonest known one; zero: none is known
}

func (t tally) plus(o tally) tally {
	return tally{
		flows: t.flows + o.flows, oldest: max(t.oldest, o.oldest), unacked: t.unacked + o.unacked,
		giveUp: sooner(t.giveUp, o.giveUp),
	}
}

// sooner returns the earlier of two times. Either may be unknown.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// census is what a scrape says of all live findings.
type census struct {
	edges      map[edge]tally // of those that are reported
	suppressed map[flow.Suppression]int
	halfOpen   int // idle flows of gone backends, also those that are not reported yet
}

// takeCensus goes through the live findings, once.
func takeCensus(fs iter.Seq[flow.Finding], now time.Time) census {
	c := census{edges: map[edge]tally{}, suppressed: map[flow.Suppression]int{}}
	for f := range fs {
		if f.Symptom == flow.HalfOpen {
			c.halfOpen++
		}
		if f.Suppressed != "" {
			c.suppressed[f.Suppressed]++
			continue
		}
		t := tally{flows: 1, unacked: uint64(f.Unacknowledged), giveUp: f.GivesUp.At}
		if !f.Since.IsZero() {
			t.oldest = max(0, now.Sub(f.Since))
		}
		e := edgeOf(f)
		c.edges[e] = c.edges[e].plus(t)
	}
	return c
}
