package diagnosis_test

import (
	"math/rand/v2"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func one[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// anyEvidence is evidence in which each source may have said anything.
func anyEvidence(r *rand.Rand) diagnosis.Evidence {
	e := calico()
	ago := func(most float64) time.Time {
		return noon.Add(-time.Duration(r.Float64() * most * float64(time.Second)))
	}
	e.Now, e.Socket.At, e.Socket.Since = noon, ago(1), ago(60)
	s := &e.Socket
	s.State = one(r, flow.Established, flow.Established, flow.SynSent, flow.FinWait1, flow.CloseWait)
	s.LastAck, s.LastReceive, s.Sent = one(r, time.Time{}, ago(90)), one(r, time.Time{}, ago(90)), ago(60)
	s.Timeouts, s.Retransmits, s.PacketsOut, s.RetransOut, s.SackedOut = r.IntN(8), r.IntN(8), r.IntN(3), r.IntN(2), r.IntN(2)
	s.Backoff, s.ProbesOut, s.Retries2 = r.IntN(8), r.IntN(4), 15
	s.Pending = one(r, flow.TimerNone, flow.TimerRetransmit, flow.TimerProbe)
	errnos := []int{0, 0, 0, -1, int(syscall.EPERM), int(syscall.EBUSY), int(syscall.EHOSTUNREACH)}
	s.SendErr = one(r, errnos...)
	s.SoftErr = one(r, 0, 0, int(syscall.EHOSTUNREACH), int(syscall.ENETUNREACH), int(syscall.ECONNREFUSED), int(syscall.EINVAL))
	s.SendWindow, s.MSS, s.Unacknowledged, s.Unsent = one[uint32](r, 0, 65535), 1448, one[uint32](r, 0, 6, 1700), one[uint32](r, 0, 6)
	s.SegmentsIn, s.NeverAcked, s.Orphan, s.Keepalive = uint32(r.IntN(5)), r.IntN(4) == 0, r.IntN(4) == 0, r.IntN(2) == 0
	s.RTO, s.Tick, s.TimerAt = time.Duration(1+r.IntN(20))*time.Second, 4*time.Millisecond, noon.Add(time.Second)
	e.Role, e.Host = one(r, flow.Client, flow.Server), r.IntN(2) == 0
	e.Local.PID, e.Local.Exited = one[uint32](r, 0, 4711), r.IntN(3) == 0
	e.Peer.Class = one(r, flow.PeerService, flow.PeerPod, flow.PeerExternal, flow.PeerNode)
	e.Backend.State = one(r, flow.BackendListed, flow.BackendDeleted, flow.BackendTerminating, flow.BackendUnlisted, flow.BackendUnknown)
	e.Backend.Since, e.Backend.NodeState = ago(90), one(r, cluster.NodeReady, cluster.NodeNotReady)
	switch r.IntN(3) {
	case 0:
		e.Conntrack = diagnosis.Conntrack{At: noon, Missing: true, Zones: true}
	case 1:
		e.Conntrack.Replied = r.IntN(2) == 0
	}
	e.Translates = r.IntN(2) == 0
	if r.IntN(2) == 0 {
		e.Route = &flow.Route{
			Src: client.Addr(), Own: r.IntN(2) == 0, In: one(r, "", "cali1"), Interface: "eth0", Err: one(r, "", "", "EINVAL"), Dead: one(r, "", "", "eth0"),
			Neighbour: one(r, "REACHABLE", "FAILED", ""),
		}
	}
	if r.IntN(6) == 0 {
		e.Listener = &diagnosis.Listener{Owner: "python3[42]", PID: 42, Waiting: 2, Most: 1}
	}
	return e
}

// ofThisHost returns the causes that blame this host.
func ofThisHost() (here []flow.Cause) {
	for _, c := range diagnosis.Causes() {
		if c.Here {
			here = append(here, c.Name)
		}
	}
	return here
}

// showsThisHost reports whether something of the evidence is about this host.
func showsThisHost(e *diagnosis.Evidence) bool {
	s := &e.Socket
	kept := s.PacketsOut == 0 || s.RetransOut == 0
	return s.SendErr != 0 || kept || e.Route != nil && (e.Route.Err != "" || e.Route.Dead != "") || e.Conntrack.Replied || e.Listener != nil
}

var (
	silent = regexp.MustCompile(`is silent|no segment comes|no longer answers|nothing is heard`)
	enters = regexp.MustCompile(`nsenter -t (\d+)`)
)

// TestNoClaimAgainstTheEvidence judges evidence of all kinds. No sentence says that the peer is
// silent while something has just heard it. No cause of this host is without a trace of this host.
// No command enters the namespace of a process that is not there.
func TestNoClaimAgainstTheEvidence(t *testing.T) {
	found := map[flow.Cause]int{}
	for seed := range uint64(20_000) {
		e := anyEvidence(rand.New(rand.NewPCG(seed, 3)))
		v := diagnosis.Judge(&e)
		found[v.Cause]++
		s := &e.Socket
		last := s.LastAck
		if s.LastReceive.After(last) {
			last = s.LastReceive
		}
		heard := last.After(s.Since.Add(time.Second)) && s.At.Sub(last) <= max(e.StuckAfter, 2*s.RTO) || v.Symptom == flow.Retransmitting && e.Conntrack.Replied && s.SegmentsIn < 2 && !last.After(s.Since.Add(time.Second))
		if says := silent.FindString(v.Sentence); says != "" && heard && v.Symptom != flow.HalfOpen {
			t.Fatalf("seed %d: the peer %s, and its last segment came %v before the reading: %s", seed, says, s.At.Sub(last), v.Sentence)
		}
		if slices.Contains(ofThisHost(), v.Cause) && !showsThisHost(&e) {
			t.Fatalf("seed %d: nothing shows that this host is at fault: %s", seed, v.Sentence)
		}
		for _, a := range v.Advice {
			for _, into := range enters.FindAllStringSubmatch(a.Now+a.ForGood, -1) {
				pid, _ := strconv.Atoi(into[1])
				if pid != 42 && (uint32(pid) != e.Local.PID || e.Local.Exited) {
					t.Fatalf("seed %d: %q enters the namespace of a process that is not there", seed, a.Now)
				}
			}
			if strings.Contains(a.Now, netip.Addr{}.String()) {
				t.Fatalf("seed %d: an address is missing in %q", seed, a.Now)
			}
		}
	}
	for _, c := range ofThisHost() {
		if found[c] < 10 {
			t.Errorf("%s was found %d times: the evidence does not play it", c, found[c])
		}
	}
}
