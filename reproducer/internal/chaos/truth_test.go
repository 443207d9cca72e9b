package chaos

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func TestCompare(t *testing.T) {
	client := netip.MustParseAddrPort("127.0.0.1:40000")
	truth := newTruth()
	truth.hang(&conn{id: 1}, &conn{id: 2}, &conn{id: 4})
	truth.risk(&conn{id: 3})
	truth.over(&conn{id: 4})
	truth.ignore(client)
	for name, c := range map[string]struct {
		listed         []flow.Finding
		missing, extra []flow.ID
	}{
		"the truth":             {listed: []flow.Finding{{ID: 1}, {ID: 2}}},
		"one at risk":           {listed: []flow.Finding{{ID: 1}, {ID: 2}, {ID: 3}}},
		"only a FIN":            {listed: []flow.Finding{{ID: 1}, {ID: 2}, {ID: 9, Suppressed: flow.SuppressedClosing}}},
		"who does not read":     {listed: []flow.Finding{{ID: 1}, {ID: 2}, {ID: 9, Peer: flow.Peer{Addr: client}}}},
		"one is missing":        {listed: []flow.Finding{{ID: 2}, {ID: 3}}, missing: []flow.ID{1}},
		"a healthy one":         {listed: []flow.Finding{{ID: 1}, {ID: 2}, {ID: 9}}, extra: []flow.ID{9}},
		"healthy, only counted": {listed: []flow.Finding{{ID: 1}, {ID: 2}, {ID: 9, Suppressed: flow.SuppressedAtRisk}}, extra: []flow.ID{9}},
		"one that is over":      {listed: []flow.Finding{{ID: 1}, {ID: 2}, {ID: 4}}, extra: []flow.ID{4}},
		"nothing":               {missing: []flow.ID{1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			d := truth.compare(c.listed)
			var extra []flow.ID
			for _, f := range d.extra {
				extra = append(extra, f.ID)
			}
			if diff := cmp.Diff([][]flow.ID{c.missing, c.extra}, [][]flow.ID{d.missing, extra}); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if n, want := truth.listed(c.listed), 2-len(c.missing); n != want {
				t.Errorf("%d of 2 are listed, want %d", n, want)
			}
			if d.none() != (len(c.missing)+len(c.extra) == 0) {
				t.Errorf("none is %v", d.none())
			}
		})
	}
}

func TestHonestLine(t *testing.T) {
	l := &Lab{truth: newTruth()}
	l.truth.hang(&conn{id: 0x1f}, &conn{id: 0x3f})
	l.truth.because(flow.StaleConntrack, &conn{id: 0x1f})
	l.truth.over(&conn{id: 0x1f})
	for line, says := range map[string]string{
		`{"type":"stuck","flow":{"id":"1f","cause":"StaleConntrack"}}`:                                     "",
		`{"type":"stuck","flow":{"id":"1f","cause":"Unknown"}}`:                                            "",
		`{"type":"stuck","flow":{"id":"1f","cause":"PathDrop"}}`:                                           "because of PathDrop, it is StaleConntrack",
		`{"type":"ended","flow":{"id":"1f","cause":"PathDrop"}}`:                                           "",
		`{"type":"stuck","flow":{"id":"3f","cause":"PathDrop"}}`:                                           "",
		`{"type":"stuck","flow":{"id":"1f","cause":"Unknown","evidence":["no answer: context canceled"]}}`: "broken off",
		`{"type":"degraded","reason":"look up: context canceled"}`:                                         "broken off",
		`{"type":"degraded"}`:                 "",
		`{"type":"stuck","flow":{"id":"2f"}}`: "never hung",
		`{"type":"stu`:                        "unexpected end",
		``:                                    "unexpected end",
	} {
		err := l.honestLine([]byte(line))
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v, want %q", line, err, says)
		}
	}
}

func TestGrown(t *testing.T) {
	start := usage{descriptors: 50, goroutines: 24, heap: 20 << 20, bpf: 1000}
	for what, end := range map[string]usage{
		"":                  {descriptors: 52, goroutines: 28, heap: 22 << 20, bpf: 1000},
		"descriptors":       {descriptors: 53, goroutines: 24, heap: 20 << 20, bpf: 1000},
		"goroutines":        {descriptors: 50, goroutines: 29, heap: 20 << 20, bpf: 1000},
		"bytes of heap":     {descriptors: 50, goroutines: 24, heap: 23 << 20, bpf: 1000},
		"bytes of BPF maps": {descriptors: 50, goroutines: 24, heap: 20 << 20, bpf: 1001},
	} {
		grown := strings.Join(end.grown(start), "; ")
		if (grown == "") != (what == "") || !strings.HasPrefix(grown, what) {
			t.Errorf("%+v: %q, want %q", end, grown, what)
		}
	}
}
