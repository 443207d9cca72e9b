package flow_test

import (
	"encoding/json"
	"net/netip"
	"reflect"
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
		Unacknowledged: 6, SendBufferUsed: 0.01, GivesUp: flow.GivesUp{At: at.Add(15 * time.Minute), By: at.Add(15 * time.Minute)},
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

// TestEveryFieldHasItsPlaceInJSON sets one field at a time: none is forgotten,
// and each comes back as it was.
func TestEveryFieldHasItsPlaceInJSON(t *testing.T) {
	anchor := flow.Finding{ID: 1, Backend: &flow.Backend{}}
	silent := marshal(t, anchor)
	for _, c := range []struct {
		name string
		part func(*flow.Finding) reflect.Value
	}{
		{"Finding", func(f *flow.Finding) reflect.Value { return reflect.ValueOf(f).Elem() }},
		{"Local", func(f *flow.Finding) reflect.Value { return reflect.ValueOf(&f.Local).Elem() }},
		{"Peer", func(f *flow.Finding) reflect.Value { return reflect.ValueOf(&f.Peer).Elem() }},
		{"Backend", func(f *flow.Finding) reflect.Value { return reflect.ValueOf(f.Backend).Elem() }},
	} {
		for i := range c.part(&anchor).NumField() {
			want := flow.Finding{ID: 1, Backend: &flow.Backend{}}
			field := c.part(&want).Type().Field(i)
			if field.Tag.Get("json") == "-" || field.Name == "Local" || field.Name == "Peer" || field.Name == "Backend" {
				continue
			}
			fill(t, c.part(&want).Field(i))
			text := marshal(t, want)
			if text == silent {
				t.Errorf("%s.%s is not in the JSON", c.name, field.Name)
			}
			var got flow.Finding
			if err := json.Unmarshal([]byte(text), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.AddrPort{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s.%s: -want +got\n%s", c.name, field.Name, diff)
			}
		}
	}
}

func marshal(t *testing.T, f flow.Finding) string {
	t.Helper()
	b, err := f.MarshalJSON() // as the API calls it: json.Marshal would escape once more
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// fill gives a field a value that is not the zero one.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		*p = time.Date(2026, 3, 1, 14, 2, 23, 300e6, time.UTC)
	case *time.Duration:
		*p = 12800 * time.Millisecond
	case *netip.AddrPort:
		*p = netip.MustParseAddrPort("[fd00::1]:53")
	case *flow.GivesUp:
		p.Never = true
	case *[]flow.Advice:
		*p = []flow.Advice{{Now: "a"}, {ForGood: "b"}}
	case *[]flow.Evidence:
		*p = []flow.Evidence{{Source: "a", Asked: "b", Answer: "c", At: time.UnixMilli(1).UTC()}}
	case *[]flow.Step:
		*p = []flow.Step{{At: time.UnixMilli(1).UTC(), What: "a"}}
	default:
		switch v.Kind() {
		case reflect.String:
			v.SetString("text")
		case reflect.Bool:
			v.SetBool(true)
		case reflect.Int:
			v.SetInt(3)
		case reflect.Uint8, reflect.Uint32, reflect.Uint64:
			v.SetUint(7)
		case reflect.Float64:
			v.SetFloat(0.25)
		default:
			t.Fatalf("no value for a %s", v.Type())
		}
	}
}

// TestTimesInJSON: every time is UTC to the millisecond, whatever the process's
// zone, and null if it is not known.
func TestTimesInJSON(t *testing.T) {
	at := time.Date(2026, 3, 1, 16, 2, 23, 300_400_000, time.FixedZone("EET", 7200))
	f := flow.Finding{
		ID: 1, At: at, Since: at, EndedAt: at, GivesUp: flow.GivesUp{At: at}, Backend: &flow.Backend{Since: at},
		Evidence: []flow.Evidence{{At: at}, {}}, History: []flow.Step{{At: at}},
	}
	b, err := json.Marshal(flow.Event{Type: flow.EventStuck, Time: at, Flow: &f})
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(b), `"2026-03-01T14:02:23.3Z"`); n != 9 {
		t.Errorf("%d of 9 times are UTC to the millisecond: %s", n, b)
	}
	if !strings.Contains(string(b), `"answer":"","at":null`) {
		t.Errorf("a time that is not known is not null: %s", b)
	}
}

// FuzzText: text is escaped as encoding/json does it, and no more.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "→ a · b", `"\`, "<&>", "\x00\x7f\n", "\u2028\u2029", "\xff", "\ufffd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		text := marshal(t, flow.Finding{ID: 1, Sentence: s})
		if !strings.Contains(text, `"sentence":`+string(want)+`,"advice"`) {
			t.Errorf("want %s in %s", want, text)
		}
	})
}

func TestAdviceOfNothing(t *testing.T) {
	if text := marshal(t, flow.Finding{ID: 1, Advice: []flow.Advice{{}}}); !strings.Contains(text, `"advice":[{}]`) {
		t.Error(text)
	}
}

func TestAFindingWithoutAnIDIsNone(t *testing.T) {
	var f flow.Finding
	if err := json.Unmarshal([]byte(`{"apiVersion":"tcpstuck/v1"}`), &f); err == nil {
		t.Error("a finding without an id was read")
	}
}

// TestAnEventIsWrittenAsMarshalled: who appends an event gets what json.Marshal makes
// of it, text that it escapes included.
func TestAnEventIsWrittenAsMarshalled(t *testing.T) {
	f := full()
	f.Sentence = "<&> \u2028 \xff \"quoted\" → a · b"
	for _, ev := range []flow.Event{
		{Type: flow.EventStuck, Time: f.At, Flow: &f},
		{Type: flow.EventDegraded, Time: f.At, Source: "cluster", Reason: "<gone>"},
		{},
	} {
		want, err := json.Marshal(ev)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(ev.AppendJSON([]byte("before "))); got != "before "+string(want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestMembersInAnyOrder: an agent of another version writes them in another order.
func TestMembersInAnyOrder(t *testing.T) {
	var members map[string]any
	if err := json.Unmarshal([]byte(marshal(t, full())), &members); err != nil {
		t.Fatal(err)
	}
	sorted, err := json.MarshalIndent(members, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	var got flow.Finding
	if err := json.Unmarshal(sorted, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full(), got, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
