package flow_test

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func full() flow.Finding {
	at := time.Date(2026, 3, 1, 14, 2, 23, 300e6, time.UTC)
	return flow.Finding{
		ID: 0x1f3a, BootID: "boot", Node: "node-a", NetNS: 4026532590, Role: flow.Client, State: flow.Established, Family: 4,
		Local: flow.Local{
			Addr: netip.MustParseAddrPort("192.168.75.2:43580"), Namespace: "default", Pod: "client-1", Workload: "client",
			WorkloadKind: "Deployment", Container: "client", PID: 4711, Comm: "echo",
		},
		Peer:    flow.Peer{Class: flow.PeerService, Addr: netip.MustParseAddrPort("10.96.0.10:8000"), Namespace: "default", Service: "server"},
		Backend: &flow.Backend{Addr: netip.MustParseAddrPort("192.168.136.2:8000"), Namespace: "default", Pod: "server-1", Node: "node-b", State: flow.BackendDeleted, Since: at.Add(-12 * time.Second)},
		Symptom: flow.Retransmitting, Cause: flow.StaleConntrack, Sentence: "why",
		Advice:   []flow.Advice{{Now: "conntrack -D"}, {ForGood: "TCP_USER_TIMEOUT"}},
		Evidence: []flow.Evidence{{Source: "conntrack", Asked: "a", Answer: "b", At: at}},
		History:  []flow.Step{{At: at, What: "found"}},
		At:       at, Since: at.Add(-12300 * time.Millisecond), Timeouts: 6, RTO: 12800 * time.Millisecond,
		Unacknowledged: 6, SendBufferUsed: 0.01, GivesUp: flow.GivesUp{At: at.Add(15 * time.Minute)},
	}
}

func TestFindingJSONRoundTrip(t *testing.T) {
	ended := full()
	ended.GivesUp = flow.GivesUp{Never: true}
	ended.Outcome, ended.Err, ended.EndedAt = flow.TimedOut, "ETIMEDOUT", ended.At.Add(time.Minute)
	for name, want := range map[string]flow.Finding{"live": full(), "ended": ended} {
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got flow.Finding
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

func TestFindingJSONAbsentIsNull(t *testing.T) {
	b, err := json.Marshal(flow.Finding{ID: 1, Local: flow.Local{Addr: netip.MustParseAddrPort("[::1]:1")}, Peer: flow.Peer{Addr: netip.MustParseAddrPort("[::1]:2")}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"backend":null`, `"role":null`, `"pid":null`, `"service":null`, `"since":null`, `"age_seconds":null`,
		`"gives_up_at":null`, `"outcome":null`, `"error":null`, `"advice":[]`, `"evidence":[]`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s in %s", want, b)
		}
	}
}

func TestFindingJSONRefusesAnotherVersion(t *testing.T) {
	var f flow.Finding
	if err := json.Unmarshal([]byte(`{"apiVersion":"tcpstuck/v9","id":"1"}`), &f); err == nil {
		t.Error("tcpstuck/v9 was read as v1")
	}
}
