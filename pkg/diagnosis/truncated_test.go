package diagnosis_test

import (
	"strings"
	"testing"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// truncated is the client of the Calico case, its backend alive, that closes
// with a ping unread and most of its data unsent.
func truncated(change ...func(*diagnosis.Evidence)) diagnosis.Evidence {
	e := calico()
	e.Backend.State, e.Ended = flow.BackendListed, true
	e.End = &flow.End{At: after(1.5), From: flow.Established, Loss: flow.LostClosedUnread, Unread: 5, Unsent: 46336, Unacknowledged: 64088}
	for _, f := range change {
		f(&e)
	}
	return e
}

func loss(r flow.LossReason) func(*diagnosis.Evidence) {
	return func(e *diagnosis.Evidence) { e.End.Loss = r }
}

// fromOutside makes it a server whose client is outside the cluster.
func fromOutside(e *diagnosis.Evidence) {
	e.Role, e.Peer.Class, e.Socket.Remote, e.Conntrack = flow.Server, flow.PeerExternal, outside, diagnosis.Conntrack{}
}

func nothingUnsent(e *diagnosis.Evidence) { e.End.Unsent = 0 }

func TestTruncated(t *testing.T) {
	for _, c := range []struct {
		name       string
		given      diagnosis.Evidence
		cause      flow.Cause
		suppressed flow.Suppression
		says       string
	}{
		{"closed unread", truncated(), flow.ClosedUnread, "",
			"lost 46,336 bytes for certain and perhaps 64,088 more of what it had written to default/server:8000 when that connection ended at 12:00:01Z: it was closed with 5 bytes unread"},
		{"data after close", truncated(loss(flow.LostDataAfterClose)), flow.DataAfterClose, "", "the peer sent something more after it was closed"},
		{"reset", truncated(loss(flow.LostResetByPeer), nothingUnsent), flow.ResetByPeer, "", "lost perhaps 64,088 bytes of what it had written to default/server:8000"},
		{"reset by what is deleted", truncated(loss(flow.LostResetByPeer), func(e *diagnosis.Evidence) { e.Backend.State = flow.BackendDeleted }),
			flow.ResetByPeer, "", "the peer sent a reset, with 5 bytes from it still to be read: what was to follow them may never have come; the pod default/server-1 at 192.168.136.2:8000 is deleted since 12:00:00"},
		{"timed out unseen", truncated(loss(flow.LostTimedOut)), flow.PeerUnreachable, "", "is silent, although it is listed as alive"},
		{"a server's own fault, before a client outside", truncated(fromOutside), flow.ClosedUnread, "", "46,336 bytes for certain"},
		{"the same, with all of it sent", truncated(fromOutside, nothingUnsent), flow.ClosedUnread, flow.SuppressedExternalClient, ""},
		{"a client outside that goes away", truncated(fromOutside, loss(flow.LostResetByPeer)), flow.ResetByPeer, flow.SuppressedExternalClient, ""},
		{"a client outside that vanished", truncated(fromOutside, loss(flow.LostTimedOut)), flow.PeerUnreachable, flow.SuppressedExternalClient, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := diagnosis.Judge(&c.given)
			if v.Symptom != flow.Truncated || v.Cause != c.cause || v.Suppressed != c.suppressed {
				t.Errorf("%s · %s, suppressed %q; want Truncated · %s, suppressed %q", v.Symptom, v.Cause, v.Suppressed, c.cause, c.suppressed)
			}
			if !strings.Contains(v.Sentence, c.says) {
				t.Errorf("it says %q, want %q in it", v.Sentence, c.says)
			}
		})
	}
}

func TestNotable(t *testing.T) {
	for _, c := range []struct {
		name string
		end  flow.End
		want bool
	}{
		{"nothing lost", flow.End{}, false},
		{"a reset that meets a request", flow.End{Loss: flow.LostResetByPeer, Unacknowledged: 6}, false},
		{"a reset with bytes unsent", flow.End{Loss: flow.LostResetByPeer, Unsent: 1}, true},
		{"a reset while there is something to read", flow.End{Loss: flow.LostResetByPeer, Unacknowledged: 6, Unread: 1}, true},
		{"closed unread with an answer on its way", flow.End{Loss: flow.LostClosedUnread, Unacknowledged: 6}, true},
		{"a subflow", flow.End{Loss: flow.LostClosedUnread, Unsent: 6, MPTCP: true}, false},
	} {
		if got := diagnosis.Notable(c.end); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestDrainIsAdvised(t *testing.T) {
	for _, c := range []struct {
		reason flow.LossReason
		says   string
	}{
		{flow.LostClosedUnread, "shutdown(SHUT_WR), read until the peer's end with a time limit, then close"},
		{flow.LostDataAfterClose, "the time limit is too short"},
		{flow.LostResetByPeer, "Have the peer drain before it closes"},
	} {
		var all strings.Builder
		for _, a := range diagnosis.Judge(new(truncated(loss(c.reason)))).Advice {
			all.WriteString(a.ForGood)
		}
		if !strings.Contains(all.String(), c.says) {
			t.Errorf("%s: advised is %q, want %q", c.reason, all.String(), c.says)
		}
	}
}

func TestHowItEndedIsEvidence(t *testing.T) {
	all := diagnosis.Judge(new(truncated())).Evidence
	if len(all) < 2 || all[1].Answer != "left ESTABLISHED: closed_unread, 5 bytes received and not read" {
		t.Errorf("evidence %+v", all)
	}
}
